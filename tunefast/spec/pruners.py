"""Pruners: which trial to stop because others are better."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tunefast.recipe.part import Part

Axis = Literal["epochs", "steps", "seconds", "share"]


def _rungs_stand(axis: Any) -> Any:
    if axis in ("steps", "seconds"):
        raise ValueError(
            f'no rung can stand at {axis}: min_epochs says where the first one is; use "epochs" or "share"'
        )
    return axis


RungAxis = Annotated[Literal["epochs", "share"], BeforeValidator(_rungs_stand)]


class NoPruner(Part):
    """No trial is stopped because others are better."""

    name: Literal["none"] = "none"


class JudgingPruner(Part):
    """What all pruners have in common that compare trials."""

    metric: str | None = Field(None, min_length=1)
    """What trials are compared by, one of the reports' metrics; by default what the study optimises."""
    audit: float | None = Field(None, ge=0, le=1)
    """Share of the trials to be stopped that run on, to see what pruning costs; they spend budget as others do.

    By default 0.05 in studies of 100 trials or more, and none in smaller ones or where the budget is in minutes.
    """


class RankingPruner(JudgingPruner):
    """What the pruners have in common that rank a trial among completed ones."""

    warmup_epochs: int | None = Field(None, ge=0)
    """Epochs before a trial is judged; by default 3, or 30 % of them where the schedule anneals, if that is more."""
    startup_trials: int = Field(5, ge=1)
    """Completed trials before any trial is judged."""
    min_curves: int = Field(1, ge=1)
    """Completed trials that reached the epoch, before a trial is judged at it."""
    include_running: bool = False
    """Whether other trials that run count as complete ones do, at the epochs that they have reached."""
    align: Literal["exact", "carry"] = "exact"
    """How curves meet: at equal epochs only, or drawn through between reports and carried on from the last one."""
    axis: Axis = "epochs"
    """Where curves meet: after as many epochs, steps or seconds of training, or at the same share of their epochs."""

    @model_validator(mode="after")
    def _meets(self) -> RankingPruner:
        if self.axis != "epochs" and self.align == "exact":
            raise ValueError(
                f'axis = "{self.axis}" needs align = "carry": no two trials report at exactly the same place of it'
            )
        return self


class MedianPruner(RankingPruner):
    """Stop a trial whose best value so far is worse than the median of the completed trials at the same epoch.

    Buys about two thirds of the epochs; costs the best recipe in a few percent of studies, and in many with no warm-up.
    Source: Golovin et al., "Google Vizier", KDD 2017.
    """

    name: Literal["median"] = "median"


class PercentilePruner(RankingPruner):
    """Stop a trial that is not among the best `percentile` percent of the completed ones at the same epoch.

    The median is the 50th. Less is bolder: more epochs saved, and more often the best recipe lost.
    """

    name: Literal["percentile"] = "percentile"
    percentile: float = Field(25.0, gt=0, lt=100)
    """Of the completed trials, counted from the best: a trial has to be among them."""


class AshaPruner(JudgingPruner):
    """Asynchronous successive halving: at each rung, only one trial in `reduction` goes on.

    Rungs stand at `min_epochs`, `reduction` times that, and so on. Buys most where many recipes never learn; loses the
    best recipe often where good ones start slowly, as with an annealed schedule. Source: Li et al., "A system for
    massively parallel hyperparameter tuning", MLSys 2020.
    """

    name: Literal["asha"] = "asha"
    min_epochs: int = Field(1, ge=1)
    """The first rung."""
    reduction: int = Field(4, ge=2)
    """Of so many trials at a rung the best one goes on."""
    axis: RungAxis = "epochs"
    """Where rungs stand: at epochs, or at shares of a trial's own epochs, which are 1 divided by `reduction`, by its
    square and so on, as far down as `min_epochs`."""
    promote: bool = False
    """Whether trials wait at a rung, with a checkpoint, and go on as soon as they are among the best there.

    Else they end there, and the first one always goes on.
    """


class HyperbandPruner(JudgingPruner):
    """Successive halving in brackets that begin at later and later rungs, so that slow starters have a chance.

    Source: Li et al., "Hyperband", JMLR 2018.
    """

    name: Literal["hyperband"] = "hyperband"
    min_epochs: int = Field(1, ge=1)
    """The first rung of the first bracket."""
    reduction: int = Field(3, ge=2)
    """Of so many trials at a rung the best one goes on."""
    axis: RungAxis = "epochs"
    """Where rungs stand: at epochs, or at shares of a trial's own epochs; see asha."""


