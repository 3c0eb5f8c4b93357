"""When a study ends."""

from __future__ import annotations

from enum import StrEnum

from tunefast.spec.study import Budget


class End(StrEnum):
    """Why a study hands out no more trials."""

    TRIALS = "trials"
    """Every trial of the budget was handed out, or every cell of the grid."""
    MINUTES = "minutes"
    TARGET = "target"
    FAILING = "failing"
    """The first trials all failed with the same error."""
    DELETED = "deleted"
    """Somebody deleted the study."""

    @property
    def stops_running_trials(self) -> bool:
        """Whether trials that still run end at their next epoch, rather than at their last."""
        return self is not End.TRIALS


def spent(budget: Budget, num_trials: int, active_seconds: float) -> End | None:
    """Which limit is used up, if any. `num_trials` counts every trial handed out, whatever became of it."""
    if budget.minutes is not None and active_seconds >= budget.minutes * 60:
        return End.MINUTES
    if budget.trials is not None and num_trials >= budget.trials:
        return End.TRIALS
    return None


def reached(budget: Budget, value: float, *, maximize: bool) -> bool:
    """Whether `value` is as good as the target."""
    if budget.target is None:
        return False
    return value >= budget.target if maximize else value <= budget.target
