"""Specs and spaces that the tests of this layer share."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import strategies as st

from tunefast.spec.domains import Choice, DomainPart, Float, Int, Params, Scalar
from tunefast.spec.study import StudySpec

BASE = """
[study]
name = "digits"
metric = "val_accuracy"
[budget]
trials = 3
[recipe]
data = { name = "digits" }
optimizer = { name = "sgd" }
"""


def table(extra: str = "", base: str = BASE) -> dict[str, Any]:
    """The plain data of a spec with `extra` TOML at its end."""
    return tomllib.loads(base + extra)


def spec(extra: str = "") -> StudySpec:
    """A checked spec with `extra` TOML at its end."""
    return StudySpec.model_validate(table(extra))


@st.composite
def domains(draw: st.DrawFn, *, finite: bool = False) -> DomainPart:
    """A domain without conditions."""
    kind = draw(st.sampled_from(["int", "choice", "step"] if finite else ["int", "choice", "step", "float"]))
    if kind == "choice":
        labels: list[Any] = draw(
            st.lists(st.integers(-3, 3) | st.text(max_size=3), min_size=1, max_size=4, unique=True)
        )
        return Choice(choices=labels)
    low, size = draw(st.integers(-5, 5)), draw(st.integers(0, 4))
    if kind == "int":
        return Int(low=low, high=low + size)
    if kind == "step":
        step = draw(st.sampled_from([0.1, 0.25, 1.5]))
        return Float(low=low, high=round(low + size * step, 9), step=step)
    return Float(low=low, high=low + draw(st.floats(0, 10)))


@st.composite
def spaces(draw: st.DrawFn, *, finite: bool = False) -> dict[str, DomainPart]:
    """A space of up to five settings, some of them under conditions on those before."""
    space: dict[str, DomainPart] = {}
    for number in range(draw(st.integers(0, 5))):
        domain = draw(domains(finite=finite))
        when: dict[str, Scalar | list[Scalar]] = {}
        for parent, other in space.items():
            if draw(st.integers(0, 3)) == 0:
                wanted = draw(st.lists(st.sampled_from(other.corners()), min_size=1, max_size=2, unique=True))
                when[parent] = wanted if draw(st.booleans()) else wanted[0]
        space[f"part{number % 2}.option{number}"] = domain.model_copy(update={"when": when})
    return space


def consistent(space: dict[str, DomainPart], params: Params) -> bool:
    """Whether exactly the settings whose conditions hold are there, each with a value that it can take."""
    return all(
        (path in params) == domain.holds(params) and (path not in params or domain.contains(params[path]))
        for path, domain in space.items()
    )
