"""The line from a trial to whoever judges it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from tunefast.run.script.drive import Tell
from tunefast.spec.progress import Answer, CheckpointFile, EpochReport
from tunefast.train.optuna_trial import Consult

Ask = Callable[[EpochReport], Answer]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Line:
    """What a trial may say. Each of these raises an `OSError` where the other end is gone."""

    report: Ask
    """After each epoch; the answer is how to go on."""
    note: Tell = lambda _text: None
    """What people should know."""
    consult: Consult | None = None
    """What an objective written for Optuna asks."""
    recall: Callable[[Sequence[EpochReport]], None] = lambda _reports: None
    """Epochs that this attempt goes on from, and that its assignment did not tell of."""
    saved: Callable[[CheckpointFile], None] = lambda _file: None
    """A checkpoint is on disk."""
    listen: Callable[[], None] = lambda: None
    """Between two steps; raises `HaltedError` where the trial is to end there."""

    def guarded(self) -> Line:
        """The same line, whose break cannot be mistaken for an error of the trial."""
        consult = None if self.consult is None else _guarded(self.consult)
        report, note, recall = _guarded(self.report), _guarded(self.note), _guarded(self.recall)
        return Line(report, note, consult, recall, _guarded(self.saved), _guarded(self.listen))


class ConnectionLostError(Exception):
    """Carries a broken connection through an objective, whose own `OSError`s are its own failures."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _guarded(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            raise ConnectionLostError(error) from error

    return call
