"""Confirmed: what came of the best trials of a study on new seeds. Numbers only, drawn elsewhere."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from optuna.trial import FrozenTrial

from tunefast.errors import UserError
from tunefast.recipe.stopping import metric_range
from tunefast.search.confirming import SEED, ranking, settings_but_seed
from tunefast.search.intervals import Interval, mean_interval
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.store import snapshot
from tunefast.store.rows import main_value, retried, settings_of, state_word
from tunefast.store.snapshot import StudySnapshot
from tunefast.store.studies import CONFIRMATION

TIE = 1e-12
"""Share of themselves by which means differ that are equal: what is between them was left by adding up."""
UNFINISHED = ("waiting", "running")


@dataclass(frozen=True)
class Repeated:
    """A trial that was trained again."""

    trial: int
    """Its number in the study."""
    searched: float
    """Its value there."""
    values: dict[int, float]
    """Seed -> value, of the new runs that are complete."""
    others: dict[str, int]
    """Those that are not, by state."""
    limits: tuple[float, float] | None = None
    """What the metric can be at least and at most, where that is known."""

    @property
    def mean(self) -> float | None:
        """Over the complete runs."""
        return statistics.fmean(self.values.values()) if self.values else None

    @property
    def interval(self) -> Interval | None:
        """Of the mean, within what the metric can be; a name promises nothing where a value lies outside of that."""
        values = list(self.values.values())
        interval = mean_interval(values)
        if interval is None or self.limits is None:
            return interval
        least, most = self.limits
        return interval.within(least, most) if least <= min(values) and max(values) <= most else interval

    @property
    def is_unfinished(self) -> bool:
        """Whether runs of it wait or run."""
        return any(state in UNFINISHED for state in self.others)

    @property
    def can_win(self) -> bool:
        """Whether it is complete on every seed that it was given: one that fails on some is no winner."""
        return bool(self.values) and not self.others


class Lead(NamedTuple):
    """By how much one trial is better than another: the mean difference over seeds that both had."""

    over: int
    """The other trial's number."""
    mean: float
    """Above 0 where it is better, whatever the direction."""
    interval: Interval | None
    num_seeds: int
    is_tie: bool = False
    """Whether it is no better at all."""

    @property
    def is_certain(self) -> bool:
        """Whether the interval says that it is better."""
        return self.interval is not None and self.interval.low > 0


@dataclass(frozen=True)
class Confirmation:
    """The trials of a study that were trained again, those with a mean first, best mean first."""

    maximize: bool
    trials: list[Repeated]

    @property
    def is_unfinished(self) -> bool:
        """Whether runs wait or run."""
        return any(trial.is_unfinished for trial in self.trials)

    @cached_property
    def winner(self) -> Repeated | None:
        """The best mean, of trials that are complete on every seed; None before all runs have ended."""
        return None if self.is_unfinished else next(iter(self._able), None)

    @property
    def _able(self) -> list[Repeated]:
        return [trial for trial in self.trials if trial.can_win]

    @property
    def order(self) -> list[int]:
        """The trials that have a mean, best mean first."""
        return [trial.trial for trial in self.trials if trial.mean is not None]

    @property
    def searched_order(self) -> list[int]:
        """The same, best value in the search first."""
        having = [trial for trial in self.trials if trial.mean is not None]
        return [trial.trial for trial in sorted(having, key=lambda each: (self._sign * each.searched, each.trial))]

    @property
    def order_held(self) -> bool | None:
        """Whether the new seeds put all trials in the order that the search did; None where ties leave that open."""
        having = [trial for trial in self.trials if trial.mean is not None]
        pairs = [
            ((one.searched, two.searched), (one.mean or 0.0, two.mean or 0.0)) for one, two in combinations(having, 2)
        ]
        signs = [(_order(*before), _order(*after)) for before, after in pairs]
        if any(before * after < 0 for before, after in signs):
            return False
        return None if any(before * after == 0 for before, after in signs) else True

    @property
    def tied(self) -> list[list[int]]:
        """The trials that have a mean, best mean first, those of equal means together."""
        return _groups([(trial.trial, trial.mean) for trial in self.trials if trial.mean is not None])

    @property
    def searched_tied(self) -> list[list[int]]:
        """The same by their values in the search."""
        values = {trial.trial: trial.searched for trial in self.trials}
        return _groups([(number, values[number]) for number in self.searched_order])

    @cached_property
    def lead(self) -> Lead | None:
        """The winner's over the runner-up; None where there is no other, or they share no seed."""
        if self.winner is None or len(self._able) < 2:  # noqa: PLR2004
            return None
        one, other = self._able[:2]
        shared = one.values.keys() & other.values.keys()
        differences = [-self._sign * (one.values[seed] - other.values[seed]) for seed in sorted(shared)]
        if not differences:
            return None
        means = [statistics.fmean(each.values[seed] for seed in shared) for each in (one, other)]
        mean, is_tie = statistics.fmean(differences), _order(*means) == 0
        return Lead(other.trial, mean, mean_interval(differences), len(differences), is_tie)

    @property
    def optimism(self) -> float | None:
        """How much better the search's values were than the means, on average; None where there is no mean."""
        gains = [-self._sign * (each.searched - each.mean) for each in self.trials if each.mean is not None]
        return statistics.fmean(gains) if gains else None

    @property
    def ignores_seeds(self) -> bool:
        """Whether every trial has the same value on all of its seeds, several of them."""
        several = [trial for trial in self.trials if len(trial.values) > 1]
        return bool(several) and all(len(set(trial.values.values())) == 1 for trial in several)

    @property
    def _sign(self) -> int:
        return -1 if self.maximize else 1


