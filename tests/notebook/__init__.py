"""Tests of tunefast.notebook."""
