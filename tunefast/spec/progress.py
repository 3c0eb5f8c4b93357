"""What a trial says while it trains, and what it is answered."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """Frozen data that travels between processes as JSON; NaN and infinities travel too."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Verdict(StrEnum):
    """What a worker is answered to an epoch report."""

    CONTINUE = "continue"
    PRUNE = "prune"
    """End: others are better."""
    STOP = "stop"
    """End, complete with what there is: the target is reached, or the budget is spent."""
    PAUSE = "pause"
    """Leave the trial as it is, to go on later."""


NO_REPORT = "without a report"
"""Stands in what is said of a program that did not report; what it printed instead does not matter then."""
CHECKPOINTS = "checkpoints"
"""In a trial's directory, where its training keeps what it goes on from."""
OUT_OF_MEMORY = "out of memory"
"""Reason of an infeasible outcome."""
TARGET = "target"
"""Reason of a verdict: the metric has got where the study wanted it."""
RACE = "race"
"""Reason of a verdict: in a race to a target the trial cannot win."""
MISSED = "missed"
"""Reason of an outcome: the trial of a race trained to its end without getting to the target."""
BY_ITSELF = (MISSED, "early_stopping")
"""Reasons of outcomes of a race whose training ended by itself, short of the target."""
PRUNER = "pruner"
"""Reason of a verdict: the trial was stopped because others are better."""
SETUP_SECONDS, COMPILE_SECONDS, CHECKPOINT_SECONDS = "setup_seconds", "compile_seconds", "checkpoint_seconds"
"""Details of a report: what its epoch took besides training and evaluation. Setting up comes before the first epoch of
an attempt, the checkpoint is that of the epoch before."""
BY_HAND = "stopped by hand"
"""Reason of a verdict: the user wanted the trial to end."""
HELD = "the study is paused"
"""Reason of a verdict, and of the end of an attempt: the user wanted the study to wait."""
AT_RUNG = "rung"
"""Reason of a verdict, and of the end of an attempt: the trial waits until it is among the best where it is."""
STOPPED_EARLY = (PRUNER, "early_stopping", RACE)
"""Reasons of outcomes that saved the epochs which were left."""


