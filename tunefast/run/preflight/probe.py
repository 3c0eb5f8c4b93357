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
    device: str = ""
    directory: str = ""
    """For what a program of the user's own writes."""
    whole: bool = False
    """Train it to its end, rather than for a few steps."""
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
