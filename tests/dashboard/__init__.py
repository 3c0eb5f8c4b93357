"""Tests of tunefast.dashboard."""
