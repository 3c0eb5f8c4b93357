"""Trials of stock Optuna studies, brought into a study of ours so that sampler and pruner start from them."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import optuna
import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState, create_trial

from tunefast.errors import UserError, nearest
from tunefast.search.samplers import distribution
from tunefast.spec.domains import Scalar
from tunefast.spec.points import FromStudy, Point
from tunefast.spec.space import ordered
from tunefast.spec.study import StudySpec
from tunefast.store.engine import file_url, redacted
from tunefast.store.rows import IMPORTED, STATE_WORDS, main_value, state_word

UNKNOWN = 0.0
"""By how much a trial from elsewhere violates a constraint: nobody knows, so it counts as one where it holds."""


class Stock(NamedTuple):
    """A study of stock Optuna."""

    name: str
    maximize: bool
    trials: list[FrozenTrial]


class Found(NamedTuple):
    """What of another study fits."""

    trials: list[FrozenTrial]
    """As they are to be stored."""
    left_out: dict[str, int]
    """How many trials do not fit, by reason."""
    unused: list[str]
    """Their settings that the space does not have."""


def read_stock(url: str, name: str) -> Stock:
    """The study `name` in the storage at `url`; nothing is written there.

    Raises `UserError` where there is no such study, or it has several objectives.
    """
    with _readable(url) as storage:
        try:
            study = optuna.load_study(study_name=name, storage=storage)
            trials = study.get_trials(deepcopy=False)
        except KeyError:
            known = optuna.get_all_study_names(storage)
            raise UserError(message=f"{redacted(url)}: there is no study {name!r}.{nearest(name, known)}") from None
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            problem = f"{url}: cannot be read by Optuna ({type(error).__name__}: {reason})"
            raise UserError(message=redacted(problem)) from error
        if len(study.directions) > 1:
            taken = "only trials of studies with one can be imported, or tried first"
            raise UserError(message=f"{name!r} has {len(study.directions)} objectives; {taken}")
        return Stock(name, study.direction == optuna.study.StudyDirection.MAXIMIZE, trials)


@contextlib.contextmanager
def _readable(url: str) -> Iterator[str]:
    """A URL of the same content that may be opened; of an SQLite file a copy, since Optuna may change what it opens."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise UserError(
            message=f"{redacted(url)!r} is no database URL; an SQLite file's is sqlite:///name.db"
        ) from error
    if parsed.get_backend_name() != "sqlite":
        yield url
        return
    path = Path(parsed.database or "")
    if not path.is_file():
        raise UserError(message=f"{path}: there is no such database")
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "copy.db"
        try:
            with (
                contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
                contextlib.closing(sqlite3.connect(copied)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:
            raise UserError(message=f"{path}: cannot be read ({error})") from error
        yield f"sqlite:///{copied}"


def fitting(stock: Stock, spec: StudySpec, renamed: Mapping[str, str]) -> Found:
    """The trials of another study that lie in the space of `spec`, with settings `renamed` and steps counted from 1.

    Complete and pruned trials with all settings of the space fit. Raises `UserError` where the other study's direction
    differs, a new name is not in the space, or no trial fits.
    """
    _check_objective(stock, spec)
    for old, new in renamed.items():
        if new not in spec.space:
            raise UserError(message=f"--map {old}={new}: {new!r} is not in the space.{nearest(new, spec.space)}")
    first = min((step for trial in stock.trials for step in trial.intermediate_values), default=1)
    shift = 1 if first == 0 else 0
    fit: list[FrozenTrial] = []
    left_out: Counter[str] = Counter()
    unused: set[str] = set()
    for trial in stock.trials:
        settings = _renamed(trial, renamed)
        unused |= settings.keys() - spec.space.keys()
        reason = _unfit(trial, settings, spec)
        if reason:
            left_out[reason] += 1
        else:
            fit.append(_ours(trial, settings, spec, shift, f"{stock.name}, trial {trial.number}"))
    if not fit:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in left_out.items()) or "it has none"
        raise UserError(
            message=f"no trial of {stock.name!r} fits ({reasons}); settings that have another name there: --map OLD=NEW"
        )
    return Found(fit, dict(left_out), sorted(unused))


def _check_objective(stock: Stock, spec: StudySpec) -> None:
    """Raise `UserError` where what is better there is not what is better here."""
    if spec.study.has_several:
        raise UserError(message=f"{spec.study.name!r} has several objectives, and trials of {stock.name!r} have one")
    if stock.maximize != spec.study.maximize:
        direction = "maximizes" if stock.maximize else "minimizes"
        raise UserError(message=f"{stock.name!r} {direction}, and {spec.study.name!r} does the other")


def _renamed(trial: FrozenTrial, renamed: Mapping[str, str]) -> dict[str, Scalar]:
    """The settings of a trial by their names here."""
    return {renamed.get(old, old): value for old, value in trial.params.items()}


def _unfit(trial: FrozenTrial, settings: Mapping[str, Scalar], spec: StudySpec) -> str:
    """Why a trial does not fit; empty where it does."""
    if trial.state not in (TrialState.COMPLETE, TrialState.PRUNED):
        return f"is {STATE_WORDS[trial.state]}"
    for path in _active(settings, spec):
        if path not in settings:
            return f"has no {path!r}"
        if not spec.space[path].contains(settings[path]):
            return f"{path!r} lies outside the space"
    return ""


def _active(settings: Mapping[str, Scalar], spec: StudySpec) -> list[str]:
    """The settings of the space whose conditions hold."""
    return [path for path in ordered(spec.space) if spec.space[path].holds(settings)]


def _ours(trial: FrozenTrial, settings: Mapping[str, Scalar], spec: StudySpec, shift: int, origin: str) -> FrozenTrial:
    active = _active(settings, spec)
    return create_trial(
        state=trial.state,
        value=trial.value,
        constraints=dict.fromkeys(spec.constraints, UNKNOWN) if trial.state == TrialState.COMPLETE else None,
        params={path: settings[path] for path in active},
        distributions={path: distribution(spec.space[path]) for path in active},
        intermediate_values={step + shift: value for step, value in trial.intermediate_values.items()},
        user_attrs={**trial.user_attrs, IMPORTED: origin},
    )


def points_of(point: FromStudy | Point, spec: StudySpec, path: Path) -> list[Point]:
    """The point itself, or those of another study, by default in the database at `path`, that lie in the space.

    What that study did not search is left to the sampler. Raises `UserError` where it cannot be read, or has none.
    """
    if not isinstance(point, FromStudy):
        return [point]
    stock = read_stock(point.storage or file_url(path).render_as_string(), point.from_study)
    _check_objective(stock, spec)
    best = sorted(
        (trial for trial in stock.trials if state_word(trial) == "complete" and trial.values),
        key=lambda trial: main_value(trial) or 0.0,
        reverse=spec.study.maximize,
    )
    found = [_point(_renamed(trial, point.map), spec) for trial in best]
    points = [each for each in found if not isinstance(each, str)]
    if not points:
        unfit = "; ".join(f"{count} x {reason}" for reason, count in Counter(map(str, found)).items())
        fits = f'fits ({unfit}); settings that have another name there: map = {{ "OLD" = "NEW" }}'
        which = f"no complete trial of {point.from_study!r}"
        raise UserError(message=f"enqueue: {which} {fits}" if unfit else f"enqueue: there is {which}")
    return points[: point.best]


def _point(settings: Point, spec: StudySpec) -> Point | str:
    """What of a trial's settings is searched here too, or why it does not fit."""
    if spec.recipe.get("style") == "optuna":  # whose objective says which settings there are
        return settings
    chosen: Point = {}
    for path in ordered(spec.space):
        if path in settings and spec.space[path].holds(chosen):
            if not spec.space[path].contains(settings[path]):
                return f"{path!r} lies outside the space"
            chosen[path] = settings[path]
    return chosen or "has none of the searched settings"


def add(path: Path, name: str, trials: Sequence[FrozenTrial]) -> None:
    """Store trials in the study `name` in the database at `path`, which nobody works on."""
    optuna.load_study(study_name=name, storage=file_url(path).render_as_string()).add_trials(trials)
