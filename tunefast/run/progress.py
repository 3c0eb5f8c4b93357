"""Where a live study stands, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tunefast.run.leases import Lease
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import CURVE_POINTS, Progress, SlotView


class Slot(Protocol):
    """What is shown of a worker."""

    name: str
    device: str
    use: float | None
    lease: Lease | None


def progress_of(study: LiveStudy, workers: Iterable[Slot]) -> Progress:
    """The figures of `study`, and what each of `workers` is doing."""
    slots = sorted((_slot_view(study, worker) for worker in workers), key=lambda view: (len(view.worker), view.worker))
    tally = study.tally
    trials = study.spec.budget.trials
    best_trial, best_value = tally.best or (None, None)
    waiting = {"waiting": study.num_waiting} if study.num_waiting else {}
    return Progress(
        study=study.name,
        metric=study.spec.study.main_metric,
        curve=study.spec.study.curve_metric,
        direction="maximize" if study.spec.study.maximize else "minimize",
        trials=trials,
        counts={**tally.counts, "running": len(study.running), **waiting},
        best_trial=best_trial,
        best_value=best_value,
        target=study.spec.budget.target,
        slots=slots,
        elapsed_seconds=study.active_seconds,
        eta_seconds=_left_seconds(study),
        epochs_run=study.epochs_run,
        epochs_saved=tally.epochs_saved,
        held=study.held,
        lately=list(study.lately),
    )


def _left_seconds(study: LiveStudy) -> float | None:
    """How long the trials that are left take at the pace so far; None where nothing tells.

    Those that wait at rungs count as done, and what some of them will train for yet besides.
    """
    trials, done = study.spec.budget.trials, study.tally.num_trained + len(study.paused)
    if trials is None or not done:
        return None
    num_new, rule = max(0, trials - done), study.promoting
    if rule is None or not study.epochs_run:
        return study.active_seconds / done * num_new or None
    epochs = rule.epochs_to_come(num_new, study.epochs_run / done)
    return study.active_seconds / study.epochs_run * epochs or None


def _slot_view(study: LiveStudy, worker: Slot) -> SlotView:
    running = study.running.get(worker.lease.trial) if worker.lease else None
    if running is None:
        return SlotView(worker=worker.name, device=worker.device)
    return SlotView(
        worker=worker.name,
        device=worker.device,
        trial=running.number,
        attempt=running.attempt,
        epoch=running.epochs,
        epochs=running.recipe.epochs,
        metric=running.values.get(running.epochs),
        curve=thinned([running.values[epoch] for epoch in sorted(running.values)]),
        samples_per_second=running.samples_per_second,
        peak_memory_bytes=running.peak_memory_bytes,
        use=worker.use,
    )


def thinned(curve: list[float]) -> list[float]:
    """At most `CURVE_POINTS` of a curve's values, the last one among them, as far apart as they can be."""
    last, num = len(curve) - 1, min(len(curve), CURVE_POINTS)
    return [curve[last - last * step // max(1, num - 1)] for step in reversed(range(num))]
