"""What Optuna stores for the settings of a space that changed."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from tunefast.search.samplers import covering
from tunefast.spec.domains import Choice, Float, Int
from tunefast.spec.space import Space


def _trial(value: float, **distributions: BaseDistribution) -> FrozenTrial:
    params = {name: kind.to_external_repr(0) for name, kind in distributions.items()}
    return create_trial(value=value, params=params, distributions=distributions)


def test_covering() -> None:
    """It holds the values of the space and of all trials, on the space's scale."""
    space: Space = {
        "lr": Float(low=0.01, high=1.0, log=True),
        "width": Int(low=4, high=8, step=2),
        "size": Choice(choices=[1, 2, 3]),
    }
    trials = [
        create_trial(value=1, params={"lr": 0.001}, distributions={"lr": FloatDistribution(1e-4, 0.1, log=True)}),
        create_trial(value=1, params={"width": 2}, distributions={"width": IntDistribution(2, 4, step=2)}),
        _trial(1, size=CategoricalDistribution([1, 2])),
    ]
    assert covering(space, trials) == {
        "lr": FloatDistribution(1e-4, 1.0, log=True),
        "width": IntDistribution(2, 8, step=2),
        "size": CategoricalDistribution([1, 2, 3]),
    }
    assert covering(space, []) == {
        "lr": FloatDistribution(0.01, 1.0, log=True),
        "width": IntDistribution(4, 8, step=2),
        "size": CategoricalDistribution([1, 2, 3]),
    }
