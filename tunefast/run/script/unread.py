"""What a program says, on disk until its trial ends: of the last of it a worker that is killed took no notice."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from tunefast.recipe.own_training import CommandRecipe
from tunefast.run.script.epochs import Epochs, numbers_in
from tunefast.run.script.following import Followed, follow
from tunefast.run.script.process import followed_path
from tunefast.spec.progress import Assignment, EpochReport

PRINTED = "printed.txt"
"""In the trial's directory: the lines that a guard keeps."""
FOLLOWED = "followed.json"
"""Beside it: where a file that is followed ended when the program started."""

Timed = tuple[float, Mapping[str, float]]
"""Numbers, and the seconds at which they came."""


def open_printed(directory: Path) -> BinaryIO:
    """An empty file for a guard to write to, locked for as long as it, or anybody who got it from here, has it open."""
    file = (directory / PRINTED).open("wb")
    _lock(file)
    return file


def note_start(directory: Path, followed: Followed) -> None:
    """Note where the file that a program writes its metrics to ends before it starts."""
    path = directory / FOLLOWED
    path.with_suffix(".new").write_text(json.dumps(followed.position), encoding="utf-8")
    path.with_suffix(".new").replace(path)


def forget(directory: Path) -> None:
    """Nothing of this is needed any more."""
    for name in (PRINTED, FOLLOWED):
        (directory / name).unlink(missing_ok=True)


def unread(recipe: CommandRecipe, assignment: Assignment, known: Sequence[EpochReport]) -> list[EpochReport]:
    """The reports that the program of an earlier attempt has said, and that are not among the `known` ones.

    `known` are those of all attempts before, by epoch. Waits for a program that is still being ended.
    """
    directory = Path(assignment.directory)
    found = list(_printed(directory))  # where a file is followed too, for the wait
    if (path := followed_path(recipe, assignment)) is not None:
        found = list(_rows(directory, path))
    return _reports(found, assignment.metrics, known)


def _reports(found: Sequence[Timed], metrics: Sequence[str], known: Sequence[EpochReport]) -> list[EpochReport]:
    """Count all that was said as the attempt has counted; what it had reported is known."""
    clock = _Clock()
    epochs = Epochs(metrics, known, clock)
    told = {report.epoch for report in known}
    reports = []
    for clock.seconds, numbers in found:
        report = epochs.add(numbers)
        if report is not None and report.epoch not in told:
            reports.append(report)
    return reports


def _printed(directory: Path) -> Iterator[Timed]:
    path = directory / PRINTED
    if not path.is_file():
        return
    with path.open("rb") as file:
        _lock(file)
        lines = file.read().split(b"\n")
    for line in lines:
        seconds, _, text = line.decode(errors="replace").partition(" ")
        if numbers := numbers_in(text):
            yield float(seconds), numbers


def _rows(directory: Path, path: Path) -> Iterator[Timed]:
    """Rows say no time."""
    start = directory / FOLLOWED
    if start.is_file():
        for numbers in follow(path, json.loads(start.read_text(encoding="utf-8"))).new():
            yield 0.0, numbers


class _Clock:
    """Shows what it is set to."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _lock(file: BinaryIO) -> None:
    with contextlib.suppress(OSError):  # no locks on this file system
        fcntl.flock(file, fcntl.LOCK_EX)
