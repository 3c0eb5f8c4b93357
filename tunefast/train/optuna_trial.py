"""A trial as objectives know it that were written for Optuna; everything is asked of whoever trains for the study."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tunefast.spec.counting import SAID_EPOCH, EpochCount
from tunefast.spec.progress import Answer, EpochReport, Verb, Verdict

Consult = Callable[[Verb, dict[str, Any]], Any]
"""Asks something of the study's Optuna trial; raises `ValueError` where it refuses."""
_SCALARS = (str, int, float, bool, type(None))

log = logging.getLogger("tunefast.worker")


class OptunaTrial:
    """What ``objective(trial)`` is called with: the methods of ``optuna.trial.Trial``, where no Optuna is.

    Settings in `params` are not suggested but given. After `report` the trial knows whether it should be pruned; it
    says so too where it is to end for another reason, since objectives leave in no other way.
    """

    def __init__(
        self,
        number: int,
        metric: str,
        report: Callable[[EpochReport], Answer],
        consult: Consult,
        *,
        params: Mapping[str, Any],
        earlier: Sequence[EpochReport] = (),
    ) -> None:
        self.number = number
        self.params: dict[str, Any] = {}
        self.user_attrs: dict[str, Any] = {}
        self.constraints: dict[str, float] = {}
        self.datetime_start = datetime.now(UTC)
        self.answer = Answer(verdict=Verdict.CONTINUE)
        """To the last report."""
        self._metric = metric
        self._report = report
        self._consult = consult
        self._given = params
        self._count = EpochCount(earlier)
        self._steps: set[int] = set()
        self._last = self.datetime_start

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A real number between `low` and `high`, both of which are possible."""
        attributes = {"low": float(low), "high": float(high), "log": log, "step": step}
        return float(self._suggest(name, "FloatDistribution", attributes))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number from `low` to `high`."""
        return int(self._suggest(name, "IntDistribution", {"low": low, "high": high, "log": log, "step": step}))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of `choices`."""
        plain = all(isinstance(choice, _SCALARS) for choice in choices)
        labels = list(choices) if plain else [repr(choice) for choice in choices]
        found = self._suggest(name, "CategoricalDistribution", {"choices": labels})
        return found if plain or found not in labels else choices[labels.index(found)]

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """`suggest_float` under an older name."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """`suggest_float` with `log` under an older name."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """`suggest_float` with `step` under an older name."""
        return self.suggest_float(name, low, high, step=q)

    def _suggest(self, name: str, kind: str, attributes: dict[str, Any]) -> Any:
        if name in self._given:
            self.params[name] = self._given[name]
        else:
            distribution = json.dumps({"name": kind, "attributes": attributes})
            self.params[name] = self._consult("suggest", {"name": name, "distribution": distribution})
        return self.params[name]

    def report(self, value: float, step: int) -> None:
        """Say how good it is after `step`; as with Optuna, only the first value of a step counts."""
        if step in self._steps:
            log.warning("trial %d: a second value for step %d is left out", self.number, step)
            return
        self._steps.add(step)
        now = datetime.now(UTC)
        seconds, self._last = (now - self._last).total_seconds(), now
        number = self._count.next(epoch=step)
        self.answer = self._report(
            EpochReport(
                epoch=number,
                metrics={self._metric: float(value)},
                train_seconds=seconds,
                details={SAID_EPOCH: float(step)},
            )
        )

    @property
    def has_reported(self) -> bool:
        """Whether anything was reported."""
        return bool(self._steps)

    def should_prune(self) -> bool:
        """Whether to end now."""
        return self.answer.verdict is not Verdict.CONTINUE

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep something with the trial; `value` is JSON data."""
        self._consult("attribute", {"key": key, "value": value})
        self.user_attrs[key] = value

    def set_constraint(self, key: str, value: float) -> None:
        """Say how far the trial is from what is allowed; 0 or less is allowed."""
        self._consult("constraint", {"key": key, "value": float(value)})
        self.constraints[key] = float(value)


def is_pruning(error: BaseException) -> bool:
    """Whether `error` is Optuna's ``TrialPruned``; told by its name, since this process need not have Optuna."""
    return any(kind.__name__ == "TrialPruned" and kind.__module__.startswith("optuna") for kind in type(error).__mro__)
