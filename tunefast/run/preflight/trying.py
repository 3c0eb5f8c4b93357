"""A process that tries recipes: ``python -m tunefast.run.preflight.trying``.

Reads a `Probe` from each line of its standard input, and answers with a `Probed` in a line of its standard output. What
trainings print goes to its standard error. It ends, whatever it is doing, when its standard input does.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import queue
import sys
import threading
import time
from typing import IO, Any

from tunefast.errors import UserError
from tunefast.recipe.own_errors import own_traceback
from tunefast.recipe.own_training import ObjectiveRecipe
from tunefast.recipe.recipe import RECIPE, AnyRecipe, TrainingRecipe
from tunefast.run.cpu_time import cpu_seconds, waiting_seconds
from tunefast.run.driver import drive, use_threads
from tunefast.run.line import Line
from tunefast.run.preflight.probe import Probe, Probed
from tunefast.spec.progress import Answer, Assignment, Ending, EpochReport, Outcome, Returned, Verb, Verdict
from tunefast.train.objective import load_objective
from tunefast.train.process import load_torch, prepare_process

READY = "ready"
OUT_OF_MEMORY = ("out of memory", "OutOfMemoryError", "MemoryError", "can't allocate memory")
ENOUGH_REPORTS = 2
"""Of the user's own training: the first has what only the first epoch costs."""
EVAL_SECONDS = "eval_seconds"
"""The metric by which a training of the user's own says what evaluation took."""
LONG_SECONDS = 15.0
"""After which a first report is enough."""


def tried(probe: Probe) -> Probed:
    """Try the recipe; what it raises is in the answer."""
    recipe = RECIPE.validate_python(probe.recipe)
    use_threads(probe.threads)
    if isinstance(recipe, TrainingRecipe) and not probe.whole:
        try:
            return _stepped(recipe, probe)
        except Exception as error:  # noqa: BLE001  whatever a recipe raises is what its trials would
            return _failed(own_traceback(error))
    start_seconds = _imported(recipe)
    return _Driven(probe).result().model_copy(update={"start_seconds": start_seconds})


def _imported(recipe: AnyRecipe) -> float:
    """Import an objective, which its first trial in a process does; the seconds that takes."""
    started = time.perf_counter()
    if isinstance(recipe, ObjectiveRecipe):
        with contextlib.suppress(UserError):  # its trial says so
            load_objective(recipe.objective)
    return time.perf_counter() - started


def _failed(error: str) -> Probed:
    return Probed(error=error, fits=not any(sign in error for sign in OUT_OF_MEMORY))


def _stepped(recipe: TrainingRecipe, probe: Probe) -> Probed:
    started, fresh = time.perf_counter(), "torch" not in sys.modules
    load_torch()
    import torch

    from tunefast.train.timing import measure_cost

    device = torch.device(probe.device)
    start_seconds = 0.0
    if fresh and probe.seconds:
        measure_cost(recipe, probe.seed, device, seconds=0.0)
        start_seconds = time.perf_counter() - started
    cost = measure_cost(recipe, probe.seed, device, probe.seconds)
    return Probed(
        start_seconds=start_seconds,
        open_seconds=cost.open_seconds,
        first_seconds=cost.first_seconds,
        epoch_seconds=cost.epoch_seconds + cost.eval_seconds,
        diverges=cost.diverges,
        samples_per_second=cost.samples_per_second,
        peak_memory_bytes=cost.peak_memory_bytes,
        features_seconds=cost.features_seconds,
        features_key=cost.features_key,
    )


class _SeenEnoughError(BaseException):
    """Leaves a function of the user's own that may not ask how to go on, and catch all errors."""


