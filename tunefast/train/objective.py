"""A user's own objective, made to look like our training: a generator of epoch reports, or one that reports itself."""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tunefast.errors import UserError
from tunefast.recipe.own import module_file
from tunefast.recipe.recipe import ObjectiveRecipe
from tunefast.spec.progress import Answer, EpochReport, Verdict

Reporter = Callable[[EpochReport], Answer]
Objective = Callable[[ObjectiveRecipe, "Context"], Any]


class Context:
    """What an objective is lent for one trial: ``objective(recipe, context)``."""

    def __init__(self, reporter: Reporter, *, trial: int, seed: int, device: str, threads: int) -> None:
        self.trial = trial
        """The trial's number."""
        self.seed = seed
        """Decides all random draws of the trial; use it for every generator."""
        self.device = device
        """Where to train, as torch writes it: cpu, cuda:0."""
        self.threads = threads
        """CPU threads to use."""
        self._reporter = reporter
        self._epoch = 0
        self._last = time.perf_counter()

    def report(self, metrics: Mapping[str, float]) -> Verdict:
        """Say how the epoch that just ended went; returns how to go on. Leave the loop unless that is CONTINUE."""
        self._epoch += 1
        seconds = time.perf_counter() - self._last
        numbers = {name: float(value) for name, value in metrics.items()}
        answer = self._reporter(EpochReport(epoch=self._epoch, metrics=numbers, train_seconds=seconds))
        self._last = time.perf_counter()
        return answer.verdict


def run_objective(recipe: ObjectiveRecipe, context: Context) -> None:
    """Call the objective. It yields a dict of metrics per epoch, or calls `context.report`, or returns one dict."""
    result = load_objective(recipe.objective)(recipe, context)
    if inspect.isgenerator(result):
        _drive(result, context)
    elif isinstance(result, Mapping):
        context.report(result)


def _drive(reports: Any, context: Context) -> None:
    verdict: Verdict | None = None
    try:
        while verdict in (None, Verdict.CONTINUE):
            verdict = context.report(reports.send(verdict))
    except StopIteration:
        return
    reports.close()


def find_objective(path: str) -> None:
    """Raise `UserError` where the module of ``package.module:function`` is not there; does not import it."""
    try:
        module_file(path, Path.cwd())
    except ValueError as error:
        raise UserError(message=f"objective {path!r}: {error}") from error


def load_objective(path: str) -> Objective:
    """The function at ``package.module:function``, looked for from the working directory too.

    Raises `UserError` where there is none.
    """
    find_objective(path)
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise UserError(message=f"objective {path!r}: cannot be imported ({type(error).__name__}: {error})") from error
    objective = getattr(module, name, None)
    if not callable(objective):
        raise UserError(message=f"objective {path!r}: module {module_name} has no function {name!r}")
    return objective  # type: ignore[no-any-return]
