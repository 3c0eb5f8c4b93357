"""What a program says, on disk until its trial ends: of the last of it a worker that is killed took no notice."""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from tunefast.recipe.own_training import CommandRecipe
from tunefast.run.script.epochs import Epochs, numbers_in
from tunefast.run.script.following import Followed, follow
from tunefast.run.script.guard import LATE_SECONDS
from tunefast.run.script.process import followed_path
from tunefast.spec.progress import Assignment, EpochReport

PRINTED = ".printed"
"""In the trial's directory: the lines that a guard keeps."""
FOLLOWED = ".followed"
"""Beside it: where a file that is followed ended when the program started."""
WAIT_SECONDS = 2 * LATE_SECONDS
"""For a program that is still being ended."""

Timed = tuple[float, Mapping[str, float]]
"""Numbers, and the seconds at which they came."""


def open_printed(directory: Path) -> BinaryIO:
    """An empty file for a guard to write to, locked for as long as it, or anybody who got it from here, has it open."""
    path = directory / PRINTED
    path.unlink(missing_ok=True)
    file = path.open("ab")
    with contextlib.suppress(OSError):  # no locks on this file system
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def note_start(directory: Path, followed: Followed) -> None:
    """Note where the file that a program writes its metrics to ends before it starts."""
    (directory / FOLLOWED).write_text(json.dumps(followed.position), encoding="utf-8")


def forget(directory: Path) -> None:
    """Nothing of this is needed any more."""
    for name in (PRINTED, FOLLOWED):
        (directory / name).unlink(missing_ok=True)


def unread(recipe: CommandRecipe, assignment: Assignment, known: Sequence[EpochReport]) -> list[EpochReport]:
    """What the program of the attempt before has said, from the first report on that is not among the `known` ones.

    `known` are the reports of all attempts before. Waits for a program that is still being ended.
    """
    directory = Path(assignment.directory)
    found = list(_printed(directory))  # where a file is followed too, for the wait
    if (path := followed_path(recipe, assignment)) is not None:
        found = list(_rows(directory, path))
    clock = _Clock()
    epochs = Epochs(assignment.metrics, known, clock)
    told = {_key(report) for report in known}
    reports: list[EpochReport] = []
    for clock.seconds, numbers in found:
        report = epochs.add(numbers)
        if report is not None and (reports or _key(report) not in told):
            reports.append(report)
    return reports


def _key(report: EpochReport) -> str:
    """What two reports of the same share; text, in which NaN is itself."""
    return f"{report.epoch} {sorted(report.metrics.items())}"


def _printed(directory: Path) -> Iterator[Timed]:
    path = directory / PRINTED
    if not path.is_file():
        return
    with path.open("rb") as file:
        _wait(file)
        lines = file.read().split(b"\n")
    for line in lines:
        seconds, _, text = line.decode(errors="replace").partition(" ")
        if numbers := numbers_in(text):
            yield float(seconds), numbers


def _rows(directory: Path, path: Path) -> Iterator[Timed]:
    """The rows that a program has written to a file, its time spread evenly over them."""
    start = directory / FOLLOWED
    try:
        position = json.loads(start.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # killed before its program was started
        return
    if rows := list(follow(path, position).new()):
        last = max(file.stat().st_mtime for file in (path, *path.rglob("*")))
        each = (last - start.stat().st_mtime) / len(rows)
        for count, numbers in enumerate(rows, start=1):
            yield count * each, numbers


class _Clock:
    """Shows what it is set to."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _wait(file: BinaryIO) -> None:
    """Wait until nobody has the file locked, though not for ever: there is no telling what holds up its guard."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:  # no locks on this file system
            return
        else:
            return
