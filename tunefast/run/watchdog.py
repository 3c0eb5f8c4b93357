"""The watchdog: which workers are to be ended, since they hang or take longer than their trial may."""

from __future__ import annotations

from typing import NamedTuple

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.run.leases import Lease
from tunefast.search.running import Running
from tunefast.spec.sections import TrialSection

STALLED_MINUTES = 30.0
"""Without a step before our own loop is taken for stuck; how long an epoch of somebody else's takes is not known."""
OVERTIME = 2.0
"""Times its limit that a trial may run until an epoch ends at which it can be stopped."""


class Alarm(NamedTuple):
    """Why a worker is to be ended."""

    reason: str
    ends_trial: bool = False
    """Whether its trial is over too, rather than to go on with another worker."""


def alarm(lease: Lease, running: Running, limits: TrialSection) -> Alarm | None:
    """Why the worker that holds `lease` is to be ended; None where all is well."""
    if lease.silent_seconds > limits.lease_seconds:
        return Alarm(f"its worker was silent for {limits.lease_seconds:g} s")
    counts_steps = isinstance(running.recipe, TrainingRecipe)
    stalled = limits.stalled_minutes or (STALLED_MINUTES if counts_steps else None)
    if stalled is not None and lease.still_seconds > stalled * 60:
        what = "step" if counts_steps else "report"
        return Alarm(f"its worker did no {what} for {stalled:g} minutes")
    if limits.minutes is not None and running.seconds > OVERTIME * limits.minutes * 60:
        late = f"no epoch ended within {OVERTIME:g} times its limit of {limits.minutes:g} minutes"
        return Alarm(late, ends_trial=True)
    return None