class Ending(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    INFEASIBLE = "infeasible"
    FAILED = "failed"


class EpochReport(Record):
    """What a trial says after each epoch."""

    epoch: int = Field(ge=1)
    metrics: dict[str, float]
    """Under Keras's names: loss, accuracy, val_loss, val_accuracy."""
    learning_rate: float | None = None
    """Of the epoch's last optimizer step."""
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    steps: int = 0
    """Optimizer steps in this epoch."""
    samples: int = 0
    """Training samples seen in this epoch."""
    peak_memory_bytes: int | None = None
    """Most device memory used so far (CUDA), or the process's largest resident size (CPU)."""

    details: dict[str, float] = Field(default_factory=dict)
    """Other numbers: num_parameters and forward_flops with the first report, skipped_steps in fp16."""

    def diverged(self) -> bool:
        """Whether the loss is no longer a finite number."""
        losses = [value for name, value in self.metrics.items() if name in ("loss", "val_loss")]
        return any(not math.isfinite(value) for value in losses)

    def lacks(self, names: Iterable[str]) -> str:
        """Which of these metrics it has not, in words; empty where it has them all."""
        absent = next((name for name in names if name not in self.metrics), None)
        known = ", ".join(sorted(self.metrics))
        return "" if absent is None else f"{absent!r} is not among the reported metrics: {known}"


class Answer(Record):
    """What a training generator is sent for a report."""

    verdict: Verdict
    keep: bool = False
    """This epoch's weights are the ones to keep so far."""
    reason: str = ""


class Outcome(Record):
    """How one trial ended, as its worker saw it."""

    ending: Ending
    reason: str = ""
    """Why it ended early: early_stopping, pruner, diverged, target ... ; empty where it ran to its last epoch."""
    kept_epoch: int | None = None
    """The epoch whose weights and metrics count."""
    error: str | None = None
    """The traceback of a failed trial."""
    value: float | None = None
    """The trial's value, where that is not the metric at the kept epoch: what an Optuna objective returned."""


class Returned(Record):
    """A trial that its worker gives back without an outcome, to be gone on with."""

    why: Literal["paused", "left", "disk", "data", "device"] = "paused"
    """It was paused; its worker was asked to end; the disk is full, or its data are gone; the device broke."""
    text: str = ""
    """What people should know."""


class CheckpointFile(Record):
    """A trial's checkpoint, as the database knows it, so that a damaged one is noticed."""

    epoch: int
    num_bytes: int
    sha256: str


class Assignment(Record):
    """One attempt at a trial, as a worker gets it."""

    study: str
    trial: int
    token: int
    """Grows with every assignment; an older one is refused."""
    attempt: int
    recipe: dict[str, Any]
    seed: int
    """Of the trial: decides all of its random draws."""
    threads: int
    device: str
    metrics: list[str] = Field(default_factory=list)
    """What the reports have to name: the study's objective first, and what trials are compared by."""
    directory: str = ""
    """Of the trial's own, the same for all of its attempts; made by whoever needs it."""
    earlier: list[EpochReport] = Field(default_factory=list)
    """What the attempts before reported, as far as it stands."""
    cloned: str = ""
    """The directory of the trial that this one is a variant of, whose checkpoints it goes on from."""
    varies: bool = False
    """Whether its checkpoints may be of another recipe: of the trial it is a variant of, or of before it was split."""
    checkpoint_seconds: float = 10.0
    """Between two checkpoints, at least."""
    last_epoch: int | None = None
    """That is planned; None where only its training knows."""
    lease_seconds: float = 60.0
    """A worker that is silent for longer loses the trial."""
    checkpoint_room: int | None = None
    """Bytes that its checkpoints may take."""
    checkpoints: list[CheckpointFile] = Field(default_factory=list)
    """Those of the attempts before, as far as they are known."""


Verb = Literal["suggest", "attribute", "constraint"]
"""What an objective written for Optuna asks of its trial: a value, or to keep one."""


CURVE_POINTS = 12
"""Of a running trial's curve, that people are shown."""


class SlotView(Record):
    """What one slot is doing, for people."""

    worker: str
    device: str
    trial: int | None = None
    attempt: int = 1
    epoch: int = 0
    epochs: int = 0
    metric: float | None = None
    curve: list[float] = Field(default_factory=list)
    """What it reported, thinned to `CURVE_POINTS`."""
    samples_per_second: float | None = None
    """In training, during its last epoch."""
    peak_memory_bytes: int | None = None
    use: float | None = None
    """The share of its device that it uses: of its trial's CPU cores, or what a GPU says of itself."""


class Progress(Record):
    """Where a study stands, for people."""

    study: str
    metric: str
    """The first objective."""
    curve: str = ""
    """What trials are compared by while they run, where that is another metric."""
    direction: str
    trials: int | None
    """The budget, None where it is not counted in trials."""
    counts: dict[str, int]
    """Trials by state: complete, pruned, infeasible, failed, retried, running, waiting; imported, however it ended."""
    best_trial: int | None = None
    best_value: float | None = None
    target: float | None = None
    slots: list[SlotView] = Field(default_factory=list)
    elapsed_seconds: float = 0.0
    """Active time, over all starts."""
    eta_seconds: float | None = None
    epochs_run: int = 0
    epochs_saved: int = 0
    held: bool = False
    """Whether the user paused the study."""
    lately: list[str] = Field(default_factory=list)
    """How the last trials ended, or why they wait, the latest last."""

    @property
    def finished(self) -> int:
        """Trials of its own that have ended and are not tried again."""
        others = ("running", "waiting", "retried", "imported")
        return sum(count for state, count in self.counts.items() if state not in others)

    @property
    def is_finishing(self) -> bool:
        """Whether no more trials begin and some go on all the same, for how long nobody knows; or all but no time."""
        unfinished = self.counts.get("running", 0) + self.counts.get("waiting", 0)
        if self.eta_seconds is not None:
            return bool(unfinished) and round(self.eta_seconds) == 0
        return (
            self.trials is not None and unfinished > 0 and self.finished + self.counts.get("waiting", 0) >= self.trials
        )
