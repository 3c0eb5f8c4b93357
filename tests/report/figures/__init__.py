"""Tests of tunefast.report.figures."""
