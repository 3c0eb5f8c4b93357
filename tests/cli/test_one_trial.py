"""One trial, as `study show --trial` prints it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from tests.report.made import PRUNED, RUNNING, attempt, epoch, study, trial
from tests.store.databases import study_spec
from tunefast.cli.showing import show_study, show_trial
from tunefast.store.snapshot import StudySnapshot

PLACE = {"host": "box", "commit": None, "versions": {"torch": "2.9"}, "python": "3.12"}
PATIENCE = {"early_stopping": {"monitor": "score", "mode": "max", "patience": 1}}
LATER = {"early_stopping": {**PATIENCE["early_stopping"], "start_from_epoch": 5}}


def shown(found: StudySnapshot) -> list[str]:
    """The lines of its first trial, at 80 columns."""
    out = io.StringIO()
    show_trial(Console(file=out, width=80, force_terminal=False), found, 0)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def tried(number: int, end: float | None, **changes: Any) -> dict[str, Any]:
    """An attempt of the first trial."""
    row = {**attempt(0, "w1", number, end, number=number), "threads": 2, "seed": 7, "provenance": PLACE}
    return {**row, **changes}


@pytest.mark.parametrize(
    ("recipe", "kept", "reason", "why"),
    [
        (PATIENCE, 1, None, "score 0.5000 at epoch 1: early_stopping keeps the epoch with the best score (0.5000)"),
        ({}, 2, None, "score 0.5000 at epoch 2, the last one"),
        (PATIENCE, 2, "target", "score 0.5000 at epoch 2, where it got to the target"),
    ],
)
def test_why_an_epoch_counts(recipe: dict[str, Any], kept: int, reason: str | None, why: str) -> None:
    """A reader learns whose rule chose the epoch, and finds its row marked, in a terminal without colours too."""
    made = trial(0.5, kept_epoch=kept, reason=reason)
    spec = study_spec(direction="maximize", recipe=recipe)
    found = study(made, epochs=[epoch(0, 1, 0.5), epoch(0, 2, 0.4)], spec=spec)
    lines = shown(found)
    assert why in lines
    assert [line.split()[0] for line in lines if line.endswith("  kept")] == [str(kept)]


@pytest.mark.parametrize(
    ("recipe", "state", "line"),
    [
        (PATIENCE, PRUNED, "score 0.4000"),
        (LATER, None, "score 0.4000 at epoch 2, the last one"),
    ],
)
def test_who_had_no_choice_is_told_of_none(recipe: dict[str, Any], state: Any, line: str) -> None:
    """A pruned trial's value is its last epoch's, whatever patience liked best; so is that of one that had none yet."""
    made = trial(0.4, *([state] if state else []), kept_epoch=1 if state else 2)
    spec = study_spec(direction="maximize", recipe=recipe)
    lines = shown(study(made, epochs=[epoch(0, 1, 0.5), epoch(0, 2, 0.4)], spec=spec))
    assert line in lines
    assert any(each.endswith("  kept") for each in lines) is (state is None)


def test_what_attempts_share_is_told_once() -> None:
    """Seed and environment stand with the first attempt; below a later one stands what is another."""
    newer = {**PLACE, "versions": {"torch": "2.10"}}
    rows = [tried(1, 1.5, ending="paused", reason="rung"), tried(2, 2.5), tried(3, 3.5, provenance=newer, seed=8)]
    assert shown(study(trial(0.5), attempts=rows))[-5:] == [
        "attempt 1: w1 on cpu, 2 threads, seed 7: then it waited at its rung",
        "  box, no git, torch 2.9, Python 3.12",
        "attempt 2: w1 on cpu, 2 threads: complete",
        "attempt 3: w1 on cpu, 2 threads, seed 8: complete",
        "  torch 2.10",
    ]


def test_an_attempt_without_an_end_was_cut_off() -> None:
    """Its coordinator was killed; only the last attempt of a trial that runs is under way."""
    lines = shown(study(trial(None, RUNNING), attempts=[tried(1, None), tried(2, None)]))
    assert [line.rpartition(": ")[2] for line in lines if line.startswith("attempt")] == ["cut off", "running"]


def test_an_imported_trial_is_told_as_one() -> None:
    """Who looks at a trial or at its study's table learns that it was trained elsewhere, and where."""
    found = study(trial(0.9, imported="old, trial 6"), trial(0.5))
    assert "imported: old, trial 6" in shown(found)
    out = io.StringIO()
    show_study(Console(file=out, width=80, force_terminal=False), found)
    first, best, *_, imported, own = out.getvalue().splitlines()
    assert best == "best score 0.9000, trial 0 (imported: old, trial 6)"
    assert first == "study: 1 complete, and 1 imported; 1 min 0 s of work"
    assert "imported" in imported.split()
    assert "imported" not in own


def test_rows_break_between_words_alone() -> None:
    """Names of objectives and settings stay whole at 80 columns; what has no room is said to be left out."""
    params = {"batch_size": 32, "lr": 0.0123456}
    rows = [trial([0.9, 12.5], params=params), trial([0.8, 2.5], params=params)]
    for metrics, width, words in (
        (["val_accuracy", "train_seconds"], 80, ["train_seconds", "batch_size=32", "lr=0.0123"]),
        (["val_balanced_accuracy", "train_seconds"], 60, ["train_seconds", "60", "settings,"]),
    ):
        out = io.StringIO()
        found = study(*rows, spec=study_spec(metric=metrics, direction=["maximize", "minimize"]))
        show_study(Console(file=out, width=width, force_terminal=False), found)
        assert set(words) <= set(out.getvalue().split()), out.getvalue()