def confirmed(study: StudySnapshot, confirming: StudySnapshot) -> Confirmation:
    """What `confirming`, which trains the best trials of `study` again, says of them."""
    again = retried(confirming.trials)
    runs: dict[frozenset[tuple[str, object]], list[FrozenTrial]] = {}
    for trial in confirming.trials:
        if trial.number not in again:
            runs.setdefault(settings_but_seed(settings_of(trial)), []).append(trial)
    sign = -1 if study.spec.study.maximize else 1
    found = [
        _repeated(trial, runs[settings], metric_range(study.spec.study.main_metric))
        for trial in ranking(study)
        if (settings := settings_but_seed(trial.params)) in runs
    ]
    found.sort(key=lambda each: math.inf if each.mean is None else sign * each.mean)  # stable: of equals as before
    return Confirmation(study.spec.study.maximize, found)


def _order(one: float, other: float) -> int:
    """1 where `one` is greater, -1 where it is less, 0 for a tie, as between two values without an end."""
    return 0 if math.isclose(one, other, rel_tol=TIE) else (one > other) - (one < other)


def _groups(ranked: Sequence[tuple[int, float]]) -> list[list[int]]:
    """Numbers of trials, those of equal values together, from trials with their values, in order."""
    groups: list[list[int]] = []
    for index, (number, value) in enumerate(ranked):
        if index and _order(value, ranked[index - 1][1]) == 0:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _repeated(trial: FrozenTrial, runs: Sequence[FrozenTrial], limits: tuple[float, float] | None) -> Repeated:
    ended = {settings_of(run)[SEED]: main_value(run) for run in runs if state_word(run) == "complete"}
    complete = {seed: value for seed, value in ended.items() if value is not None}
    others = [run for run in runs if settings_of(run)[SEED] not in complete]
    return Repeated(trial.number, main_value(trial) or 0.0, complete, dict(Counter(map(state_word, others))), limits)


def confirmation_of(path: Path, study: StudySnapshot) -> Confirmation | None:
    """What the confirmation of `study` in the database at `path` says; None where it has none."""
    confirming = snapshot.confirmation(path, study)
    return None if confirming is None else confirmed(study, confirming)


def best_trial(
    study: StudySnapshot, confirmation: Confirmation | None, storage: str | Path = DEFAULT_STORAGE
) -> FrozenTrial:
    """The trial that the `confirmation` of `study` names; the best of the search where there is none, or no winner.

    Raises `UserError` where no trial is complete, and for a confirmation, whose best is a lucky run.
    """
    if study.confirms is not None:
        original = study.name.removesuffix(CONFIRMATION)
        raise UserError(
            message=f"{study.name!r} is a confirmation, whose best run is luck; see: "
            f"{command('study', 'best', original, storage=storage)}"
        )
    if study.best is None:
        raise UserError(message=f"study {study.name!r} has no complete trial yet")
    winner = confirmation.winner if confirmation is not None else None
    return study.best if winner is None else study.trial(winner.trial)
