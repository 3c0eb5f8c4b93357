"""Studies as objects that show themselves, for notebooks and scripts."""
