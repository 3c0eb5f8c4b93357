"""A user's own objective, made to look like our training: a generator of epoch reports, or one that reports itself."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunefast.errors import UserError
from tunefast.recipe.own import module_file
from tunefast.recipe.own_errors import own_traceback
from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.recipe.precision import autocast, loss_scaler
from tunefast.spec.counting import SAID_EPOCH, EpochCount
from tunefast.spec.progress import CHECKPOINTS, Answer, EpochReport, Verdict
from tunefast.train.optuna_trial import OptunaTrial, is_pruning

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunefast.train.lending import KeptState, Steps

Reporter = Callable[[EpochReport], Answer]
Objective = Callable[..., Any]
"""Called with a recipe and a context, or as Optuna does with a trial."""


class ObjectiveError(Exception):
    """An objective did not do what is expected of it."""


class Context:
    """What an objective is lent for one trial: ``objective(recipe, context)``."""

    def __init__(
        self,
        reporter: Reporter,
        recipe: ObjectiveRecipe,
        *,
        trial: int,
        seed: int,
        device: str,
        threads: int,
        directory: str = "",
        earlier: Sequence[EpochReport] = (),
        on_checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        self.trial = trial
        """The trial's number."""
        self.seed = seed
        """Decides all random draws of the trial; use it for every generator."""
        self.device = device
        """Where to train, as torch writes it: cpu, cuda:0."""
        self.threads = threads
        """CPU threads to use."""
        self._recipe = recipe
        self._directory = directory
        self._reporter = reporter
        self._on_checkpoint = on_checkpoint
        self._count = EpochCount(earlier)
        self._last = time.perf_counter()

    def report(self, metrics: Mapping[str, float]) -> Verdict:
        """Say how the epoch that just ended went; returns how to go on. Leave the loop unless that is CONTINUE.

        Reports are counted from 1. One that goes on from a checkpoint says its "epoch" among the metrics, counted from
        0 or from 1.
        """
        seconds = time.perf_counter() - self._last
        numbers = {name: float(value) for name, value in metrics.items()}
        said = numbers.pop("epoch", None)
        details = {} if said is None else {SAID_EPOCH: said}
        report = EpochReport(epoch=self._count.next(said), metrics=numbers, train_seconds=seconds, details=details)
        answer = self._reporter(report)
        self.commit()
        self._last = time.perf_counter()
        return answer.verdict

    def optimizer(self, model: nn.Module, head: nn.Module | None = None) -> torch.optim.Optimizer:
        """The recipe's optimizer over `model`, with its rate scaled to the batch and its rules on what decays.

        Muon needs to know the last layer, `head`, since it leaves that to AdamW.
        """
        from tunefast.train.parameters import grouped

        last = list(head.parameters()) if head is not None else []
        body = [parameter for parameter in model.parameters() if not any(parameter is other for other in last)]
        return self._recipe.optimizer.build(grouped(body, last, self._recipe))

    def schedule(self, optimizer: torch.optim.Optimizer, steps_per_epoch: int) -> Steps:
        """The recipe's schedule of learning rate and momentum; call its `step` after each step of the optimizer."""
        from tunefast.train.lending import Steps

        return Steps(optimizer, self._recipe, steps_per_epoch)

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which a forward pass has the recipe's precision."""
        import torch

        return autocast(self._recipe.precision, torch.device(self.device))

    def scaler(self) -> torch.amp.GradScaler:
        """What scales the loss in fp16; it does nothing in other precisions."""
        import torch

        return loss_scaler(self._recipe.precision, torch.device(self.device))

    @functools.cached_property
    def checkpoint(self) -> KeptState:
        """Where the trial's state is saved, and loaded from by a later attempt."""
        from tunefast.train.lending import KeptState

        self._on_checkpoint()
        return KeptState(Path(self._directory or ".") / CHECKPOINTS)

    def commit(self) -> None:
        """Let the state that was saved last count for later attempts; every report does, and the objective's end."""
        if "checkpoint" in self.__dict__:
            self.checkpoint.commit()


def run_objective(recipe: ObjectiveRecipe, context: Context) -> None:
    """Call the objective. It yields a dict of metrics per epoch, or calls `context.report`, or returns one dict."""
    result = load_objective(recipe.objective)(recipe, context)
    if inspect.isgenerator(result):
        _drive(result, context)
    elif isinstance(result, Mapping):
        context.report(result)
    context.commit()


def run_optuna_objective(recipe: ObjectiveRecipe, trial: OptunaTrial) -> float | None:
    """Call ``objective(trial)``; what it returned, None where it left as pruned.

    Raises `ObjectiveError` where it returns no number.
    """
    try:
        result = load_objective(recipe.objective)(trial)
    except Exception as error:
        if is_pruning(error):
            return None
        raise
    try:
        value = float(result)
    except (TypeError, ValueError):
        raise ObjectiveError(f"the objective returned {result!r}; one number is to be returned") from None
    if math.isnan(value):
        raise ObjectiveError("the objective returned NaN")
    if not trial.has_reported:
        trial.report(value, 1)
    return value


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
    module_name, _, name = path.partition(":")
    if module_name not in sys.modules:
        find_objective(path)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        problem = f"cannot be imported ({type(error).__name__}: {error})\n{own_traceback(error)}".rstrip()
        raise UserError(message=f"objective {path!r}: {problem}") from error
    objective = getattr(module, name, None)
    if not callable(objective):
        raise UserError(message=f"objective {path!r}: module {module_name} has no function {name!r}")
    return objective  # type: ignore[no-any-return]
