"""Files that a program writes its metrics to, read as they grow."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from tunefast.errors import UserError
from tunefast.run.script.epochs import numbers_in

JSON_LINES = (".jsonl", ".ndjson")


class Followed(Protocol):
    """Something that is written to."""

    @property
    def position(self) -> Any:
        """What was read of it so far, as JSON has it: for `follow`, in another process."""

    def new(self) -> Iterator[dict[str, float]]:
        """The numbers that came since the last call, in the order of writing; none while there is no file."""


def follow(path: Path, position: Any = None) -> Followed:
    """What follows `path`: CSV or JSON lines by its suffix, else a directory of TensorBoard's files.

    What is there already is not news, or what had been read at a position. Raises `UserError` where the package that
    reads TensorBoard's files is missing.
    """
    if path.suffix == ".csv":
        return _Csv(path, position)
    if path.suffix in JSON_LINES:
        return _JsonLines(path, position)
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(message="follow: TensorBoard's files need tensorboard: pip install 'tunefast[tensorboard]'")
    return _TensorBoard(path, position)


class _JsonLines:
    """The whole lines of a file that grows; one that became shorter is read from its start again.

    Its position counts bytes, and has their digest: another reader may find another file in its place.
    """

    def __init__(self, path: Path, position: tuple[int, str] | None) -> None:
        self._path = path
        self._position = path.stat().st_size if path.is_file() else 0
        if position is not None:
            num_bytes, digest = position
            self._position = num_bytes if self._digest(num_bytes) == digest else 0

    @property
    def position(self) -> tuple[int, str]:
        return self._position, self._digest(self._position)

    def _digest(self, num_bytes: int) -> str:
        if not self._path.is_file():
            return ""
        with self._path.open("rb") as handle:
            return hashlib.sha256(handle.read(num_bytes)).hexdigest()

    def new(self) -> Iterator[dict[str, float]]:
        return filter(None, map(numbers_in, self._lines()))

    def _lines(self) -> list[str]:
        try:
            with self._path.open("rb") as handle:
                size = handle.seek(0, 2)
                self._position = self._position if self._position <= size else 0
                handle.seek(self._position)
                text = handle.read()
        except FileNotFoundError:
            self._position = 0
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        return whole.decode(errors="replace").splitlines()


class _Csv:
    """The rows of a CSV file, which are its position.

    Programs may rewrite the whole file when a column is new, as Lightning's logger does.
    """

    def __init__(self, path: Path, position: list[dict[str, Any]] | None) -> None:
        self._path = path
        self._read = self._rows() if position is None else position

    @property
    def position(self) -> list[dict[str, Any]]:
        return self._read

    def new(self) -> Iterator[dict[str, float]]:
        rows = self._rows()
        before = zip(self._read, rows, strict=False)
        goes_on = len(self._read) <= len(rows) and all(old.items() <= new.items() for old, new in before)
        fresh = rows[len(self._read) :] if goes_on else rows
        self._read = rows
        return filter(None, map(_numeric, fresh))

    def _rows(self) -> list[dict[str, Any]]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))


def _numeric(row: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, text in row.items():
        try:
            found[str(name)] = float(text)
        except (TypeError, ValueError):
            continue
    return found


class _TensorBoard:
    """The scalars in a directory of TensorBoard's files, and in those below it, step by step.

    Its position counts the scalars of each tag in each directory.
    """

    def __init__(self, path: Path, position: dict[str, dict[str, int]] | None) -> None:
        self._path = path
        self.position = position or {}
        self._accumulators: dict[str, Any] = {}
        if position is None:
            for _ in self.new():
                pass

    def new(self) -> Iterator[dict[str, float]]:
        """Numbers of one step together, in the order of their times."""
        found: list[tuple[float, int, str, float]] = []
        for file in sorted({str(path.parent) for path in self._path.rglob("events.out.tfevents.*")}):
            found += self._scalars(file)
        for _, step, tag, value in sorted(found):
            yield {"step": float(step), tag: value}

    def _scalars(self, directory: str) -> list[tuple[float, int, str, float]]:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, TensorEvent
        from tensorboard.util import tensor_util

        keep_all = {"scalars": 0, "tensors": 0}
        accumulator = self._accumulators.setdefault(directory, EventAccumulator(directory, size_guidance=keep_all))
        accumulator.Reload()
        found: list[tuple[float, int, str, float]] = []
        position = self.position.setdefault(directory, {})
        tags = accumulator.Tags()
        for tag in (*tags["scalars"], *tags["tensors"]):
            read = accumulator.Scalars if tag in tags["scalars"] else accumulator.Tensors
            events = read(tag)
            start, position[tag] = position.get(tag, 0), len(events)
            for event in events[start:]:
                value = tensor_util.make_ndarray(event.tensor_proto) if isinstance(event, TensorEvent) else event.value
                if getattr(value, "size", 1) == 1:
                    found.append((event.wall_time, event.step, tag, float(value)))
        return found
