"""Sampling: a new trial's parameters, from the spec's domains through Optuna's samplers."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.trial import FrozenTrial, Trial

from tunefast.errors import UserError
from tunefast.recipe.seed import derive_seed
from tunefast.spec.domains import Choice, DomainPart, Float, Int, Scalar
from tunefast.spec.samplers import CmaEsSampler, GpSampler, Nsga2Sampler, QmcSampler, StartingSampler, TpeSampler
from tunefast.spec.space import Space, ordered
from tunefast.spec.start import written_params
from tunefast.spec.study import StudySpec


def optuna_sampler(spec: StudySpec, number: int, draw: int = 0) -> optuna.samplers.BaseSampler:
    """The sampler for a draw for trial `number`, seeded by the study's seed and these.

    What it draws depends on them, and on the results it sees, but on no earlier draw. Raises `UserError` where a
    package is missing.
    """
    seed = _seed(spec, number, draw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if number == draw == 0 and isinstance(spec.study.sampler, StartingSampler):
            return _first(spec, spec.study.sampler, seed)
        return _seeded(spec, seed, number)


def _seeded(spec: StudySpec, seed: int, number: int) -> optuna.samplers.BaseSampler:
    match spec.study.sampler:
        case TpeSampler() as settings:
            return _tpe(settings, spec, seed)
        case GpSampler(startup_trials=startup, deterministic=deterministic):
            return optuna.samplers.GPSampler(
                seed=seed,
                n_startup_trials=startup,
                deterministic_objective=deterministic,
                warn_independent_sampling=False,
            )
        case CmaEsSampler() as settings:
            return _cmaes(settings, seed)
        case QmcSampler() as settings:
            return _NumberedQmc(settings, derive_seed(spec.study.seed, 0, "sampler") % 2**32, number)
        case Nsga2Sampler() as settings:
            return optuna.samplers.NSGAIISampler(
                seed=seed,
                population_size=settings.population,
                mutation_prob=settings.mutation,
                crossover_prob=settings.crossover,
                swapping_prob=settings.swapping,
            )
        case _:
            return optuna.samplers.RandomSampler(seed=seed)


def _first(spec: StudySpec, settings: StartingSampler, seed: int) -> optuna.samplers.BaseSampler:
    """What draws a study's first trial, when there is nothing to learn from yet."""
    random = optuna.samplers.RandomSampler(seed=seed)
    known = written_params(spec) if settings.start == "recipe" else {}
    return optuna.samplers.PartialFixedSampler(known, random) if known else random


class Samplers:
    """Samplers for one trial after the other of a study; TPE remembers which settings all of its trials have."""

    def __init__(self, spec: StudySpec) -> None:
        self._spec = spec
        self._tpe: _ReseededTpe | None = None

    def of(self, number: int, draw: int = 0) -> optuna.samplers.BaseSampler:
        """What `optuna_sampler` makes, or one that draws the same."""
        if self._tpe is not None:
            self._tpe.reseed(_seed(self._spec, number, draw))
            return self._tpe
        sampler = optuna_sampler(self._spec, number, draw)
        self._tpe = sampler if isinstance(sampler, _ReseededTpe) else None
        return sampler


class _ReseededTpe(optuna.samplers.TPESampler):
    """Draws as a new sampler with the seed would, which reads each trial's settings again for every draw."""

    def __init__(self, *, startup_trials: int, group: bool, seed: int) -> None:
        super().__init__(n_startup_trials=startup_trials, multivariate=True, group=group, seed=seed)
        self._rows: dict[tuple[tuple[str, BaseDistribution], ...], dict[int, tuple[float, ...]]] = {}
        """By what is drawn together and a trial's number: the settings of those that ended, as estimators take them."""

    def _get_internal_repr(
        self, trials: list[FrozenTrial], search_space: dict[str, BaseDistribution], study: optuna.Study
    ) -> dict[str, np.ndarray]:
        known = self._rows.setdefault(tuple(search_space.items()), {})
        rows = []
        for trial in trials:
            row = known.get(trial.number)
            if row is None:
                params = self._get_params(trial, study)
                if not search_space.keys() <= params.keys():
                    continue
                row = tuple(kind.to_internal_repr(params[path]) for path, kind in search_space.items())
                if trial.state.is_finished():
                    known[trial.number] = row
            rows.append(row)
        columns = zip(*rows, strict=True) if rows else [()] * len(search_space)
        return {path: np.asarray(column) for path, column in zip(search_space, columns, strict=True)}

    def reseed(self, seed: int) -> None:
        """Begin its random draws anew."""
        self._rng = LazyRandomState(seed)
        self._random_sampler = optuna.samplers.RandomSampler(seed=seed)


