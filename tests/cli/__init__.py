"""Tests of `tunefast.cli`."""
