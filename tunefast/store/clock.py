"""Moments as the database keeps them."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, as naive UTC, which is what Optuna stores."""
    return datetime.now(UTC).replace(tzinfo=None)
