"""Confirming: the best trials of a study, to be trained again on seeds that none of its trials had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from tunefast.errors import UserError
from tunefast.recipe.seed import derive_seed
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.spec.domains import DomainPart, Int, Interval
from tunefast.spec.load import parse_spec
from tunefast.spec.study import StudySpec
from tunefast.store.snapshot import StudySnapshot
from tunefast.store.studies import CONFIRMATION

SEED = "seed"
"""The path of the recipe's seed."""
MAX_SEED = 999_999
"""Of new seeds: short to read, every program takes them, and Optuna, which stores real numbers, loses no bit."""

Settings = frozenset[tuple[str, Any]]


def settings_but_seed(params: Mapping[str, Any]) -> Settings:
    """What tells one recipe from another; a searched seed makes none another."""
    return frozenset((path, value) for path, value in params.items() if path != SEED)


def ranking(study: StudySnapshot) -> list[FrozenTrial]:
    """The complete trials of a study, best first; of those with equal settings the best."""
    found: dict[Settings, FrozenTrial] = {}
    for trial in study.ranking:
        found.setdefault(settings_but_seed(trial.params), trial)
    return list(found.values())


def confirmation_spec(
    study: StudySnapshot, top: int, num_seeds: int, storage: str | Path = DEFAULT_STORAGE
) -> StudySpec:
    """The spec of the study that trains the `top` best trials of `study` again, each on the same `num_seeds` new seeds.

    All of them on the first seed come first, then all on the second, so that one which is cut off compares them as
    well. Nothing ends a trial but its own early stopping. Raises `UserError` where there is nothing to confirm.
    """
    check_confirmable(study, storage)
    if not ranking(study):
        raise UserError(message=f"study {study.name!r} has no complete trial yet, so there is nothing to confirm")
    seeds = list(islice(new_seeds(study), num_seeds))
    points = [{**trial.params, SEED: seed} for seed in seeds for trial in ranking(study)[:top]]
    spec = study.spec.model_dump(mode="json")
    space = {path: domain.model_dump(mode="json") for path, domain in _space(study).items()}
    section = {"name": f"{study.name}{CONFIRMATION}", "sampler": {"name": "random"}, "pruner": {"name": "none"}}
    target = spec["study"]["target"]
    unstopped = {} if target is None else {"target": {**target, "stops": False}}
    return parse_spec(
        {
            **spec,
            "study": {**spec["study"], **section, **unstopped},
            "budget": {"trials": len(points)},
            "space": space,
            "enqueue": points,
            "trial": {**spec["trial"], "kept_checkpoints": 0},
        },
        f"the confirmation of {study.name!r}",
    )


def check_extensible(study: StudySnapshot, storage: str | Path = DEFAULT_STORAGE) -> None:
    """Raise `UserError` for a confirmation in `storage`, which has the trials that were asked for and no others."""
    if study.confirms is not None:
        original = study.name.removesuffix(CONFIRMATION)
        what = f"is the confirmation of {original!r}"
        raise UserError(
            message=f"{study.name!r} {what}; for more of it: "
            f"{command('study', 'confirm', original, '--top', 'K', '--seeds', 'S', storage=storage)}"
        )


def check_confirmable(study: StudySnapshot, storage: str | Path = DEFAULT_STORAGE) -> None:
    """Raise `UserError` for a study in `storage` whose trials cannot be trained again on other seeds."""
    check_extensible(study, storage)
    name = study.name
    dependent = [path for path, domain in study.spec.space.items() if SEED in domain.when]
    if dependent:
        raise UserError(message=f"study {name!r} searches {dependent[0]!r} by its seed, which a confirmation changes")


def new_seeds(study: StudySnapshot) -> Iterator[int]:
    """Seeds that no trial of the study had: a function of the study's seed, so that more of them begin the same."""
    taken = {row["seed"] for row in study.attempts} | {trial.params.get(SEED) for trial in study.trials}
    index = 0
    while True:
        seed = derive_seed(study.spec.study.seed, index, "confirm") % (MAX_SEED + 1)
        index += 1
        if seed not in taken:
            taken.add(seed)
            yield seed


def _space(study: StudySnapshot) -> dict[str, DomainPart]:
    """The study's space, as wide as its complete trials are spread, since it may have been narrowed; and the seed."""
    widened = {path: _widened(domain, path, ranking(study)) for path, domain in study.spec.space.items()}
    return {**widened, SEED: Int(low=0, high=MAX_SEED)}


def _widened(domain: DomainPart, path: str, trials: list[FrozenTrial]) -> DomainPart:
    if not isinstance(domain, Interval):
        return domain
    values = [trial.params[path] for trial in trials if path in trial.params]
    return domain.model_copy(update={"low": min([domain.low, *values]), "high": max([domain.high, *values])})
