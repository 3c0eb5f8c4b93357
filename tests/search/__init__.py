"""Tests of tunefast.search."""
