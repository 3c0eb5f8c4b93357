"""Domains: the values that one searched setting may take."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from tunefast.recipe.part import Part
from tunefast.spec.schema import AnyOf

Scalar = str | int | float | bool
Params = Mapping[str, Scalar]
"""What a trial has for each searched path: a number, or the label of a choice."""

MAX_GRID_VALUES = 100_000
"""Values of one domain, and cells of one grid, that are worth enumerating."""


class DomainPart(Part):
    """What all domains share."""

    when: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)
    """Conditions on other searched settings: searched only while each has the value, or one of the values, given."""

    def holds(self, params: Params) -> bool:
        """Whether every condition is met by `params`."""
        return all(
            path in params and params[path] in (wanted if isinstance(wanted, list) else [wanted])
            for path, wanted in self.when.items()
        )

    def contains(self, value: Scalar) -> bool:
        """Whether a sampler can choose `value`."""
        raise NotImplementedError

    def value(self, chosen: Scalar) -> Any:
        """What stands in the recipe for what the sampler chose."""
        return chosen

    def corners(self) -> list[Scalar]:
        """The extreme values: both ends, or every choice."""
        raise NotImplementedError

    def middle(self) -> Scalar:
        """The value from which the others are least far."""
        raise NotImplementedError

    def cells(self) -> list[Scalar] | None:
        """Every value in order, or None where there are too many or no end of them."""
        raise NotImplementedError

    def draw(self, rng: random.Random) -> Scalar:
        """A value at random, as likely as a sampler that knows nothing would choose it."""
        raise NotImplementedError


class Interval(DomainPart):
    """Shared checks of the two kinds of number."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Interval:
        if self.low > self.high:
            raise ValueError(f"low = {self.low:g} is greater than high = {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"log = true needs low > 0, and low = {self.low:g}")
        if self.step is not None:
            self._step_fits(self.step)
        return self

    def _step_fits(self, step: float) -> None:
        if self.log:
            raise ValueError("log and step do not go together")
        if step <= 0:
            raise ValueError(f"step = {step:g} must be greater than 0")
        num_steps = (self.high - self.low) / step
        if not math.isclose(num_steps, round(num_steps), abs_tol=1e-8):
            last = self.low + math.floor(num_steps) * step
            problem = f"the last value would be {last:g}"
            raise ValueError(f"high = {self.high:g} is not reached in steps of {step:g}; {problem}")

    def contains(self, value: Scalar) -> bool:
        """Whether `value` is a number between the ends, one of the steps where there are steps."""
        return not isinstance(value, bool) and self.spans(value) and self._is_a_step(float(value))

    def spans(self, value: Scalar) -> bool:
        """Whether `value` is a number between the ends."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def _is_a_step(self, value: float) -> bool:
        num_steps = (value - self.low) / self.step if self.step is not None else 0
        return math.isclose(num_steps, round(num_steps), abs_tol=1e-9)

    def corners(self) -> list[Scalar]:
        """Both ends."""
        return list(dict.fromkeys([self.low, self.high]))

    def middle(self) -> Scalar:
        """Halfway between the ends, in the logarithm where `log` is set; the nearest step where there are steps."""
        half = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        if self.step is not None:
            return float(f"{self.low + round((half - self.low) / self.step) * self.step:.12g}")
        return min(max(float(f"{half:.6g}"), self.low), self.high)

    def cells(self) -> list[Scalar] | None:
        """The values from low to high in steps; None without a step, or where there are more than a grid can hold."""
        if self.step is None:
            return [self.low] if self.low == self.high else None
        num = round((self.high - self.low) / self.step) + 1
        if num > MAX_GRID_VALUES:
            return None
        return [float(f"{self.low + index * self.step:.12g}") for index in range(num)]


class Float(Interval):
    """Real numbers from `low` to `high`: evenly, evenly in the logarithm (`log`), or in steps (`step`)."""

    def draw(self, rng: random.Random) -> Scalar:
        """A number between the ends, one of the steps where there are steps."""
        if self.step is not None:
            return float(f"{self.low + rng.randint(0, round((self.high - self.low) / self.step)) * self.step:.12g}")
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
            return min(max(value, self.low), self.high)
        return rng.uniform(self.low, self.high)


class Int(Interval):
    """Whole numbers from `low` to `high`, both included: evenly, evenly in the logarithm (`log`), or in steps."""

    low: int
    high: int
    step: int | None = Field(None, ge=1)

    def _is_a_step(self, value: float) -> bool:
        return value == int(value) and (int(value) - self.low) % (self.step or 1) == 0

    def middle(self) -> Scalar:
        """As of real numbers, rounded."""
        return min(max(round(float(super().middle())), self.low), self.high)

    def cells(self) -> list[Scalar] | None:
        """Every value; None where there are more than a grid can hold."""
        step = self.step or 1
        num = (self.high - self.low) // step + 1
        return list(range(self.low, self.high + 1, step)) if num <= MAX_GRID_VALUES else None

    def draw(self, rng: random.Random) -> Scalar:
        """A whole number between the ends, one of the steps where there are steps."""
        if self.log:
            value = round(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
            return min(max(value, self.low), self.high)
        return rng.randrange(self.low, self.high + 1, self.step or 1)


class Choice(DomainPart):
    """One of the values listed: scalars, or tables that stand for a whole part and have a ``label``."""

    choices: list[Scalar | dict[str, Any]]

    @field_validator("choices")
    @classmethod
    def _labels_differ(cls, choices: list[Any]) -> list[Any]:
        if not choices:
            raise ValueError("choices is empty")
        labels = [_label(choice) for choice in choices]
        for index, label in enumerate(labels):
            twin = next((other for other in labels[:index] if other == label), None)
            if twin is not None:
                raise ValueError(f"choice {label!r} stands there twice; give tables that share a name a label each")
        return choices

    @property
    def labels(self) -> list[Scalar]:
        """What the sampler and the database see."""
        return [_label(choice) for choice in self.choices]

    def contains(self, value: Scalar) -> bool:
        """Whether `value` is one of the labels."""
        return value in self.labels

    def value(self, chosen: Scalar) -> Any:
        """The scalar itself, or the table with this label."""
        choice = self.choices[self.labels.index(chosen)]
        if isinstance(choice, dict):
            return {key: copy.deepcopy(value) for key, value in choice.items() if key != "label"}
        return choice

    def label_of(self, value: Any) -> Scalar | None:
        """The label of the choice that stands for `value` in a recipe; None where no choice does."""
        return next((label for label in self.labels if _same(self.value(label), value)), None)

    def corners(self) -> list[Scalar]:
        """Every choice."""
        return self.labels

    def middle(self) -> Scalar:
        """Of numbers the one in the middle, the lower of two; else the choice that was written first."""
        numbers = [label for label in self.labels if isinstance(label, int | float) and not isinstance(label, bool)]
        return sorted(numbers)[(len(numbers) - 1) // 2] if len(numbers) == len(self.labels) else self.labels[0]

    def cells(self) -> list[Scalar] | None:
        """Every choice."""
        return self.labels

    def draw(self, rng: random.Random) -> Scalar:
        """Any choice, each as likely."""
        return rng.choice(self.labels)


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a recipe are the same; to Python True is 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _label(choice: Scalar | dict[str, Any]) -> Scalar:
    if not isinstance(choice, dict):
        return choice
    label = choice.get("label", choice.get("name"))
    if not isinstance(label, str | int | float | bool):
        raise ValueError(  # noqa: TRY004 - what pydantic expects
            f"the choice {choice} is a table without a name: give it one for people, as in {{ label = 'slow', ... }}"
        )
    return label


def _kind(domain: Any) -> str:
    if isinstance(domain, DomainPart):
        return type(domain).__name__.lower()
    table = domain if isinstance(domain, dict) else {}
    if "choices" in table:
        return "choice"
    numbers = [table[key] for key in ("low", "high", "step") if table.get(key) is not None]
    whole = numbers and all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
    return "int" if whole else "float"


Domain = Annotated[
    Annotated[Float, Tag("float")] | Annotated[Int, Tag("int")] | Annotated[Choice, Tag("choice")],
    Discriminator(_kind),
    AnyOf,
]