class ThresholdPruner(JudgingPruner):
    """Stop a trial whose metric leaves a range, or is no number: what no useful recipe does, whatever the others do."""

    name: Literal["threshold"] = "threshold"
    lower: float | None = None
    """A trial below it is stopped."""
    upper: float | None = None
    """A trial above it is stopped."""
    warmup_epochs: int = Field(0, ge=0)
    """Epochs before a trial is judged."""

    @model_validator(mode="after")
    def _bounded(self) -> ThresholdPruner:
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise ValueError(f"lower = {self.lower:g} has to be less than upper = {self.upper:g}")
        return self


class ForecastPruner(JudgingPruner):
    """Stop a trial that will not become the best: its forecast falls short, with all doubts in its favour.

    From its best value so far a trial may gain what the luckiest trial gained from the same point of its training on,
    and besides what its own curve promises: as much with every doubling of its epochs as in the last one. So slow
    starters go on, and an annealed schedule needs no warm-up of its own. Buys about as many epochs as the median does
    without a warm-up, and loses the best recipe in about one study of a hundred. Source: measured, docs/benchmarks.md.
    """

    name: Literal["forecast"] = "forecast"
    margin: float = Field(1.0, ge=0)
    """Times these gains; more is safer, and saves less."""
    warmup_epochs: int = Field(3, ge=0)
    """Epochs before a trial is judged."""
    startup_trials: int = Field(3, ge=1)
    """Completed trials before any trial is judged."""


class PromotingPruner(JudgingPruner):
    """What pruners have in common that let trials wait at a rung."""

    promote: bool | None = None
    """Whether trials wait at a rung; by default those of tunefast's own loop do, since they go on for little."""

    def promotes(self, *, resumes: bool) -> bool:
        """Whether trials wait; `resumes` is whether they go on for little."""
        return resumes if self.promote is None else self.promote


class SafePruner(PromotingPruner):
    """Let a trial go on only while it is in the better half, or may become the best; make up for it at the end.

    Trials of tunefast's own loop wait with a checkpoint after epochs 3, 6, 12 and so on, and go on as soon as they are
    in the better half there, unless their forecast (as in the pruner of that name) falls short by twice the margin.
    When no more trials begin, up to four of five at each rung go on. All the while no more than half of all trials'
    epochs are spent. Other trainings are stopped: by their forecast, and after a fifth of their epochs where they are
    among the worst third. Either buys half of the epochs or more; the first loses the best recipe in about two studies
    of a hundred, the second in two to eight. Source: measured, docs/benchmarks.md.
    """

    name: Literal["safe"] = "safe"
    margin: float = Field(1.0, ge=0)
    """Times the gains that the forecast allows, twice as much where trials wait; more is safer, and saves less."""
    warmup_epochs: int = Field(3, ge=0)
    """Epochs before a trial is judged; after them the first rung stands."""
    startup_trials: int = Field(3, ge=1)
    """Completed trials before any trial is stopped, where trials do not wait."""
    rank_after: float = Field(0.2, ge=0, le=1)
    """Share of a trial's epochs before its rank counts, where trials do not wait; two more have to be complete."""


class FastPruner(PromotingPruner):
    """Forecast and halving together: the boldest rule that still reaches what full training reaches.

    At epochs 2, 4, 8 and so on only the better half of the trials goes on, but for those whose forecast falls short.
    Trials of tunefast's own loop wait there with a checkpoint, and go on as soon as they are in the better half, or in
    the better two thirds when no more trials begin; others are stopped. Buys the most epochs; loses the best recipe in
    about one study of twenty, for one nearly as good; where trials are stopped in one of five. Source: measured,
    docs/benchmarks.md.
    """

    name: Literal["fast"] = "fast"
    min_epochs: int = Field(2, ge=1)
    """The first rung, and the first epoch with a forecast."""
    reduction: int = Field(2, ge=2)
    """Of so many trials at a rung the best one goes on; of three quarters as many when no more trials begin."""
    margin: float = Field(1.0, ge=0)
    """Times the gains that the forecast allows; where trials wait a quarter more, with an annealed schedule a half."""


Pruner = Annotated[
    NoPruner
    | MedianPruner
    | PercentilePruner
    | AshaPruner
    | HyperbandPruner
    | ThresholdPruner
    | ForecastPruner
    | SafePruner
    | FastPruner,
    Field(discriminator="name"),
]
