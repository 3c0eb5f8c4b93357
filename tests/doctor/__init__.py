"""Tests of tunefast.doctor."""
