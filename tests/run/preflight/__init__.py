"""Tests of the check before a study."""
