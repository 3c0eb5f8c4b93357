"""The other stages: trials that go wrong by themselves, a disk that is full, safeguards one by one."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.checker import check
from tests.chaos.duels import DEADLINE_SECONDS, arena_without, corrupted, rivals, zombies
from tests.chaos.objectives import EPOCHS, HALFWAY, KINDS, curve
from tests.chaos.storm import end, storm
from tests.files import fill_up
from tunefast.spec.progress import OUT_OF_MEMORY
from tunefast.store.rows import state_word

GRID = """
[study]
name = "chaos"
metric = "score"
direction = "maximize"
sampler = {{ name = "grid" }}
pruner = {{ name = "none" }}
[trial]
lease_seconds = 2.0
[recipe]
objective = "tests.chaos.objectives:run"
epochs = {epochs}
[space]
"params.kind" = {{ choices = {kinds} }}
"params.x" = {{ low = 0, high = {last} }}
"""
WANTED = {"ok": "complete", "raises": "failed", "nan": "pruned", "oom": "infeasible"}
REASONS = {"ok": None, "raises": "error", "nan": "diverged", "oom": OUT_OF_MEMORY}
PAUSED = 74
DISK = "size=12m"


def trials_that_go_wrong(directory: Path, seed: int, share: float) -> list[str]:
    """Each cell of a grid ends as its kind of trial has to, once, while workers are killed; what was broken."""
    last = max(2, round(10 * share)) - 1
    num_cells = len(KINDS) * (last + 1)
    arena = Arena(directory, num_cells, 3)
    text = GRID.format(epochs=EPOCHS, kinds=list(KINDS), last=last)
    (directory / "chaos.toml").write_text(text, encoding="utf-8")
    plan = {"kill": max(2, round(8 * share)), "coordinator": 1}
    storm(arena, plan, seed, DEADLINE_SECONDS * 3, done=lambda: arena.num_ended() == num_cells)
    study = arena.study()
    cells = Counter((trial.params["params.kind"], trial.params["params.x"]) for trial in study.trials)
    broken = [] if len(cells) == len(study.trials) == num_cells else [f"cells were trained {cells.most_common(3)}"]
    for trial in study.trials:
        kind, x = trial.params["params.kind"], trial.params["params.x"] / 10
        found = state_word(trial), trial.user_attrs.get("reason")
        if found != (WANTED[kind], REASONS[kind]):
            broken.append(f"trial {trial.number}, {kind}, ended as {found}")
        wanted = {epoch: value for epoch, value in curve(x).items() if kind == "ok" or epoch < HALFWAY}
        values = {epoch: value for epoch, value in trial.intermediate_values.items() if value == value}  # noqa: PLR0124
        if values != wanted:
            broken.append(f"trial {trial.number}, {kind}: {values} instead of {wanted}")
    return broken


def full_disk(directory: Path) -> list[str] | None:
    """A study on a disk that fills up, pauses, and goes on; what was broken, None where no such disk can be had."""
    directory.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(directory)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        return None
    try:
        arena = Arena(directory, 12, 2)
        host = arena.started()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while arena.num_ended() < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        ballast = directory / "ballast"
        fill_up(ballast)
        try:
            code = host.wait(DEADLINE_SECONDS)
        finally:
            end(host)
        states = arena.states()
        ballast.unlink()
        again = arena.started()
        again.wait(DEADLINE_SECONDS)
        broken = [] if code == PAUSED else [f"a full disk gave exit code {code}"]
        broken += [f"trials failed while the disk was full: {states}"] if "FAIL" in states else []
        return broken + check(arena, damages=2).broken
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def duels(directory: Path) -> list[str]:
    """Each safeguard against the fault that it is there for; what was broken."""
    return [
        *zombies(arena_without(directory / "zombies", "kill", trials=8)).broken,
        *corrupted(arena_without(directory / "corrupted")).broken,
        *rivals(arena_without(directory / "rivals")).broken,
    ]
