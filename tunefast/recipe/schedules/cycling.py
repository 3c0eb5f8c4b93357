"""Schedules that climb and descend, with the momentum going the other way."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from tunefast.recipe.schedules.part import Point, SchedulePart, Span, cosine, linear


class CyclingPart(SchedulePart):
    """What schedules share that move the momentum against the rate."""

    cycle_momentum: bool = True
    """Whether momentum (Adam: the first beta) falls while the rate climbs."""
    base_momentum: float = Field(0.85, ge=0, lt=1)
    """Momentum at the top of the rate."""
    max_momentum: float = Field(0.95, ge=0, lt=1)
    """Momentum at the bottom of the rate."""

    @model_validator(mode="after")
    def _momenta_in_order(self) -> Self:
        if self.base_momentum > self.max_momentum:
            raise ValueError(f"base_momentum = {self.base_momentum} must not exceed max_momentum = {self.max_momentum}")
        return self

    def _point(self, factor: float, momentum: float) -> Point:
        return Point(factor, momentum if self.cycle_momentum else None)


class OneCycle(CyclingPart):
    """One climb to the full rate and one long descent to almost nothing, with momentum going the other way.

    Buys high accuracy in few epochs through a large rate in the middle; costs looking bad until the descent, so rules
    that stop trials have to wait for it. The optimizer's learning rate is the peak.
    Source: Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates",
    2018.
    """

    name: Literal["one_cycle"] = "one_cycle"
    annealed: ClassVar[bool] = True
    pct_start: float = Field(0.3, gt=0, lt=1)
    """Share of the steps that climb."""
    anneal: Literal["cos", "linear"] = "cos"
    """Whether the rate moves along half a cosine or a straight line."""
    three_phase: bool = False
    """Descend as long as the climb was, back to the first rate, and only then to almost nothing, as the paper does."""
    div_factor: float = Field(25.0, ge=1)
    """The first rate is the peak divided by this."""
    final_div_factor: float = Field(1e4, ge=1)
    """The last rate is the first rate divided by this."""

    @model_validator(mode="after")
    def _phases_fit(self) -> OneCycle:
        if self.three_phase and self.pct_start > 1 / 2:
            raise ValueError(f"three_phase = true needs pct_start <= 0.5, got {self.pct_start}")
        return self

    def start(self) -> Point:
        """The foot of the climb."""
        return self._point(1 / self.div_factor, self.max_momentum)

    def climb_epochs(self, epochs: float) -> float:
        """The end of the climb."""
        return self.pct_start * epochs

    def at(self, step: int, span: Span) -> Point:
        """Equal to torch's ``OneCycleLR`` with ``total_steps = span.num_steps``.

        Where a phase is a single step, torch divides by zero; here that step stands at the phase's end.
        """
        move = cosine if self.anneal == "cos" else linear
        begin, factor, momentum = 0.0, 1 / self.div_factor, self.max_momentum
        for end, next_factor, next_momentum in self._phases(span.num_steps):
            if step <= end:
                share = (step - begin) / (end - begin) if end > begin else 1.0
                return self._point(move(factor, next_factor, share), move(momentum, next_momentum, share))
            begin, factor, momentum = end, next_factor, next_momentum
        return self._point(factor, momentum)

    def _phases(self, num_steps: int) -> list[tuple[float, float, float]]:
        """The step at which each phase ends, and the factor and momentum there."""
        first = 1 / self.div_factor
        top = self.pct_start * num_steps - 1
        climb = (top, 1.0, self.base_momentum)
        end = (num_steps - 1.0, first / self.final_div_factor, self.max_momentum)
        return [climb, (2 * top, first, self.max_momentum), end] if self.three_phase else [climb, end]


class Cyclic(CyclingPart):
    """A rate that climbs to the full rate and back in a straight line, again and again.

    Buys a wide range of rates to choose from without tuning one, and good weights at the end of every cycle; costs
    accuracy when training ends high in a cycle, and curves that go up and down, which confuses rules that stop trials.
    The optimizer's learning rate is the top of the cycle.
    Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    """

    name: Literal["cyclic"] = "cyclic"
    annealed: ClassVar[bool] = False
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    """Whether all cycles are equally high, each is half as high as the one before, or height falls by `gamma`."""
    up_epochs: float = Field(2.0, gt=0)
    """Epochs, whole or not, of a climb; at least a step."""
    down_epochs: float | None = Field(None, gt=0)
    """Epochs, whole or not, of a descent; as long as the climb, where it is left out."""
    base_factor: float = Field(0.25, ge=0, le=1)
    """The rate at the bottom of the cycle, as a share of the full rate."""
    gamma: float = Field(0.95, gt=0, le=1)
    """What each epoch multiplies the height with, step by step; for exp_range only."""
    base_momentum: float = Field(0.8, ge=0, lt=1)
    """Momentum at the top of the rate."""
    max_momentum: float = Field(0.9, ge=0, lt=1)
    """Momentum at the bottom of the rate."""

    def start(self) -> Point:
        """The bottom of the first cycle."""
        return self._point(self.base_factor, self.max_momentum)

    def climb_epochs(self, epochs: float) -> float:  # noqa: ARG002 - as all schedules
        """The top of the first cycle."""
        return self.up_epochs

    def at(self, step: int, span: Span) -> Point:
        """Equal to torch's ``CyclicLR``, stepped at every step, with its ``gamma`` to the power of an epoch's steps."""
        up = max(1, round(self.up_epochs * span.steps_per_epoch))
        down = up if self.down_epochs is None else max(1, round(self.down_epochs * span.steps_per_epoch))
        cycle, position = divmod(step, up + down)
        height = position / up if position <= up else (up + down - position) / down
        if self.mode == "triangular2":
            height *= 0.5**cycle
        elif self.mode == "exp_range":
            height *= self.gamma ** (step / span.steps_per_epoch)
        return self._point(linear(self.base_factor, 1.0, height), linear(self.max_momentum, self.base_momentum, height))
