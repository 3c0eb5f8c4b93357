"""Tests of the pruning rules."""
