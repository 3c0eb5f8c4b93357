"""Where a search starts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.spec.specs import BASE, domains, spec, table
from tunefast.spec.domains import Choice, DomainPart, Float, Int, Scalar
from tunefast.spec.start import written_params
from tunefast.spec.study import StudySpec


@pytest.mark.parametrize(
    ("domain", "middle"),
    [
        (Float(low=1.0, high=2.0), 1.5),
        (Float(low=1e-4, high=1e-2, log=True), 1e-3),
        (Float(low=0.0, high=0.5, step=0.1), 0.2),
        (Int(low=1, high=9), 5),
        (Int(low=1, high=256, log=True), 16),
        (Int(low=16, high=64, step=16), 48),
        (Int(low=1, high=2469135, step=2), 1234569),
        (Float(low=1000.001, high=3000.001, step=0.5), 2000.001),
        (Choice(choices=[256, 64, 128]), 128),
        (Choice(choices=[32, 64, 128, 256]), 64),
        (Choice(choices=["fp32", "bf16"]), "fp32"),
        (Choice(choices=[True, False]), True),
    ],
)
def test_middle(domain: DomainPart, middle: Scalar) -> None:
    """The middle is halfway on the domain's scale; of choices that are numbers the middle one, else the first."""
    assert domain.middle() == middle
    assert type(domain.middle()) is type(middle)


@given(domains())
def test_the_middle_is_in_the_domain(domain: DomainPart) -> None:
    """Whatever the domain, a sampler could choose its middle."""
    assert domain.contains(domain.middle())


SPACE = """
[space]
"optimizer.lr" = { low = 1e-4, high = 1.0, log = true }
batch_size = { choices = [32, 64, 128] }
schedule = { choices = [{ name = "constant" }, { label = "long", name = "cosine", warmup_epochs = 2 }] }
"""


@pytest.mark.parametrize(
    ("recipe", "params"),
    [
        ("", {"optimizer.lr": 0.01, "batch_size": 64, "schedule": "constant"}),
        ("batch_size = 128", {"optimizer.lr": 0.01, "batch_size": 128, "schedule": "constant"}),
        (
            'schedule = { name = "cosine", warmup_epochs = 2 }\nbatch_size = 100',
            {"optimizer.lr": 0.01, "batch_size": 64, "schedule": "long"},
        ),
    ],
)
def test_the_recipe_as_it_is_written(recipe: str, params: dict[str, Any]) -> None:
    """What the recipe says counts where the space has it; of what it leaves open the middle."""
    assert written_params(StudySpec.model_validate(table(SPACE, BASE + recipe + "\n"))) == params


def test_options_of_a_written_part() -> None:
    """An option that stands inside a part of the recipe is what a search starts from, also where parts are searched."""
    base = BASE.replace('optimizer = { name = "sgd" }', 'optimizer = { name = "adam", lr = 0.05 }')
    extra = """
    [space]
    "optimizer.name" = { choices = ["sgd", "adam"] }
    "optimizer.lr" = { low = 1e-3, high = 1e-1 }
    "optimizer.momentum" = { low = 0.5, high = 0.9, when = { "optimizer.name" = "sgd" } }
    """
    found = written_params(StudySpec.model_validate(table(extra, base)))
    assert found == {"optimizer.name": "adam", "optimizer.lr": 0.05}


def test_nothing_to_start_from() -> None:
    """Without a space there is nothing to say, and what makes no recipe is not tried first."""
    assert written_params(spec()) == {}
    apart = """
    [space]
    "optimizer.nesterov" = { choices = [true, false] }
    "optimizer.momentum" = { choices = [0.0, 0.9] }
    """
    assert written_params(spec(apart)) == {}
