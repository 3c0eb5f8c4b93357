"""Tests of tunefast.spec."""
