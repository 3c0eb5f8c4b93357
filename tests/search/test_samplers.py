"""Samplers: what is drawn, and what it depends on."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler, TPESampler

from tests.store.databases import study_spec
from tunefast.search.samplers import Samplers, _seed, distribution, optuna_sampler, suggest
from tunefast.spec.domains import DomainPart
from tunefast.spec.start import written_params
from tunefast.spec.study import StudySpec

TABLES: dict[str, Any] = {
    "float": {"low": 0.5, "high": 2.5},
    "log_float": {"low": 1e-5, "high": 1e-1, "log": True},
    "stepped_float": {"low": 0.0, "high": 0.5, "step": 0.1},
    "int": {"low": 1, "high": 8},
    "log_int": {"low": 1, "high": 1024, "log": True},
    "stepped_int": {"low": 16, "high": 64, "step": 16},
    "choice": {"choices": ["a", 2, 0.5, False, {"label": "whole", "depth": 3}, {"name": "part"}]},
}
SPACE = {f"params.{name}": table for name, table in TABLES.items()}
EXPECTED = {
    "float": FloatDistribution(0.5, 2.5),
    "log_float": FloatDistribution(1e-5, 1e-1, log=True),
    "stepped_float": FloatDistribution(0.0, 0.5, step=0.1),
    "int": IntDistribution(1, 8),
    "log_int": IntDistribution(1, 1024, log=True),
    "stepped_int": IntDistribution(16, 64, step=16),
    "choice": CategoricalDistribution(["a", 2, 0.5, False, "whole", "part"]),
}
BRANCHES = {
    "params.optimizer": {"choices": ["sgd", "adam"]},
    "params.momentum": {"low": 0.0, "high": 0.9, "when": {"params.optimizer": "sgd"}},
    "params.beta": {"low": 0.8, "high": 0.999, "when": {"params.optimizer": "adam"}},
    "params.nesterov": {"choices": [True, False], "when": {"params.optimizer": "sgd"}},
}


def spec(sampler: str, space: dict[str, Any] | None = None, seed: int = 0) -> StudySpec:
    """A spec with this sampler."""
    settings: dict[str, Any] = {"name": sampler}
    return study_spec(space=SPACE if space is None else space, sampler=settings, seed=seed)


@pytest.mark.parametrize("name", EXPECTED)
def test_distributions(name: str) -> None:
    """Each domain is stored as the distribution that a sampler is asked for, one with labels for tables."""
    path = f"params.{name}"
    kept = spec("random")
    assert distribution(kept.space[path]) == EXPECTED[name]
    trial = optuna.create_study().ask()
    value = suggest(trial, {path: kept.space[path]})[path]
    assert trial.distributions == {path: EXPECTED[name]}
    assert trial.params == {path: value}
    assert kept.space[path].contains(value)


def test_a_domain_of_no_known_kind() -> None:
    """A new kind of domain that nobody taught the samplers is a mistake, not a silent default."""
    with pytest.raises(TypeError, match="DomainPart"):
        distribution(DomainPart())
    with pytest.raises(TypeError, match="DomainPart"):
        suggest(optuna.create_study().ask(), {"x": DomainPart()})  # type: ignore[dict-item]


def draws(kept: StudySpec, number: int) -> dict[str, Any]:
    """What trial `number` gets in a study without results."""
    study = optuna.create_study(sampler=optuna_sampler(kept, number))
    return dict(suggest(study.ask(), kept.space))


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_draws_follow_from_the_seed_and_the_number(sampler: str) -> None:
    """The study's seed and the trial's number decide what is drawn; other numbers and seeds draw otherwise."""
    assert draws(spec(sampler), 3) == draws(spec(sampler), 3)
    assert len({repr(draws(spec(sampler, seed=seed), number)) for seed in range(3) for number in range(1, 6)}) == 15


def test_the_spec_chooses_the_sampler() -> None:
    """Random draws, or TPE with settings sampled jointly, in groups where some are conditional."""
    assert isinstance(optuna_sampler(spec("random"), 1), RandomSampler)
    for space, grouped in ((SPACE, False), (BRANCHES, True)):
        tpe = optuna_sampler(spec("tpe", space), 1)
        assert isinstance(tpe, TPESampler)
        assert (tpe._multivariate, tpe._group, tpe._n_startup_trials) == (True, grouped, 10)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_the_first_trial_is_the_recipe_as_it_is_written(sampler: str) -> None:
    """Samplers that learn start from what the recipe says and the middle of the rest, unless told otherwise."""
    written = spec(sampler)
    assert all(draws(written, 0) == written_params(written) for _ in range(2))
    assert draws(written, 1) != written_params(written)
    random = study_spec(space=SPACE, sampler={"name": sampler, "start": "random"})
    assert draws(random, 0) == draws(spec("random"), 0)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_conditional_settings_are_drawn_in_their_branch_only(sampler: str) -> None:
    """Every trial has the settings of its branch and no others, also once TPE goes by results."""
    kept = spec(sampler, BRANCHES)
    study = optuna.create_study(direction="maximize")
    for number in range(30):
        study.sampler = optuna_sampler(kept, number)
        trial = study.ask()
        params = suggest(trial, kept.space)
        sgd = params["params.optimizer"] == "sgd"
        assert params.keys() == BRANCHES.keys() - ({"params.beta"} if sgd else {"params.momentum", "params.nesterov"})
        study.tell(trial, float(params["params.momentum"]) if sgd else 0.0)
    later = [trial.params["params.optimizer"] for trial in study.trials[15:]]
    if sampler == "tpe":
        assert later.count("sgd") > len(later) * 0.6


def test_a_sampler_that_is_used_again_draws_as_a_new_one() -> None:
    """Whatever TPE keeps from one trial to the next, its draws follow from the seed and the number, as Optuna's do."""
    kept = spec("tpe", {"params.x": {"low": 0.0, "high": 1.0}, "params.k": {"choices": ["a", "b"]}})
    study = optuna.create_study()
    study.add_trials(
        optuna.trial.create_trial(
            params={"params.x": number / 20, "params.k": "ab"[number % 2]},
            distributions={path: distribution(domain) for path, domain in kept.space.items()},
            value=abs(number - 7.0),
        )
        for number in range(20)
    )
    samplers = Samplers(kept)
    for number in (20, 21, 22):
        both = []
        fresh = optuna_sampler(kept, number)
        stock = TPESampler(n_startup_trials=10, multivariate=True, seed=_seed(kept, number, 0))
        for sampler in (samplers.of(number), fresh, stock):
            study.sampler = sampler
            trial = study.ask()
            both.append(dict(suggest(trial, kept.space)))
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        assert both[0] == both[1] == both[2]
