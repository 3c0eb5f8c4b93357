"""Probes: what a process that tries recipes is asked, and what it answers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tunefast.spec.progress import Record


class Probe(Record):
    """A recipe to be tried."""

    number: int
    recipe: dict[str, Any]
    seed: int
    threads: int
    metric: str
    needs: list[str] = Field(default_factory=list)
    """What each report has to name."""
    device: str = ""
    directory: str = ""
    """For what a program of the user's own writes."""
    whole: bool = False
    """Train it to its end, rather than for a few steps."""
    watch: bool = False
    """Of the user's own training: watch it for `seconds`, and to its first report at least."""
    seconds: float
    """How long its steps are to be watched."""


class Probed(Record):
    """What came of it."""

    error: str | None = None
    """Why it failed, the traceback at the end."""
    fits: bool = True
    """Whether the device had the memory; `error` has the rest where it had not."""
    start_seconds: float = 0.0
    """What only the first recipe that a process trains takes: libraries are loaded, and the data is mapped."""
    open_seconds: float = 0.0
    first_seconds: float = 0.0
    epoch_seconds: float = 0.0
    """Of training and evaluating."""
    diverges: bool = False
    """Whether a loss, or the study's metric, was no finite number."""
    samples_per_second: float | None = None
    peak_memory_bytes: int | None = None
    features_seconds: float = 0.0
    features_key: str = ""
    epochs: int = 1
    """Epochs that were trained."""
    curve: list[float] = Field(default_factory=list)
    """The study's metric after each epoch of a whole training."""
    gaps: list[float] = Field(default_factory=list)
    """Seconds until the first report of the user's own training, and between any two after that."""
    cpu_seconds: list[float] = Field(default_factory=list)
    """Of CPU that it used in each of the `gaps`, with all the processes that it started."""
    waiting_seconds: list[float] = Field(default_factory=list)
    """For which its threads had to wait for a core in each of the `gaps`, since others used them."""
    eval_seconds: list[float] = Field(default_factory=list)
    """What it said that evaluation took in each of the `gaps`; empty where it says nothing of it."""
