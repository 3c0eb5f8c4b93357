"""Grid search: every cell once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.databases import study_spec
from tunefast.search.grid import GridCursor
from tunefast.spec.domains import Scalar
from tunefast.spec.study import StudySpec

SPACE = {
    "params.kind": {"choices": ["plain", {"label": "deep", "layers": 2}]},
    "params.depth": {"low": 1, "high": 3, "when": {"params.kind": "deep"}},
    "params.rate": {"low": 0.1, "high": 0.3, "step": 0.1},
    "params.flag": {"choices": [True, False, 1.5]},
}
NUM_CELLS = (1 + 3) * 3 * 3
Cell = dict[str, Scalar]


def spec(seed: int = 0) -> StudySpec:
    """A spec of a grid with a branch."""
    return study_spec(space=SPACE, sampler={"name": "grid"}, budget={}, seed=seed)


def taken(cursor: GridCursor, count: int | None = None) -> list[Cell]:
    """The next cells."""
    return [cursor.take() for _ in range(len(cursor) if count is None else count)]


def test_every_cell_once() -> None:
    """Each combination comes once, with the settings of its branch and no others."""
    cells = taken(GridCursor(spec(), []))
    assert len(cells) == len({repr(sorted(cell.items())) for cell in cells}) == spec().num_cells == NUM_CELLS
    for cell in cells:
        assert cell.keys() == SPACE.keys() - ({"params.depth"} if cell["params.kind"] == "plain" else set())
        assert cell["params.rate"] in (0.1, 0.2, 0.3)
    with pytest.raises(IndexError):
        GridCursor(spec(), cells).take()


@given(st.lists(st.integers(1, 10), max_size=5), st.integers(0, 3))
def test_a_restart_goes_on(sessions: list[int], seed: int) -> None:
    """However often the cells are taken up anew from the trials that exist, each comes once, in the same order."""
    whole = taken(GridCursor(spec(seed), []))
    cells: list[Cell] = []
    for session in sessions:
        cursor = GridCursor(spec(seed), cells)
        cells += taken(cursor, min(session, len(cursor)))
    assert cells == whole[: len(cells)]
    assert cells + taken(GridCursor(spec(seed), cells)) == whole


def test_cells_that_are_done_do_not_come_again() -> None:
    """Whichever cells trials have, in whatever order, the others are left."""
    whole = taken(GridCursor(spec(), []))
    backwards = [dict(reversed(cell.items())) for cell in whole[::-2]]
    left = taken(GridCursor(spec(), [*backwards, {}, {"params.x": 3}]))
    assert left == [cell for cell in whole if cell not in backwards]


def test_the_seed_decides_the_order() -> None:
    """The order is random, and a function of the seed."""
    orders = [repr(taken(GridCursor(spec(seed), []))) for seed in (0, 1, 1)]
    assert orders[0] != orders[1] == orders[2]
