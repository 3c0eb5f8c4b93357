"""What the list of studies says of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial

from tunefast.report.phrases import counts_line, number
from tunefast.report.sentences import winner_in_words
from tunefast.run.looking import seen
from tunefast.search.confirmed import confirmed
from tunefast.store.reading import ReadingStorage
from tunefast.store.rows import num_in_budget
from tunefast.store.snapshot import StudySnapshot, outlines
from tunefast.store.studies import CONFIRMATION

MOST_STEPS = 60


class Standing(NamedTuple):
    """How far a study is, in words."""

    words: str
    is_running: bool
    done: int
    budget: int | None
    """Trials that it may have in all."""


class Row(NamedTuple):
    """A study in the list."""

    name: str
    id: int
    """Optuna's, by which optuna-dashboard finds it."""
    standing: Standing | None
    """None where tunefast did not create it."""
    trials: str
    best: str
    steps: list[float]
    """The best value after each trial that improved it, and after the last one; as shares of the way, 1 at the end."""
    lately: float
    """When its last trial began, in seconds; 0 where there is none."""
    confirmed: str = ""
    """What its confirmation on new seeds says, once that is done."""
    confirmation: Row | None = None

    @property
    def is_running(self) -> bool:
        """Whether somebody works on it, or on its confirmation."""
        own = self.standing is not None and self.standing.is_running
        return own or (self.confirmation is not None and self.confirmation.is_running)


def standing(study: StudySnapshot) -> Standing:
    """How far a study is."""
    num_workers = study.num_workers
    done = num_in_budget(study.trials) - sum(not trial.state.is_finished() for trial in study.trials)
    who = f"{num_workers} worker{'s' * (num_workers != 1)}"
    if num_workers and study.is_paused:
        words = f"paused, {who} wait{'s' * (num_workers == 1)}"
    elif num_workers:
        words = f"running with {who}"
    elif study.is_over:
        words = "done"
    elif num_workers is None:
        words = "who works on it is not known: the coordinator does not answer"
    elif not study.trials:
        words = "not started yet"
    else:
        words = f"nobody works on it{f', {study.num_unfinished} unfinished' if study.num_unfinished else ''}"
    works = "running" in study.counts if num_workers is None else num_workers > 0
    return Standing(words, works and not study.held, done, study.spec.budget.trials)


def rows(path: Path, storage: ReadingStorage, at_work: Mapping[str, int] | None) -> list[Row]:
    """The studies, confirmations with what they confirm: those that run first, then the latest.

    `at_work` has the number of workers of each, where that is known.
    """
    known = {study.study_name: study for study in storage.get_all_studies()}
    trials = {name: storage.get_all_trials(study._study_id, deepcopy=False) for name, study in known.items()}  # noqa: SLF001
    found = outlines(path, lambda name: trials.get(name, []))
    listed = {name: _row(known[name], trials[name], study, at_work) for name, study in found.items() if name in known}
    for name, study in found.items():
        confirming = found.get(f"{name}{CONFIRMATION}")
        if study is None or confirming is None or confirming.confirms != study.uuid:
            continue
        if name in listed and confirming.name in listed:
            listed[name] = _with_confirmation(listed[name], listed.pop(confirming.name), study, confirming)
    return sorted(listed.values(), key=lambda row: (row.is_running, row.lately), reverse=True)


def _row(
    stored: FrozenStudy, trials: list[FrozenTrial], study: StudySnapshot | None, at_work: Mapping[str, int] | None
) -> Row:
    starts = (trial.datetime_start for trial in trials if trial.datetime_start is not None)
    lately = max((start.timestamp() for start in starts), default=0.0)
    name, study_id = stored.study_name, stored._study_id  # noqa: SLF001
    if study is None:
        return Row(name, study_id, None, f"{len(trials):,} trials, not created by tunefast", "", [], lately)
    study = seen(study, at_work)
    best = study.best
    value = "" if best is None else f"{study.spec.study.main_metric} {number(best.values[0])}"
    counts = counts_line(study.counts) or "no trial yet"
    return Row(name, study_id, standing(study), counts, value, _steps(study), lately)


def _with_confirmation(row: Row, confirmation: Row, study: StudySnapshot, confirming: StudySnapshot) -> Row:
    """A study with what came of its best trials on new seeds."""
    winner = confirmed(study, confirming).winner
    words = "" if winner is None else f"Confirmed: {winner_in_words(study, winner)}"
    lately = max(row.lately, confirmation.lately)
    return row._replace(confirmed=words, confirmation=confirmation, lately=lately)


def _steps(study: StudySnapshot) -> list[float]:
    """The best value so far over the complete trials, from 0 for the first to 1 for the best; few of many."""
    costs = [cost for cost in (study.costs(trial)[0] for trial in study.complete) if math.isfinite(cost)]
    if len(costs) < 2 or costs[0] == min(costs):  # noqa: PLR2004
        return []
    best, shares = costs[0], []
    for cost in costs:
        best = min(best, cost)
        shares.append((costs[0] - best) / (costs[0] - min(costs)))
    return [shares[round(index * (len(shares) - 1) / (MOST_STEPS - 1))] for index in range(MOST_STEPS)]
