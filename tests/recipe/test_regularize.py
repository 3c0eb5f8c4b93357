"""Penalties, clipping and averaging as settings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tunefast.recipe.part import Part
from tunefast.recipe.regularize import Averaging, Clipping, Penalty


def test_off_by_default() -> None:
    """None of them does anything unless asked to."""
    assert (Penalty().l1, Penalty().l2) == (0, 0)
    assert (Clipping().norm, Clipping().value) == (None, None)


@pytest.mark.parametrize(
    ("part", "options"),
    [
        (Penalty, {"l1": -0.1}),
        (Penalty, {"l2": float("inf")}),
        (Clipping, {"norm": 0.0}),
        (Clipping, {"value": -1.0}),
        (Averaging, {"decay": 0.0}),
        (Averaging, {"decay": 1.0}),
    ],
)
def test_refused(part: type[Part], options: dict[str, Any]) -> None:
    """Costs are not negative, limits are positive, and an average neither forgets nor keeps everything."""
    with pytest.raises(ValidationError):
        part.model_validate(options)


@given(st.floats(0.001, 0.9999), st.integers(0, 10**7))
def test_decay_grows_to_what_was_asked_for(decay: float, step: int) -> None:
    """The share that is kept never falls, never exceeds `decay`, and reaches it."""
    settings = Averaging(decay=decay)
    now, then = settings.decay_at(step), settings.decay_at(step + 1)
    assert 0 < now <= then <= decay
    assert settings.decay_at(int(10 / (1 - decay)) + 1) == decay


def test_first_steps_forget() -> None:
    """The untrained weights keep a tenth after the first step, and next to nothing after a hundred."""
    settings, share = Averaging(decay=0.999), 1.0
    assert settings.decay_at(0) == 0.1
    for step in range(100):
        share *= settings.decay_at(step)
    assert share < 1e-9
