"""Tests of tunefast.train."""
