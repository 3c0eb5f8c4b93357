"""What samplers see of a study's trials: those within what is searched now, and of many trials a part."""

# ruff: noqa: SLF001

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.study._multi_objective import _fast_non_domination_rank
from optuna.trial import FrozenTrial, TrialState

from tunefast.store.rows import EXTRAPOLATED

BEST_SHARE = 2
"""One of so many trials that a sampler sees is there because it is among the best."""
CHOOSE_EVERY = 50
"""Trials; those that came since are seen too."""


class SamplersView:
    """Shows samplers the trials within what is searched now, as if nothing else had been searched before."""

    def __init__(self) -> None:
        self.stored_as: dict[str, BaseDistribution] = {}
        """What stands in the database for settings, wide enough for all trials."""
        self.searched: dict[str, BaseDistribution] = {}
        """What is searched now, of the same settings."""
        self.most_seen: int | None = None
        """About how many of the ended trials samplers see; all where it is None."""
        self.races = False
        """Whether samplers take what stopped trials would have cost for their values."""
        self.paused: AbstractSet[int] = frozenset()
        """Trials that wait until they are among the best where they are: till then as good as stopped there."""
        self._stand_ins: dict[int, FrozenTrial] = {}
        self._kept: list[int] = []
        self._chosen_at = -CHOOSE_EVERY

    def of(self, trials: list[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
        """What is seen of a study's trials, which are all of them in the order of their numbers: a list of its own."""
        if self.paused:
            trials = [_as_stopped(trial) if trial.number in self.paused else trial for trial in trials]
        if self.races:
            trials = self._with_costs(trials)
        if self.most_seen is not None and len(trials) > self.most_seen:
            trials = self._chosen(trials, self.most_seen, directions)
        if self.searched == self.stored_as:
            return list(trials)
        return [seen for trial in trials if (seen := self._within(trial)) is not None]

    def _with_costs(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """Trials that a race stopped as if they had got to the target, for no less than the best one did."""
        least = min((trial.values[0] for trial in trials if trial.values), default=-math.inf)
        return [
            self._stand_in(trial, least) if EXTRAPOLATED in trial.user_attrs and trial.state.is_finished() else trial
            for trial in trials
        ]

    def _stand_in(self, trial: FrozenTrial, least: float) -> FrozenTrial:
        value = max(least, trial.user_attrs[EXTRAPOLATED])
        known = self._stand_ins.get(trial.number)
        if known is None or known.values != [value]:
            known = copy.copy(trial)
            known.state, known.values = TrialState.COMPLETE, [value]
            self._stand_ins[trial.number] = known
        return known

    def _chosen(self, trials: list[FrozenTrial], most: int, directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
        """The best trials, others from all over the study, the latest, and those that have not ended, by number."""
        if len(trials) - self._chosen_at >= CHOOSE_EVERY:
            best = _best([trial for trial in trials if trial.values], most // BEST_SHARE, directions)
            others = [number for number in range(len(trials)) if number not in best]
            spread = np.linspace(0, len(others) - 1, most - len(best)).astype(int)
            unfinished = {trial.number for trial in trials if not trial.state.is_finished()}
            self._chosen_at = len(trials)
            self._kept = sorted(best | unfinished | self.paused | {others[index] for index in spread})
        return [*(trials[number] for number in self._kept), *trials[self._chosen_at :]]

    def _within(self, trial: FrozenTrial) -> FrozenTrial | None:
        """A trial under the distributions that are searched now; None where it lies outside of them."""
        kinds = {path: self.searched.get(path, old) for path, old in trial.distributions.items()}
        if kinds == trial.distributions:
            return trial
        if not all(kind._contains(kind.to_internal_repr(trial.params[path])) for path, kind in kinds.items()):
            return None
        seen = copy.copy(trial)
        seen.distributions = kinds
        return seen


def _as_stopped(trial: FrozenTrial) -> FrozenTrial:
    """A trial that waits as one that was pruned, with its curve: one that runs would count as bad."""
    if trial.state != TrialState.RUNNING:
        return trial
    seen = copy.copy(trial)
    seen.state = TrialState.PRUNED
    return seen


def _best(trials: Sequence[FrozenTrial], num: int, directions: Sequence[StudyDirection]) -> set[int]:
    """The numbers of the best trials; with several objectives of those that fewest others beat in all of them."""
    if not trials:
        return set()
    signs = np.array([-1 if direction == StudyDirection.MAXIMIZE else 1 for direction in directions])
    costs = np.array([trial.values for trial in trials]) * signs
    ranks = costs[:, 0] if len(signs) == 1 else _fast_non_domination_rank(costs, n_below=num)
    return {trials[index].number for index in np.argsort(ranks, kind="stable")[:num]}
