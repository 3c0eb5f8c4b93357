"""Tests of tunefast.run."""