def random_sampler(spec: StudySpec, number: int, draw: int) -> optuna.samplers.BaseSampler:
    """A sampler for another draw for trial `number`, at random."""
    return optuna.samplers.RandomSampler(seed=_seed(spec, number, draw))


def _seed(spec: StudySpec, number: int, draw: int) -> int:
    return derive_seed(spec.study.seed, number, f"sampler {draw}" if draw else "sampler") % 2**32


def _tpe(settings: TpeSampler, spec: StudySpec, seed: int) -> optuna.samplers.BaseSampler:
    own = spec.recipe.get("style") == "optuna"  # which suggests what it likes
    conditional = own or any(domain.when for domain in spec.space.values())
    return _ReseededTpe(startup_trials=settings.startup_trials, group=conditional, seed=seed)


def _cmaes(settings: CmaEsSampler, seed: int) -> optuna.samplers.BaseSampler:
    if importlib.util.find_spec("cmaes") is None:
        raise UserError(message="sampler cmaes needs the package cmaes: pip install 'tunefast[cmaes]'")
    return optuna.samplers.CmaEsSampler(
        seed=seed,
        n_startup_trials=settings.startup_trials,
        popsize=settings.population,
        use_separable_cma=settings.separable,
        consider_pruned_trials=settings.learn_from_pruned,
        warn_independent_sampling=False,
    )


class _NumberedQmc(optuna.samplers.QMCSampler):
    """Takes the point of the trial's number, where Optuna counts in the study, which restarts would begin anew."""

    def __init__(self, settings: QmcSampler, seed: int, number: int) -> None:
        super().__init__(
            qmc_type=settings.sequence,
            scramble=settings.scramble,
            seed=seed,
            warn_asynchronous_seeding=False,
            warn_independent_sampling=False,
        )
        self._number = number

    def _find_sample_id(self, study: optuna.Study, search_space: Mapping[str, BaseDistribution]) -> int:  # noqa: ARG002  Optuna's
        return self._number


def suggest(trial: Trial, space: Space) -> dict[str, Scalar]:
    """Let the sampler of `trial` choose a value for every setting whose conditions hold."""
    params: dict[str, Scalar] = {}
    for path in ordered(space):
        domain = space[path]
        if domain.holds(params):
            params[path] = suggested(trial, path, distribution(domain))
    return params


def suggested(trial: Trial, name: str, kind: BaseDistribution) -> Any:
    """What the sampler of `trial` chooses for a setting."""
    if isinstance(kind, CategoricalDistribution):
        return trial.suggest_categorical(name, kind.choices)
    if isinstance(kind, IntDistribution):
        return trial.suggest_int(name, kind.low, kind.high, step=kind.step, log=kind.log)
    if isinstance(kind, FloatDistribution):
        return trial.suggest_float(name, kind.low, kind.high, step=kind.step, log=kind.log)
    raise TypeError(f"nothing is drawn from {type(kind).__name__}")


def distribution(domain: DomainPart) -> BaseDistribution:
    """What Optuna stores for a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.labels)
    if isinstance(domain, Int):
        return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step or 1)
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
    raise TypeError(f"no distribution for {type(domain).__name__}")


def covering(space: Space, trials: Iterable[FrozenTrial]) -> dict[str, BaseDistribution]:
    """For each domain what Optuna stores for it: wide enough for the trials there are, and equal for all of them.

    A study whose space was narrowed has trials outside of it, and Optuna looks only at settings whose distribution is
    the same in all trials.
    """
    found = {path: distribution(domain) for path, domain in space.items()}
    for trial in trials:
        for path, other in trial.distributions.items():
            if path in found and other != found[path]:
                found[path] = _hull(found[path], other)
    return found


def _hull(one: BaseDistribution, other: BaseDistribution) -> BaseDistribution:
    """A distribution that has the values of both, which are of the same kind; of choices the one with more."""
    if isinstance(one, FloatDistribution) and isinstance(other, FloatDistribution):
        return FloatDistribution(min(one.low, other.low), max(one.high, other.high), log=one.log, step=one.step)
    if isinstance(one, IntDistribution) and isinstance(other, IntDistribution):
        return IntDistribution(min(one.low, other.low), max(one.high, other.high), log=one.log, step=one.step)
    if isinstance(one, CategoricalDistribution) and isinstance(other, CategoricalDistribution):
        return one if len(one.choices) >= len(other.choices) else other
    return one
