"""The checker is awake: each safeguard that is switched off breaks the promise that it keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.arena import Arena
from tests.chaos.checker import Findings
from tests.chaos.duels import arena_without, corrupted, rivals, zombies

DUELS: dict[str, tuple[Callable[[Arena], Findings], tuple[str, ...], str, str]] = {
    "zombies": (zombies, ("kill",), "fencing", "went on for"),
    "damaged checkpoints": (corrupted, (), "hashes", "instead of"),
    "two coordinators": (rivals, (), "lock", "owned the database at once"),
}


@pytest.mark.parametrize("duel", DUELS)
@pytest.mark.parametrize("on", [pytest.param(True, marks=pytest.mark.slow, id="on"), pytest.param(False, id="off")])
def test_a_safeguard(tmp_path: Path, duel: str, *, on: bool) -> None:
    """With it all promises are kept, without it the one that it is there for is broken."""
    fight, without, safeguard, words = DUELS[duel]
    trials = 8 if duel == "zombies" else 3
    found = fight(arena_without(tmp_path, *without, *([] if on else [safeguard]), trials=trials))
    if on:
        assert found.broken == []
    else:
        assert any(words in broken for broken in found.broken), found
