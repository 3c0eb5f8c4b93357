"""Space: which settings of the recipe are searched, and over which domain."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator, Mapping
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
        """Whether `value` is a number between the ends."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def corners(self) -> list[Scalar]:
        """Both ends."""
        return list(dict.fromkeys([self.low, self.high]))

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

    def corners(self) -> list[Scalar]:
        """Every choice."""
        return self.labels

    def cells(self) -> list[Scalar] | None:
        """Every choice."""
        return self.labels

    def draw(self, rng: random.Random) -> Scalar:
        """Any choice, each as likely."""
        return rng.choice(self.labels)


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
Space = dict[str, Domain]
"""A path into the recipe -> a domain."""


def ordered(space: Mapping[str, DomainPart]) -> list[str]:
    """The paths of `space`, each after those its conditions name; raises `ValueError` where that goes in a circle."""
    order: list[str] = []
    waiting = list(space)
    while waiting:
        ready = [path for path in waiting if all(parent in order for parent in space[path].when)]
        if not ready:
            raise ValueError(f"conditions go in a circle: {', '.join(sorted(waiting))}")
        order += ready
        waiting = [path for path in waiting if path not in ready]
    return order


def apply(recipe: Mapping[str, Any], space: Mapping[str, DomainPart], params: Params) -> dict[str, Any]:
    """The recipe table with each chosen value put in at its path.

    A whole part goes in before its own options, so ``optimizer`` and ``optimizer.lr`` can be searched together.
    """
    table = copy.deepcopy(dict(recipe))
    for path in sorted(params, key=lambda path: path.count(".")):
        *parents, leaf = path.split(".")
        target = table
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ValueError(f"{parent!r} in {path!r} is no table")  # noqa: TRY004 - the value of a setting
        value = space[path].value(params[path])
        if isinstance(value, dict) and isinstance(target.get(leaf), dict):
            value = {**target[leaf], **value}
        target[leaf] = value
    return table


def cells(space: Mapping[str, DomainPart]) -> Iterator[dict[str, Scalar]]:
    """Every combination of values whose conditions hold, each once, in the order of the space.

    Raises `ValueError` where a domain has no end of values.
    """
    yield from _cells(space, ordered(space), {})


def _cells(space: Mapping[str, DomainPart], paths: list[str], chosen: dict[str, Scalar]) -> Iterator[dict[str, Scalar]]:
    if not paths:
        yield dict(chosen)
        return
    path, *rest = paths
    domain = space[path]
    if not domain.holds(chosen):
        yield from _cells(space, rest, chosen)
        return
    values = domain.cells()
    if values is None:
        raise ValueError(f"{path!r} is a continuous domain")
    for value in values:
        yield from _cells(space, rest, {**chosen, path: value})
