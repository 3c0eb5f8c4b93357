"""Checkpoints: all that a trial needs to go on as if nothing had happened.

One safetensors file each, whose header carries the rest as JSON; nothing is ever unpickled. Random draws need no state,
since they follow from (seed, epoch, step). With the same number of threads a resumed trial equals an uninterrupted one
to the last bit on a CPU.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tunefast.errors import CheckpointError
from tunefast.recipe.recipe import RECIPE, TrainingRecipe
from tunefast.spec.progress import Answer, CheckpointFile, EpochReport, Verdict
from tunefast.train.lane import Lane
from tunefast.train.sealed import DamagedError, read_sealed, write_sealed
from tunefast.train.state import adopt, capture, kept_weights, restore

FORMAT = 3
KEPT_FILES = 2
"""Checkpoints that stay: the last, and the one before in case the last is damaged."""
LITTLE_SECONDS = 0.02
"""What the first one is taken to cost."""
SHARE_OF_TIME = 0.02
"""Of a trial's time: what writing checkpoints may take."""
ENTRY = 128
"""Bytes that a tensor takes in a file's header, beside its name, at most."""
_NAME = re.compile(r"epoch-(\d+)\.safetensors")


class Checkpoint(NamedTuple):
    """A trial after the epoch of its last report."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    """Everything that is no tensor, as JSON data."""
    reports: list[EpochReport]

    @property
    def threads(self) -> int:
        """The CPU threads it was trained with; with others the last bits differ."""
        return int(self.facts["threads"])


class Checkpoints:
    """The checkpoints of one trial in a directory of its own, written at most every `every_seconds`."""

    def __init__(
        self,
        directory: Path,
        every_seconds: float = 10.0,
        *,
        known: Sequence[CheckpointFile] = (),
        on_saved: Callable[[CheckpointFile], None] = lambda _file: None,
        on_trouble: Callable[[str], None] = lambda _text: None,
        room: int | None = None,
    ) -> None:
        self.directory = directory
        self._every_seconds = every_seconds
        self._known = {file.epoch: file for file in known}
        """What somebody else noted of the files when they were written."""
        self.num_adopted = 0
        """Epochs of the resumed ones that another trial trained, of which this one is a variant."""
        self.stopped: str | None = None
        """Why the trial that was resumed had been told to stop there; None where it had not."""
        self._on_saved = on_saved
        self._on_trouble = on_trouble
        self._room = room
        """Bytes that all of them may take, with the one that is being written."""
        self._is_full = False
        self._last = time.monotonic()
        self._cost_seconds = 0.0
        self.spent_seconds = 0.0
        """On writing, over all of them."""

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that can be read, None where there is none."""
        damaged = []
        for epoch, path in reversed(self._files()):
            try:
                self._compare(epoch, path)
                found = _read(path)
            except (OSError, DamagedError, ValueError, KeyError, TypeError) as error:
                if epoch in self._known:
                    damaged.append(f"the checkpoint of epoch {epoch} cannot be used ({error})")
                continue
            if damaged:
                self._on_trouble(f"{'; '.join(damaged)}; it goes on from epoch {epoch}")
            return found
        if damaged:
            self._on_trouble(f"{'; '.join(damaged)}; it starts over, since there is no other")
        return None

    def _compare(self, epoch: int, path: Path) -> None:
        """Raise `ValueError` where a file is not the one that was noted."""
        noted = self._known.get(epoch)
        if noted is not None and noted != _noted(epoch, path):
            raise ValueError("its content has changed")

    def reports(self) -> list[EpochReport]:
        """The reports up to the newest checkpoint."""
        found = self.latest()
        return found.reports if found is not None else []

    def due(self, *, done: bool = False) -> bool:
        """Whether the last one is old enough for another, at a cost of at most 2 % of the time.

        Of a training that is done nothing can be lost any more: the cost alone decides.
        """
        age = time.monotonic() - self._last
        if done:
            return max(self._cost_seconds, LITTLE_SECONDS) <= SHARE_OF_TIME * age
        return age >= self._every_seconds and self._cost_seconds <= SHARE_OF_TIME * age

    def after(self, lane: Lane, reports: list[EpochReport], answer: Answer) -> None:
        """Save what the epoch of the last report deserves, as it was answered.

        A trial that is paused always; one that goes on, or is done and may have variants, when that is due; one that
        was pruned never.
        """
        stops = answer.verdict is Verdict.STOP
        done = stops or reports[-1].epoch == lane.recipe.epochs
        if answer.verdict is Verdict.PAUSE or (answer.verdict is not Verdict.PRUNE and self.due(done=done)):
            self.save(lane, reports, stopped=answer.reason if stops else None)

    def save(self, lane: Lane, reports: list[EpochReport], stopped: str | None = None) -> Path | None:
        """Write the lane as it is after the epoch of the last report, whole or not at all; None where there is no room.

        `stopped` is why the trial was told to stop there, if it was. Raises `OSError` where it cannot be written.
        """
        started = time.monotonic()
        tensors, facts = capture(lane)
        facts |= {
            "format": FORMAT,
            "recipe": lane.recipe.table(),
            "seed": lane.seed,
            "threads": torch.get_num_threads(),
            "adopted": self.num_adopted,
            "stopped": stopped,
            "reports": [report.model_dump(mode="json") for report in reports],
        }
        text = json.dumps(facts)
        num_kept = self._num_kept(len(text) + sum(value.nbytes + len(name) + ENTRY for name, value in tensors.items()))
        if not num_kept:
            return None
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"epoch-{len(reports):06d}.safetensors"
        write_sealed(path, tensors, text)
        noted = _noted(len(reports), path)
        self._known[noted.epoch] = noted
        self._on_saved(noted)
        files = [path for _, path in self._files()]
        for old in files[: max(0, files.index(path) + 1 - num_kept)]:
            old.unlink(missing_ok=True)
        self._last = time.monotonic()
        self._cost_seconds = self._last - started
        self.spent_seconds += self._cost_seconds
        return path

    def _num_kept(self, num_bytes: int) -> int:
        """How many of such a size may stay, beside one that is being written."""
        if self._room is None:
            return KEPT_FILES
        fitting = self._room // max(1, num_bytes) - 1
        if fitting < 1 and not self._is_full:
            self._on_trouble(f"no checkpoints: one takes {num_bytes:,} bytes, and all may take {self._room:,}")
        self._is_full = fitting < 1
        return min(KEPT_FILES, max(0, fitting))

    def resume(self, lane: Lane, *, of_variant: bool = False) -> list[EpochReport]:
        """Bring a new lane to where the newest checkpoint stands, if there is one; returns the reports up to there.

        Raises `CheckpointError` where it is of another recipe or seed, unless the trial is a variant of another: then
        what that one had learnt is taken over.
        """
        return self.restore(lane, self.latest(), of_variant=of_variant)

    def restore(self, lane: Lane, found: Checkpoint | None, *, of_variant: bool = False) -> list[EpochReport]:
        """`resume`, with what `latest` found."""
        for scratch in self.directory.glob(".epoch-*"):  # of an attempt that was killed while it wrote
            scratch.unlink(missing_ok=True)
        if found is None:
            return []
        recipe = RECIPE.validate_python(found.facts["recipe"])
        if recipe == lane.recipe and found.facts["seed"] == lane.seed:
            restore(lane, found.tensors, found.facts)
            self.num_adopted, self.stopped = found.facts["adopted"], found.facts["stopped"]
        elif not (of_variant and isinstance(recipe, TrainingRecipe) and self._adopt(lane, recipe, found)):
            raise CheckpointError(path=self.directory, problem="holds the checkpoints of another recipe or seed")
        return found.reports

    def _adopt(self, lane: Lane, recipe: TrainingRecipe, found: Checkpoint) -> bool:
        """Take over what a trial of another recipe had learnt, where the lane can go on from it."""
        if found.facts["seed"] == lane.seed and _was_split(recipe, lane.recipe):
            adopt(lane, recipe, found.tensors, found.facts)
            lane.kept = kept_weights(lane, found.tensors)
            self.num_adopted = found.facts["adopted"]
        elif lane.recipe.goes_on_from(recipe):
            adopt(lane, recipe, found.tensors, found.facts)
            self.num_adopted = len(found.reports)
        else:
            return False
        return True

    def _files(self) -> list[tuple[int, Path]]:
        """Our files by epoch, oldest first."""
        named = [(_NAME.fullmatch(path.name), path) for path in self.directory.glob("epoch-*")]
        return sorted((int(name[1]), path) for name, path in named if name is not None)


def _was_split(recipe: TrainingRecipe, wanted: TrainingRecipe) -> bool:
    """Whether `wanted` is `recipe` with its batches halved some times."""
    while recipe.can_split and recipe.batch_size > wanted.batch_size:
        recipe = recipe.split()
    return recipe == wanted


def _noted(epoch: int, path: Path) -> CheckpointFile:
    with path.open("rb") as handle:
        return CheckpointFile(
            epoch=epoch,
            num_bytes=os.fstat(handle.fileno()).st_size,
            sha256=hashlib.file_digest(handle, "sha256").hexdigest(),
        )


def _read(path: Path) -> Checkpoint:
    """Raises `DamagedError` or `ValueError` where the file is no checkpoint of ours, or damaged."""
    tensors, text = read_sealed(path)
    facts = json.loads(text)
    if facts["format"] != FORMAT:
        raise ValueError(f"format {facts['format']}")
    return Checkpoint(tensors, facts, [EpochReport.model_validate(report) for report in facts["reports"]])
