"""Preflight: what would fail, what would not fit, and how long it would take, before a study starts."""
