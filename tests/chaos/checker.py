"""The checker: reads the database, and what the attempts wrote, and says which promises were broken."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections import Counter, defaultdict
from contextlib import closing
from typing import NamedTuple

import torch

from tests.chaos.arena import EPOCHS, Arena
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.progress import Answer, Verdict
from tunefast.store.snapshot import StudySnapshot
from tunefast.train.loop import train

METRIC = "val_loss"
GONE_SECONDS = 15.0
"""For processes to end, once the command has."""
_EPOCH = re.compile(r"attempt (\d+), epoch (\d+): (\{.*\})$", re.MULTILINE)


class Line(NamedTuple):
    """An epoch that an attempt trained, as it wrote down when it had."""

    attempt: int
    epoch: int
    value: float


class Findings(NamedTuple):
    """What came of a study."""

    broken: list[str]
    """The promises that were, in words; none where all were kept."""
    results: int
    attempts: int
    redone: int
    """Epochs that were trained again."""


def check(arena: Arena, damages: int = 0, behind: int = 0) -> Findings:
    """Hold an ended study against what it would have come to without faults.

    So many checkpoints were damaged; `behind` epochs lay after those that were left, where writing was too slow for one
    an epoch.
    """
    study = arena.study()
    lines = {trial: _lines(text) for trial, text in arena.logs().items()}
    lost = sum(1 for row in study.attempts if row["attempt"] > 1)
    redone = sum(len(found) - len({line.epoch for line in found}) for found in lines.values())
    broken = [
        *_budget(arena, study),
        *_values(study),
        *_epochs(study, lines),
        *_stale(lines),
        *(
            [f"{redone} epochs were redone after {lost} lost attempts"]
            if redone > 2 * (lost + damages) + behind
            else []
        ),
        *_integrity(arena),
        *_left(arena),
    ]
    return Findings(broken, sum(trial.value is not None for trial in study.trials), len(study.attempts), redone)


def _lines(text: str) -> list[Line]:
    return [Line(int(number), int(epoch), json.loads(said)[METRIC]) for number, epoch, said in _EPOCH.findall(text)]


def _budget(arena: Arena, study: StudySnapshot) -> list[str]:
    """Every trial of the budget has one result, and there are no others."""
    counts = Counter(trial.state.name for trial in study.trials)
    return [] if counts == {"COMPLETE": arena.trials} else [f"{arena.trials} trials should be complete: {dict(counts)}"]


def _values(study: StudySnapshot) -> list[str]:
    """Every curve is, to the last bit, that of a training to which nothing happened."""
    broken = []
    for trial in study.trials:
        wanted = reference(study, trial.number)
        if trial.intermediate_values != wanted:
            broken.append(f"trial {trial.number}: {trial.intermediate_values} instead of {wanted}")
        elif trial.state.is_finished() and trial.value != wanted[EPOCHS]:
            broken.append(f"trial {trial.number}: value {trial.value} instead of {wanted[EPOCHS]}")
    return broken


def reference(study: StudySnapshot, number: int) -> dict[int, float]:
    """A trial's curve without faults, epoch -> value."""
    torch.set_num_threads(next(row["threads"] for row in study.attempts if row["trial"] == number))
    recipe = study.spec.recipe_for(study.trial(number).params)
    if not isinstance(recipe, TrainingRecipe):
        raise TypeError(type(recipe))
    quick = recipe.model_copy(update={"metrics": ()})
    reports = train(quick, study.spec.trial_seed(number), torch.device("cpu"))
    curve: dict[int, float] = {}
    try:
        report = next(reports)
        while True:
            curve[report.epoch] = report.metrics[METRIC]
            report = reports.send(Answer(verdict=Verdict.CONTINUE))
    except StopIteration:
        return curve


def _epochs(study: StudySnapshot, lines: dict[int, list[Line]]) -> list[str]:
    """No epoch is missing, and none was trained to two different values."""
    stored: dict[int, list[int]] = defaultdict(list)
    for row in study.epochs:
        stored[row["trial"]].append(row["epoch"])
    broken = [
        f"trial {trial.number} has the epochs {stored[trial.number]}"
        for trial in study.trials
        if stored[trial.number] != list(range(1, EPOCHS + 1))
    ]
    for trial, found in lines.items():
        values: dict[int, set[float]] = defaultdict(set)
        for line in found:
            values[line.epoch].add(line.value)
        broken += [f"trial {trial}, epoch {epoch} was {sorted(of)}" for epoch, of in values.items() if len(of) > 1]
    return broken


def _stale(lines: dict[int, list[Line]]) -> list[str]:
    """Nobody trains on after his trial was given to another: he may end the epoch he is in, and is refused then."""
    broken = []
    for trial, found in lines.items():
        latest, late = 0, Counter[int]()
        for line in found:
            latest = max(latest, line.attempt)
            late[line.attempt] += line.attempt < latest
        broken += [
            f"trial {trial}: attempt {old} went on for {count} epochs" for old, count in late.items() if count > 1
        ]
    return broken


def _integrity(arena: Arena) -> list[str]:
    with closing(sqlite3.connect(arena.database)) as connection:
        said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    return [] if said == "ok" else [f"integrity check: {said}"]


def _left(arena: Arena) -> list[str]:
    """No process and no temporary file is left."""
    end = time.monotonic() + GONE_SECONDS
    while (left := arena.left_behind()) and time.monotonic() < end:
        time.sleep(0.2)
    return [f"left behind: {what}" for what in left]
