"""What no trial could ever have is refused when a study is created."""

from __future__ import annotations

import re

import pytest

from tests.spec.specs import BASE, table
from tunefast.errors import SpecError
from tunefast.spec.load import parse_spec

RACE = 'metric = "seconds_to_target"\ntarget = {{ metric = "val_accuracy", value = {} }}'
OWN = BASE.replace('data = { name = "digits" }\noptimizer = { name = "sgd" }', 'objective = "a:b"')
REFUSED = {
    BASE.replace('metric = "val_accuracy"', RACE.format(97)): (
        "[study] target.value = 97: val_accuracy is a share, at most 1: is 0.97 meant?"
    ),
    BASE.replace("trials = 3", "trials = 3\ntarget = 98.5"): (
        "[budget] target = 98.5: val_accuracy is a share, at most 1: is 0.985 meant?"
    ),
    BASE.replace("trials = 3", "trials = 3\ntarget = 300"): "[budget] target = 300: val_accuracy is a share, at most 1",
    BASE.replace("trials = 3", "trials = 3\ntarget = -0.5"): (
        "[budget] target = -0.5: val_accuracy is a share, at least 0"
    ),
    BASE + '[constraints]\nval_accuracy = "> 90"': (
        "[constraints] val_accuracy = '> 90': val_accuracy is a share, at most 1: is 0.9 meant?"
    ),
    BASE
    + '[constraints]\nsteps = "< -5"': "[constraints] steps = '< -5': is never less than 0, so no trial would count",
    OWN + '[constraints]\ntrain_seconds = "< 0"': (
        "[constraints] train_seconds = '< 0': is never less than 0, so no trial would count"
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_no_trial_could_have(text: str) -> None:
    """An accuracy ends at 1 and no cost is negative: what asks for more is told where it stands, with what is meant."""
    with pytest.raises(SpecError, match=f"^my.toml: {re.escape(REFUSED[text])}$"):
        parse_spec(table(base=text), "my.toml")


@pytest.mark.parametrize(
    "text",
    [
        OWN.replace("trials = 3", "trials = 3\ntarget = 98.5"),
        BASE.replace("trials = 3", "trials = 3\ntarget = 1"),
        BASE.replace('metric = "val_accuracy"', RACE.format(0.97)).replace("trials = 3", "trials = 3\ntarget = 60"),
        BASE.replace("accuracy", "loss").replace("trials = 3", "trials = 3\ntarget = 2.5"),
        BASE + 'metrics = [{ path = "a:b", name = "percent_accuracy" }]\n'
        '[constraints]\nval_percent_accuracy = "> 90"\neval_seconds = "<= 0"',
    ],
)
def test_what_may_be_is_accepted(text: str) -> None:
    """Others' metrics may count percent whatever their names, a race counts seconds, and a loss has no end."""
    parse_spec(table(base=text))
