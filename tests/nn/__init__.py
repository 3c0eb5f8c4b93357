"""Tests of tunefast.nn."""
