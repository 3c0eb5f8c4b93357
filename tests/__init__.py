"""Tests of tunefast; each folder mirrors a layer."""