class _Driven:
    """A trial that is driven as a worker does it, but never pruned: to its end, or to its first reports."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._times = [time.perf_counter()]
        self._cpu = [_cpu()]
        self._reports: list[EpochReport] = []
        self._lacking = ""
        """What the reports do not name."""

    def result(self) -> Probed:
        """Drive it; what came of it."""
        probe = self._probe
        assignment = Assignment(
            study="check",
            trial=probe.number,
            token=0,
            attempt=1,
            recipe=probe.recipe,
            seed=probe.seed,
            threads=probe.threads,
            device=probe.device,
            metrics=[probe.metric],
            directory=probe.directory,
        )
        try:
            outcome = drive(assignment, Line(self._answer, consult=_Suggestions(probe.seed)))
        except _SeenEnoughError:
            return self._measured()
        if isinstance(outcome, Returned) and outcome.why != "paused":
            return _failed(outcome.text)
        if isinstance(outcome, Outcome) and outcome.ending in (Ending.FAILED, Ending.INFEASIBLE):
            return _failed(outcome.error or "")
        if self._lacking or not self._reports:
            return Probed(error=self._lacking or "it ended without a report")
        return self._measured()

    def _answer(self, report: EpochReport) -> Answer:
        self._times.append(time.perf_counter())
        self._cpu.append(_cpu())
        self._reports.append(report)
        self._lacking = report.lacks(self._probe.needs)
        if self._lacking:
            return Answer(verdict=Verdict.STOP)
        enough = self._has_enough(self._times[-1] - self._times[0])
        if enough and self._probe.watch and "objective" in self._probe.recipe:
            raise _SeenEnoughError
        enough = enough or not math.isfinite(report.metrics.get(self._probe.metric, math.nan))
        return Answer(verdict=Verdict.STOP if enough else Verdict.CONTINUE)

    def _has_enough(self, passed: float) -> bool:
        if self._probe.watch:
            return passed >= self._probe.seconds
        return not self._probe.whole and (passed > LONG_SECONDS or len(self._reports) == ENOUGH_REPORTS)

    def _measured(self) -> Probed:
        gaps = [late - early for early, late in zip(self._times, self._times[1:], strict=False)]
        later = sorted(gaps[1:])
        epoch_seconds = sum(later) / len(later) if later else gaps[0]
        curve = [report.metrics.get(self._probe.metric, math.nan) for report in self._reports]
        peaks = [report.peak_memory_bytes for report in self._reports if report.peak_memory_bytes is not None]
        return Probed(
            open_seconds=max(0.0, gaps[0] - epoch_seconds),
            epoch_seconds=epoch_seconds,
            peak_memory_bytes=max(peaks, default=None),
            epochs=len(self._reports),
            curve=curve,
            gaps=gaps,
            cpu_seconds=_differences([used for used, _ in self._cpu]),
            waiting_seconds=_differences([waited for _, waited in self._cpu]),
            eval_seconds=self._evaluations(),
            diverges=not all(map(math.isfinite, curve)),
        )

    def _evaluations(self) -> list[float]:
        """What was said of evaluation, as far as every report says so."""
        said = [report.metrics.get(EVAL_SECONDS) or report.eval_seconds or None for report in self._reports]
        known = [seconds for seconds in said if seconds is not None]
        return known if len(known) == len(said) else []


def _cpu() -> tuple[float, float]:
    """Seconds of CPU that this process and its children have used, and have waited for."""
    return cpu_seconds(os.getpid()) or 0.0, waiting_seconds(os.getpid()) or 0.0


def _differences(values: list[float]) -> list[float]:
    """Between any two, or 0 where a process ended, with which its part is gone."""
    return [max(0.0, late - early) for early, late in itertools.pairwise(values)]


class _Suggestions:
    """Answers an objective written for Optuna with random suggestions."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._trial: Any = None

    def __call__(self, verb: Verb, argument: dict[str, Any]) -> Any:
        """A value for a suggestion; attributes and constraints are not kept."""
        if verb != "suggest":
            return None
        import optuna
        from optuna.distributions import json_to_distribution

        from tunefast.search.samplers import suggested

        if self._trial is None:
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            self._trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(self._seed % 2**32)).ask()
        return suggested(self._trial, argument["name"], json_to_distribution(argument["distribution"]))


def _lines() -> queue.Queue[str]:
    """The lines of standard input as they come; the process ends with the last.

    Not from ``sys.stdin``, whose lock would be held all the time: processes that a DataLoader forks close it first.
    """
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        with open(0, "rb", buffering=0, closefd=False) as raw:
            for line in raw:
                lines.put(line.decode())
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _own_output() -> IO[str]:
    """Standard output, kept for answers: what others print there goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def main() -> None:
    """Answer probes."""
    prepare_process()
    answers, lines = _own_output(), _lines()
    print(READY, file=answers, flush=True)
    while True:
        probe = Probe.model_validate_json(lines.get())
        print(tried(probe).model_dump_json(), file=answers, flush=True)


if __name__ == "__main__":
    main()
