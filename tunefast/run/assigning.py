"""What a worker is told of the trial that it gets."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tunefast.run.leases import Lease
from tunefast.search.live import LiveStudy
from tunefast.search.running import Running
from tunefast.spec.progress import Assignment, CheckpointFile, EpochReport
from tunefast.store.rows import CONTINUES, SPLITS


class Earlier(NamedTuple):
    """What earlier attempts at a trial left."""

    reports: list[EpochReport]
    checkpoints: list[CheckpointFile]


def earlier_attempts(study: LiveStudy, running: Running) -> Earlier:
    """What the database knows of earlier attempts at a trial. Raises `StorageError`."""
    return Earlier(
        reports=study.log.reports(running.number) if running.values else [],
        checkpoints=study.log.checkpoints(running.number) if running.attempt > 1 else [],
    )


def assignment_of(
    study: LiveStudy, running: Running, lease: Lease, earlier: Earlier, trials: Path, room: int | None
) -> Assignment:
    """The assignment of a claimed trial to the holder of `lease`.

    `trials` has the directories of the study's trials, `room` is what its checkpoints may take.
    """
    trial = study.storage.get_trial(running.trial_id)
    cloned = trial.system_attrs.get(CONTINUES)
    limits = study.spec.trial
    return Assignment(
        study=study.name,
        trial=running.number,
        token=lease.token,
        attempt=running.attempt,
        recipe=running.recipe.table(),
        seed=study.spec.trial_seed(running.number, running.recipe),
        threads=lease.threads,
        device=lease.device,
        metrics=study.spec.reported_metrics,
        directory=str(trials / str(running.number)),
        earlier=earlier.reports,
        cloned="" if cloned is None else str(trials / str(cloned)),
        varies=cloned is not None or SPLITS in trial.user_attrs,
        checkpoint_seconds=limits.checkpoint_seconds,
        checkpoint_room=room,
        checkpoints=earlier.checkpoints,
        last_epoch=study.last_epoch(running.number),
        lease_seconds=limits.lease_seconds,
    )
