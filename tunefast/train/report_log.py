"""The reports of a user's own training, beside its checkpoints: a coordinator that is killed forgets its last ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from tunefast.spec.progress import EpochReport, Record

log = logging.getLogger("tunefast.worker")
FILE = "reports.jsonl"


class _Line(Record):
    """One report."""

    attempt: int
    report: EpochReport


class ReportLog:
    """What the attempts at a trial reported and were answered, a line each.

    Nothing is written before `keep`: a training without checkpoints begins anew, and so do its reports.
    """

    def __init__(self, path: Path, attempt: int) -> None:
        self._path = path
        self._attempt = attempt
        self._unwritten: list[EpochReport] = []
        self._is_kept = False
        self._is_opened = False

    def keep(self) -> None:
        """Write what was reported so far, and from now on."""
        self._is_kept = True
        self._write()

    def add(self, report: EpochReport) -> None:
        """Take in a report that was answered."""
        self._unwritten.append(report)
        if self._is_kept:
            self._write()

    def _write(self) -> None:
        if self._unwritten:
            if not self._is_opened:
                self._open()
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(
                    _Line(attempt=self._attempt, report=report).model_dump_json() + "\n" for report in self._unwritten
                )
            self._unwritten.clear()

    def _open(self) -> None:
        """See that there is a file, which ends with a whole line: what was cut off must not take the next with it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                file.write(b"" if file.read() == b"\n" else b"\n")
        self._is_opened = True

    def missing(self, told: Sequence[EpochReport]) -> list[EpochReport]:
        """The reports of earlier attempts that are not among `told`, in the order of their epochs."""
        standing: dict[int, EpochReport] = {}
        attempt, before = 0, 0
        for line in self._lines():
            if line.attempt != attempt or line.report.epoch <= before:  # it took the place of what came after
                standing = {epoch: kept for epoch, kept in standing.items() if epoch < line.report.epoch}
            attempt, before = line.attempt, line.report.epoch
            standing[line.report.epoch] = line.report
        known = {report.epoch for report in told}
        return [standing[epoch] for epoch in sorted(standing.keys() - known)]

    def _lines(self) -> list[_Line]:
        if not self._path.is_file():
            return []
        lines = []
        for text in filter(None, self._path.read_text(encoding="utf-8", errors="replace").splitlines()):
            try:
                lines.append(_Line.model_validate_json(text))
            except ValidationError:  # cut off as its worker was killed
                log.warning("%s: a torn line is left out", self._path)
        return lines
