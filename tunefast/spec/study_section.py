"""The section ``[study]`` of a spec: what is optimised, and how the search goes about it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from tunefast.recipe.metrics import METRIC_NAMES
from tunefast.recipe.part import Part
from tunefast.recipe.stopping import metric_direction
from tunefast.spec.costs import COSTS, RACES
from tunefast.spec.pruners import JudgingPruner, Pruner, SafePruner
from tunefast.spec.samplers import CmaEsSampler, Sampler, TpeSampler

REPORTED_METRICS = ("loss", "accuracy", "val_loss", *(f"val_{name}" for name in METRIC_NAMES))
"""What tunefast's own training can report, whatever the recipe."""
Direction = Literal["maximize", "minimize"]


def _name_optional(schema: dict[str, Any]) -> None:
    """A file need not name its study: the file's own name serves."""
    schema["required"].remove("name")


class Target(Part):
    """What a race runs to: a value of one of the reports' metrics."""

    metric: str = Field("val_accuracy", min_length=1)
    """The metric that has to get there."""
    value: float
    """Where it has to get."""
    direction: Direction | None = None
    """Whether greater or smaller is better; by default what the metric's name says."""
    stops: bool = True
    """Whether trials that cannot win are stopped: that spent more than the best, or will not get there in time."""
    margin: float = Field(1.0, ge=0)
    """Times what a trial may still gain, as the forecast pruner reckons; more is safer, and saves less."""
    warmup_epochs: int = Field(2, ge=0)
    """Epochs before a trial is judged by its forecast."""
    startup_trials: int = Field(3, ge=1)
    """Trials that ended by themselves before one is stopped by its forecast."""

    @model_validator(mode="after")
    def _direction_known(self) -> Target:
        if self.direction is None and metric_direction(self.metric) is None:
            raise ValueError(_without_direction(self.metric))
        return self

    @property
    def maximize(self) -> bool:
        """Whether greater is better."""
        return (self.direction or metric_direction(self.metric)) == "maximize"


