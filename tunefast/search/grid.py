"""Grid search: every cell exactly once, whoever trains it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from tunefast.spec.domains import Scalar
from tunefast.spec.space import cells
from tunefast.spec.study import StudySpec


class GridCursor:
    """The cells of a grid that no trial has been given yet, in a seeded random order.

    Made anew from the trials that exist, so it needs no state of its own: after a restart it goes on where it was.
    """

    def __init__(self, spec: StudySpec, taken: Iterable[Mapping[str, Scalar]]) -> None:
        done = {_key(params) for params in taken}
        order = list(cells(spec.space))
        random.Random(spec.study.seed).shuffle(order)  # noqa: S311  no secrets here
        self._cells = [cell for cell in reversed(order) if _key(cell) not in done]

    def __len__(self) -> int:
        return len(self._cells)

    def take(self) -> dict[str, Scalar]:
        """The next cell; raises `IndexError` where none is left."""
        return self._cells.pop()


def _key(params: Mapping[str, Scalar]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((path, repr(value)) for path, value in params.items()))
