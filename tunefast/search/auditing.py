"""Auditing: what pruning costs. A few of the trials that a pruner would stop run on, to see whether one would win."""

from __future__ import annotations

import math
from typing import NamedTuple

from optuna.trial import FrozenTrial

from tunefast.recipe.seed import derive_seed
from tunefast.spec.progress import PRUNER, RACE
from tunefast.spec.pruners import JudgingPruner
from tunefast.spec.study import StudySpec
from tunefast.store.rows import AUDITED, is_infeasible, state_word
from tunefast.store.snapshot import StudySnapshot

SHARE = 0.05
LEAST_TRIALS = 100
"""In a smaller budget the few trials that would be drawn tell nothing."""
LOST = ("diverged", RACE)
"""Reasons why an audited trial was stopped that would not have won."""
CONFIDENCE = 0.95
_Z = 1.959963984540054
"""Standard deviations of a normal distribution within which `CONFIDENCE` of it lies."""
_SEEDS = 2**63


def audit_share(spec: StudySpec) -> float:
    """Of the trials that the pruner would stop, the share that runs on."""
    pruner, budget = spec.study.pruner, spec.budget
    if not isinstance(pruner, JudgingPruner):
        return 0.0
    if pruner.audit is not None:
        return pruner.audit
    is_long = budget.trials is not None and budget.minutes is None and budget.trials >= LEAST_TRIALS
    return SHARE if is_long else 0.0


def runs_on(spec: StudySpec, trial: FrozenTrial) -> bool:
    """Whether a trial that the pruner would stop is drawn to run on; one that violates a constraint never is."""
    drawn = derive_seed(spec.study.seed, trial.number, "audit") / _SEEDS
    return drawn < audit_share(spec) and not is_infeasible(trial)


class RegretLedger(NamedTuple):
    """What pruning saved, what it cost to audit that, and how often pruning would have thrown away a winner."""

    num_pruned: int
    num_audited: int
    """Trials that ran on, to their end."""
    num_winners: int
    """Of these: that became better than every trial that was not audited."""
    rate: float | None
    """Winners among the audited; None where none was audited."""
    rate_low: float
    rate_high: float
    """Between which the rate of all trials that are stopped lies, with a confidence of `CONFIDENCE`."""
    epochs_saved: int | None
    """By stopping; None where nobody knows how long trials would have been."""
    epochs_audited: int
    """That the audited trials ran beyond where they would have been stopped."""


def regret(study: StudySnapshot) -> RegretLedger:
    """The ledger of a study as it is."""
    stopped = [trial for trial in study.trials if trial.user_attrs.get("reason") == PRUNER]
    marked = [trial for trial in study.trials if AUDITED in trial.user_attrs]
    audited = [trial for trial in marked if _tells(trial)]
    winners = _winners(study, audited)
    low, high = wilson(winners, len(audited))
    planned = [study.spec.epochs_for(trial.params) for trial in stopped]
    reached = study.epochs_reached
    return RegretLedger(
        num_pruned=len(stopped),
        num_audited=len(audited),
        num_winners=winners,
        rate=winners / len(audited) if audited else None,
        rate_low=low,
        rate_high=high,
        epochs_saved=sum(planned) - sum(reached[trial.number] for trial in stopped)
        if study.spec.knows_epochs
        else None,
        epochs_audited=sum(max(0, reached[trial.number] - trial.user_attrs[AUDITED]) for trial in marked),
    )


def _tells(trial: FrozenTrial) -> bool:
    """Whether an audited trial ended so that it is known whether it would have won."""
    return state_word(trial) in ("complete", "infeasible") or trial.user_attrs.get("reason") in LOST


def _winners(study: StudySnapshot, audited: list[FrozenTrial]) -> int:
    """How many of the audited trials no other is as good as; with several objectives, in all of them."""
    others = [study.costs(trial) for trial in study.complete if AUDITED not in trial.user_attrs]
    costs = [study.costs(trial) for trial in audited if state_word(trial) == "complete" and trial.values]
    return sum(not any(all(map(float.__le__, other, mine)) for other in others) for mine in costs)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The score interval of a rate, with a confidence of `CONFIDENCE`.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927; recommended for
    few trials by Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Statistical Science 2001.
    """
    if trials == 0:
        return 0.0, 1.0
    rate, square = successes / trials, _Z**2 / trials
    middle = (rate + square / 2) / (1 + square)
    half = _Z / (1 + square) * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials))
    return middle - half if successes else 0.0, middle + half if successes < trials else 1.0
