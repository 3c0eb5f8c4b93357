"""The largest batch that fits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doctor.cases import CPU, limited, recipe
from tunefast.doctor.findings import Largest
from tunefast.doctor.memory import EXACT, _fits, largest_fitting, measured


@given(limit=st.integers(0, 100_000), known=st.integers(1, 5000), most=st.integers(1, 50_000))
def test_the_largest_batch_is_found(limit: int, known: int, most: int) -> None:
    """Whatever fits, what is found does, nothing much larger would, and few sizes are tried, none above the most."""
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= limit

    found = largest_fitting(fits, known, most)
    assert found.batch_size <= min(limit, most)
    assert all(1 <= size <= most for size in tried)
    assert len(tried) <= 2 * math.log2(50_000) + 6
    assert len(set(tried)) == len(tried)
    if found.too_large is None:
        assert found.batch_size == most
    else:
        assert limit < found.too_large <= found.batch_size + max(1, found.batch_size // EXACT)


def test_all_that_there_is_time_for() -> None:
    """Where the time is over, the largest that was found to fit until then is told."""
    left = iter([True, True, True, False])
    assert largest_fitting(lambda _size: True, 32, 10_000, lambda: next(left)) == Largest(128, None)
    assert largest_fitting(lambda _size: False, 32, 100, lambda: False) == Largest(0, None)


def test_whatever_a_larger_batch_ends_with_it_does_not_fit() -> None:
    """Near the limit libraries raise errors of their own; at the recipe's own batch size they are the training's."""
    fixed = recipe(model=limited(64, "RuntimeError", "CUBLAS_STATUS_ALLOC_FAILED"), batch_size=32)
    assert _fits(fixed, 0, CPU, 64)
    assert not _fits(fixed, 0, CPU, 65)
    with pytest.raises(RuntimeError, match="ALLOC_FAILED"):
        _fits(fixed.model_copy(update={"batch_size": 128}), 0, CPU, 128)
    with pytest.raises(TypeError, match="no tensor"):
        _fits(recipe(model=limited(64, "TypeError", "no tensor"), batch_size=32), 0, CPU, 128)


def test_a_cpu_says_what_it_says() -> None:
    """On a CPU no batch is tried; what the process takes, and what the machine has left, is told."""
    memory = measured(recipe(), 0, CPU, peak_bytes=7, num_train=100)
    assert memory.peak_bytes == 7
    assert memory.largest is None
    assert memory.free_bytes is None or memory.free_bytes > 0
