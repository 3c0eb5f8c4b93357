"""Tests of tunefast.store."""
