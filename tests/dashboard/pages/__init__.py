"""Tests of tunefast.dashboard.pages."""
