"""What of a stored spec can change, and what cannot."""

from __future__ import annotations

from typing import Any

import pytest

from tunefast.errors import SpecError
from tunefast.spec.editing import difference, edited
from tunefast.spec.load import parse_spec
from tunefast.spec.study import StudySpec

SPEC: dict[str, Any] = {
    "study": {"name": "s"},
    "budget": {"trials": 10},
    "recipe": {"data": {"name": "digits"}, "optimizer": {"name": "sgd"}},
    "space": {
        "optimizer.lr": {"low": 1e-3, "high": 1e-1, "log": True},
        "optimizer.momentum": {"low": 0.0, "high": 0.9, "step": 0.3},
        "batch_size": {"choices": [32, 64]},
        "epochs": {"low": 2, "high": 8, "step": 2},
        "schedule": {"choices": [{"name": "cosine"}, {"label": "slow", "name": "step", "step_epochs": 5}]},
    },
}


@pytest.fixture
def spec() -> StudySpec:
    """A spec with a domain of every kind."""
    return parse_spec(SPEC)


def test_narrowed_and_widened(spec: StudySpec) -> None:
    """Ends move in both directions, choices are added, limits change; the rest stays."""
    changes = {
        "space.optimizer.lr.high": 0.5,
        "space.optimizer.lr.low": 0.01,
        "space.optimizer.momentum.low": 0.3,
        "space.batch_size.choices": [32, 64, 256],
        "space.epochs": {"low": 4, "high": 12, "step": 2},
        "budget.trials": 80,
        "budget.target": 0.9,
    }
    changed = edited(spec, changes)
    assert difference(spec, changed) == {
        "budget.trials": (10, 80),
        "budget.target": (None, 0.9),
        "space.optimizer.lr.low": (1e-3, 0.01),
        "space.optimizer.lr.high": (1e-1, 0.5),
        "space.optimizer.momentum.low": (0.0, 0.3),
        "space.batch_size.choices": ([32, 64], [32, 64, 256]),
        "space.epochs.low": (2, 4),
        "space.epochs.high": (8, 12),
    }
    assert changed.recipe == spec.recipe
    assert difference(spec, edited(spec, {})) == {}
    assert edited(changed, {"budget.target": "none"}).budget.target is None


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the recipe": ({"recipe.epochs": 3}, r"'recipe.epochs' cannot be changed. Only \[space\], \[budget\] and"),
    "the sampler": ({"study.sampler": "grid"}, "'study.sampler' cannot be changed"),
    "what is not searched": (
        {"space.optimizer.weight_decay.high": 1.0},
        "'optimizer.weight_decay.high' is not searched. Known: batch_size",
    ),
    "an unknown key": ({"space.optimizer.lr.hihg": 1.0}, "unknown key 'hihg'. Did you mean 'high'"),
    "an unknown limit": ({"budget.trails": 3}, "Did you mean 'budget.trials'"),
    "ends the wrong way round": ({"space.optimizer.lr.low": 0.7}, "low = 0.7 is greater than high = 0.1"),
    "a value that makes no recipe": ({"space.batch_size.choices": [32, 64, 0]}, r"batch_size"),
    "a choice that is gone": ({"space.batch_size.choices": [32]}, "64 cannot be taken away or changed"),
    "a choice that changed": (
        {"space.schedule.choices": [{"name": "cosine"}, {"label": "slow", "name": "step", "step_epochs": 6}]},
        "'slow' cannot be taken away or changed",
    ),
    "choices in another order": ({"space.batch_size.choices": [64, 32, 16]}, "the choices there are come first"),
    "another kind of numbers": ({"space.epochs": {"low": 1.5, "high": 8.5}}, "should be a whole number"),
    "choices for numbers": ({"space.epochs": {"choices": [1, 2]}}, "cannot become choices"),
    "another scale": ({"space.optimizer.lr.log": False}, "log and step cannot change"),
    "another grid of steps": ({"space.optimizer.momentum.low": 0.1, "space.optimizer.momentum.high": 0.7}, "multiple"),
    "new conditions": ({"space.epochs.when": {"batch_size": 32}}, "its conditions cannot change"),
    "no number": ({"budget.trials": "many"}, r"\[budget\] trials"),
    "no table": ({"space.epochs": 3}, "should be a table"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(spec: StudySpec, case: str) -> None:
    """What trials of the study could not have, or what makes no spec, is refused with the reason."""
    changes, message = REFUSED[case]
    with pytest.raises(SpecError, match=message):
        edited(spec, changes)


def test_limits_of_trials(spec: StudySpec) -> None:
    """How trials are run can be changed like the budget; "none" takes a limit away, and nonsense is refused."""
    changed = edited(spec, {"trial.minutes": 30.0, "trial.kept_checkpoints": 1})
    assert (changed.trial.minutes, changed.trial.kept_checkpoints) == (30.0, 1)
    assert difference(spec, changed) == {"trial.minutes": (None, 30.0), "trial.kept_checkpoints": (3, 1)}
    assert edited(changed, {"trial.minutes": "none"}).trial.minutes is None
    with pytest.raises(SpecError, match=r"Did you mean 'trial.minutes'"):
        edited(spec, {"trial.minute": 3.0})
    with pytest.raises(SpecError, match=r"\[trial\] lease_seconds"):
        edited(spec, {"trial.lease_seconds": 0.01})
