"""Tests of tunefast.export."""
