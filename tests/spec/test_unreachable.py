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


LR = '[space]\n"optimizer.lr" = {{ low = 0.01, high = 0.1{} }}\nbatch_size = {{ choices = [1, 2], when = {{ {} }} }}'


@pytest.mark.parametrize("wanted", ["0.02", "[0.02, 0.03]"])
def test_a_condition_that_never_holds(wanted: str) -> None:
    """No draw of an interval of real numbers is exactly one value: what would never be searched is refused."""
    problem = (
        "space.\"batch_size\".when: 'optimizer.lr' is hardly ever exactly 0.02, being any real number; "
        "conditions go by choices, whole numbers and intervals with a step"
    )
    with pytest.raises(SpecError, match=re.escape(problem)):
        parse_spec(table(LR.format("", f'"optimizer.lr" = {wanted}')))
    parse_spec(table(LR.format(", step = 0.01", f'"optimizer.lr" = {wanted}')))


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
