"""Seeds as a function of their key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunefast.recipe.seed import derive_seed

keys = st.lists(st.integers() | st.text(max_size=8), max_size=5)


@given(keys)
def test_function_of_key(key: list[int | str]) -> None:
    """The key alone decides a seed, and torch and NumPy take it."""
    assert derive_seed(*key) == derive_seed(*key)
    assert 0 <= derive_seed(*key) < 2**63


@given(keys, keys)
def test_keys_do_not_collide(one: list[int | str], other: list[int | str]) -> None:
    """Two keys have two seeds, however their parts are cut."""
    assert (derive_seed(*one) == derive_seed(*other)) == (one == other)


def test_differs_by_purpose() -> None:
    """Draws for one purpose say nothing about those for another, nor about the next step or epoch."""
    around = {derive_seed(7, 1, 1, purpose) for purpose in ("dropout", "order", "weights")}
    around |= {derive_seed(7, 2, 1, "dropout"), derive_seed(7, 1, 2, "dropout"), derive_seed(8, 1, 1, "dropout")}
    assert len(around) == 6


def test_number_is_no_word() -> None:
    """The number 1 and the word "1" are two keys."""
    assert derive_seed(1) != derive_seed("1")


def test_never_changes() -> None:
    """A trial that was stored by an earlier release draws the same in this one."""
    assert derive_seed(0, 1, "order") == 7121532031748911769