class StudySection(Part):
    """What the study is called, what it optimises and how."""

    model_config = ConfigDict(json_schema_extra=_name_optional)

    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f/\\]+$")
    """The study's name in its database."""
    metric: str | list[str] = "val_accuracy"
    """The metric of the epoch reports that is optimised, or several; costs too, as train_seconds or num_parameters.

    With a target it is a race: seconds_to_target, steps_to_target or flops_to_target.
    """
    target: Target | None = None
    """What a race runs to: ``{ metric = "val_accuracy", value = 0.97 }``; with a direction where no name says it."""
    direction: Direction | list[Direction] | None = None
    """Whether greater or smaller is better, for each metric; by default what its name says."""
    sampler: Sampler = TpeSampler()
    """Which recipe to try next."""
    pruner: Pruner = SafePruner()
    """Which trial to stop because others are better."""
    seed: int = Field(0, ge=0)
    """Decides what the sampler draws and the seed of every trial."""

    @model_validator(mode="before")
    @classmethod
    def _pruned_by_one_metric_only_on_demand(cls, table: Any) -> Any:
        """A race stops trials by itself, and of several objectives a trial that is bad in one may be good in others."""
        if not isinstance(table, dict) or "pruner" in table:
            return table
        several = isinstance(table.get("metric"), list) and len(table["metric"]) > 1
        return {**table, "pruner": {"name": "none"}} if several or table.get("target") is not None else table

    @model_validator(mode="after")
    def _race_is_one(self) -> StudySection:
        if self.target is None:
            return self
        if self.main_metric not in RACES or self.has_several:
            raise ValueError(f"target: goes with metric = {' or '.join(map(repr, RACES))}, not {self.metric!r}")
        if self.maximize:
            raise ValueError(
                "direction: a race is won by whoever takes least; leave it out, "
                "or give it in target, if it is that metric's"
            )
        return self

    @model_validator(mode="after")
    def _objectives_known(self) -> StudySection:
        if not self.metrics or not all(self.metrics):
            raise ValueError("metric is empty; name what is to be optimised")
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError(f"metric: {', '.join(self.metrics)} names one twice")
        given = self._given_directions
        if self.direction is not None and len(given) != len(self.metrics):
            raise ValueError(f"direction: {len(given)} for {len(self.metrics)} metrics; give one for each")
        for metric, direction in zip(self.metrics, given, strict=True):
            if direction is None and metric not in self.costs and metric_direction(metric) is None:
                raise ValueError(_without_direction(metric))
        if isinstance(self.sampler, CmaEsSampler) and self.has_several:
            raise ValueError("sampler: cmaes optimises one metric; use tpe, gp or nsga2 for several")
        return self

    @model_validator(mode="after")
    def _curve_known(self) -> StudySection:
        given = self.pruner.metric if isinstance(self.pruner, JudgingPruner) else None
        if self.target is not None and given not in (None, self.target.metric):
            raise ValueError(f"pruner: a race compares trials by its target's metric, {self.target.metric!r}")
        if self.curve_metric in self.costs:
            raise ValueError(f"pruner: {self.curve_metric} grows in every trial; give it a metric of the reports")
        known = self.target is not None or self.curve_metric in self.metrics
        if not known and metric_direction(self.curve_metric) is None:
            raise ValueError(
                f"pruner: the name {self.curve_metric!r} does not say which way is better; "
                f"compare trials by one that does, or by {self.metrics[0]!r}"
            )
        return self

    @property
    def _given_directions(self) -> Sequence[Direction | None]:
        if isinstance(self.direction, list):
            return self.direction
        return [self.direction] * (len(self.metrics) if self.direction is None else 1)

    @property
    def metrics(self) -> list[str]:
        """The names of the objectives; the first one ranks trials where one number has to."""
        return [self.metric] if isinstance(self.metric, str) else self.metric

    @property
    def has_several(self) -> bool:
        """Whether the study has several objectives."""
        return len(self.metrics) > 1

    @property
    def costs(self) -> list[str]:
        """The objectives that are counted, where the reports' metrics do not name them."""
        if self.target is not None:
            return self.metrics
        return [metric for metric in self.metrics if metric in COSTS] if self.has_several else []

    @property
    def main_metric(self) -> str:
        """The first objective."""
        return self.metrics[0]

    @property
    def maximizes(self) -> list[bool]:
        """For each objective, whether greater is better."""
        pairs = zip(self.metrics, self._given_directions, strict=True)
        return [(given or metric_direction(metric) or "minimize") == "maximize" for metric, given in pairs]

    @property
    def maximize(self) -> bool:
        """Whether greater is better, of the first objective."""
        return self.maximizes[0]

    @property
    def reported_metrics(self) -> list[str]:
        """What reports have to name: the objectives that are not counted, and what trials are compared by."""
        reported = [metric for metric in self.metrics if metric not in self.costs]
        return list(dict.fromkeys([*reported, self.curve_metric]))

    @property
    def curve_metric(self) -> str:
        """What trials are compared by while they run."""
        given = self.pruner.metric if isinstance(self.pruner, JudgingPruner) else None
        if self.target is not None:
            return self.target.metric
        return given or next((metric for metric in self.metrics if metric not in self.costs), self.main_metric)

    @property
    def curve_maximize(self) -> bool:
        """Whether greater is better, of what trials are compared by."""
        if self.target is not None:
            return self.target.maximize
        if self.curve_metric in self.metrics:
            return self.maximizes[self.metrics.index(self.curve_metric)]
        return metric_direction(self.curve_metric) == "maximize"


def _without_direction(metric: str) -> str:
    close = difflib.get_close_matches(metric, REPORTED_METRICS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"direction is missing, and the name {metric!r} does not say which way is better: "
        f'give direction = "maximize" or "minimize".{hint}'
    )
