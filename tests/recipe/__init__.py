"""Tests of tunefast.recipe."""
