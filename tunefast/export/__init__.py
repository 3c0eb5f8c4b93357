"""A study's trials and epochs as tables of other tools."""
