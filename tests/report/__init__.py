"""Tests of tunefast.report."""
