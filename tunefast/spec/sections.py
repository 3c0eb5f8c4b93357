"""The sections of a spec that say how its trials are run: ``[budget] [trial] [notify]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from tunefast.recipe.part import Part
from tunefast.recipe.placeholders import filled, words_of

Event = Literal["done", "failed", "paused", "best"]
TOLD = ("event", "study", "metric", "value", "trial", "text")
"""What a command that notifies is told."""


class Budget(Part):
    """When the study ends, whatever the number of workers."""

    trials: int | None = Field(None, ge=1)
    """Trials in all; those that were pruned or failed count."""
    minutes: float | None = Field(None, gt=0)
    """Minutes of active time, over all starts."""
    target: float | None = None
    """The study ends as soon as a trial's metric gets there."""


class TrialSection(Part):
    """How each trial is run, and what of it is kept."""

    checkpoint_seconds: float = Field(10.0, gt=0)
    """Training that a killed trial may lose, at most, where that is more than the epoch it was in.

    Longer, where checkpoints are so large that they would take more than 2 % of the time.
    """
    kept_checkpoints: int = Field(3, ge=0)
    """Of how many trials that ended the checkpoints stay, to start variants from: the best ones."""
    checkpoint_bytes: int | None = Field(None, gt=0)
    """Room that all checkpoints of our own loop may take: half for trials that run, half for the best that ended.

    Where a trial's share has no room for three it keeps one instead of two, and where it has none for two, none.
    """
    minutes: float | None = Field(None, gt=0)
    """Longer than this no trial trains: it ends, complete, with its next epoch."""
    stalled_minutes: float | None = Field(None, gt=0)
    """Without progress for so long a worker is taken for stuck, and replaced; its trial goes on.

    Progress is a step, or a report of training of your own. By default 30, and no limit for training of your own.
    """
    oom: Literal["infeasible", "split"] = "infeasible"
    """What becomes of a trial that needs more memory than there is: infeasible, or its batches are split.

    Split batches have half the size, twice as many are accumulated, and the trial goes on; with batch norm, which sees
    less at once then, that is not quite the same training.
    """
    lease_seconds: float = Field(60.0, ge=1)
    """A worker whose process says nothing for so long is replaced; its trial goes on."""


class Notify(Part):
    """A program to run when something happened to the study, so that nobody has to look."""

    command: str | list[str]
    """What to run, with what happened in braces: ``"mail -s '{study}: {event}' me@example.org"``. It is no shell's."""
    on: tuple[Event, ...] = Field(("done", "failed", "paused"), strict=False)
    """What to tell: done, failed, paused, best (a new best trial)."""

    @model_validator(mode="after")
    def _placeholders_known(self) -> Notify:
        if not self.words(dict.fromkeys(TOLD, "")):
            raise ValueError("command is empty")
        return self

    def words(self, facts: Mapping[str, Any]) -> list[str]:
        """The command with `facts` filled in."""
        return [filled(word, facts, "nothing that a command is told") for word in words_of(self.command)]
