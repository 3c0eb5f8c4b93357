"""Checking a study before it starts: which recipes fail, which do not fit, and how long all of it will take."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tunefast.run.preflight.forecast import Forecast, Kind, best_so_far, forecast
from tunefast.run.preflight.places import Places
from tunefast.run.preflight.probe import Probe, Probed
from tunefast.run.slots import Lent, fair_share, num_cores
from tunefast.search.pruning import warmup_epochs
from tunefast.spec.corners import choice_cells, corners, ends
from tunefast.spec.domains import Params
from tunefast.spec.study import StudySpec

LEAST_RECIPES, MOST_RECIPES = 4, 64
COMMAND_SECONDS = 2.0
"""From a command to the start of its workers."""
FIRST_SECONDS = 60.0
"""For the first recipe of a quick check, which has torch to import."""
STEP_SECONDS = 0.25
"""How long the steps of a recipe are watched."""
GUESSED_CURVES = 7
"""Trials of even quality that stand for all where no whole training was seen."""


class Planned(NamedTuple):
    """A recipe to try."""

    params: Params
    weight: float
    """How likely a random trial is to be like it; 0 for what stands at an end of its range."""
    epochs: int
    """That it trains for when nothing stops it."""
    warmup_epochs: int
    """Before it is judged."""
    annealed: bool
    """Whether its learning rate ends low."""


class Tried(NamedTuple):
    """A recipe, and what came of trying it."""

    plan: Planned
    steps: Probed
    whole: Probed | None = None
    """Of its whole training; None where there was no time for that, or it failed."""


@dataclass
class Check:
    """What a check found out."""

    tried: list[Tried]
    left: list[Planned]
    """Recipes that there was no time for."""
    devices: Sequence[str]
    """One per worker."""
    threads: int
    """Of each worker."""
    before_seconds: float = 0.0
    """Until the first trial starts: workers start, and compute features."""
    features_seconds: float = 0.0
    """What the features of frozen backbones take, once."""
    forecast: Forecast | None = None
    """None where no recipe could be tried."""
    guessed: bool = False
    """Whether curves in the forecast are guesses, since no whole training was seen."""

    @property
    def failed(self) -> list[Tried]:
        """Recipes that cannot be trained."""
        return [one for one in self.tried if one.steps.error and one.steps.fits]

    @property
    def too_large(self) -> list[Tried]:
        """Recipes that the device has not the memory for."""
        return [one for one in self.tried if not one.steps.fits]

    @property
    def diverging(self) -> list[Tried]:
        """Recipes whose loss or metric was no finite number; stopped trials of a study, not failed ones."""
        return [one for one in self.working if one.steps.diverges or (one.whole is not None and one.whole.diverges)]

    @property
    def working(self) -> list[Tried]:
        """Recipes that train."""
        return [one for one in self.tried if not one.steps.error]


def check(
    spec: StudySpec,
    devices: Sequence[str],
    *,
    explicit: bool,
    seconds: float,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Check:
    """Try the recipes of a spec whose data was found on `devices`, a worker for each, for at most about `seconds`.

    First a few real steps of each combination of choices and of each end of a number (see `choice_cells`), and then
    whole trainings of as many of them as there is time for, whose curves say what stop rules will save. `explicit` is
    as in `Lent`; `on_progress` hears what is tried, how many are, and of how many. Nothing is written but the cache.
    """
    until = time.monotonic() + seconds
    plans = list(_planned(spec))
    threads = fair_share(num_cores(), [Lent(devices, explicit)])
    probes = [_probe(spec, number, plan, threads, STEP_SECONDS) for number, plan in enumerate(plans)]
    mixed = random.Random(0).sample(probes, len(probes))  # noqa: S311 - so that those in time stand for all
    with Places(devices) as places:
        found = _try(places, mixed, until, lambda done: on_progress("recipes", done, len(probes)))
        tried = {number: Tried(plans[number], steps) for number, steps in sorted(found.items())}
        chosen = [probes[number] for number in _to_train(tried, until - time.monotonic(), len(devices))]
        wholes = [probe.model_copy(update={"whole": True}) for probe in chosen]
        found = _try(places, wholes, until, lambda done: on_progress("whole trainings", done, len(wholes)))
        start_seconds = places.start_seconds
    for number, whole in found.items():
        if not whole.error:
            tried[number] = tried[number]._replace(whole=whole)
    left = [plan for number, plan in enumerate(plans) if number not in tried]
    result = Check(list(tried.values()), left, devices, threads)
    computed = {one.steps.features_key for one in result.working if one.whole is not None}
    result.features_seconds = _features([one for one in result.working if one.steps.features_key not in computed])
    warming = max((one.steps.start_seconds for one in result.working), default=0.0)
    result.before_seconds = COMMAND_SECONDS + start_seconds + warming + result.features_seconds
    _foresee(spec, result)
    return result


def quick_check(spec: StudySpec, device: str, seconds: float) -> Check:
    """Try one step with each choice, and each end of a number, in about `seconds` after the first of them."""
    threads = fair_share(num_cores(), [Lent([device], explicit=False)])
    plans = [_plan(spec, params, 0.0) for params in _once(corners(spec.space))]
    probes = [_probe(spec, number, plan, threads, seconds=0.0) for number, plan in enumerate(plans)]
    with Places([device]) as places:
        found = _try(places, probes[:1], time.monotonic() + FIRST_SECONDS, lambda _: None)
        found |= _try(places, probes[1:], time.monotonic() + seconds, lambda _: None)
    tried = [Tried(plans[number], steps) for number, steps in sorted(found.items())]
    return Check(tried, [plan for number, plan in enumerate(plans) if number not in found], [device], threads)


def _planned(spec: StudySpec) -> Iterator[Planned]:
    rng = random.Random(spec.study.seed)  # noqa: S311 - no secret
    varies = bool(spec.space) or spec.recipe.get("style") == "optuna"
    for cell in choice_cells(spec.space, rng, LEAST_RECIPES if varies else 1, MOST_RECIPES):
        yield _plan(spec, cell.params, cell.weight)
    for params in _once(ends(spec.space)) if spec.space else ():
        yield _plan(spec, params, 0.0)


def _plan(spec: StudySpec, params: Params, weight: float) -> Planned:
    recipe = spec.recipe_for(params)
    return Planned(params, weight, recipe.epochs, warmup_epochs(spec.study.pruner, recipe), recipe.annealed)


def _once(many: Iterable[Params]) -> list[Params]:
    return list({repr(params): params for params in many}.values())


def _probe(spec: StudySpec, number: int, plan: Planned, threads: int, seconds: float) -> Probe:
    recipe = spec.recipe_for(plan.params)
    return Probe(
        number=number,
        recipe=recipe.table(),
        seed=spec.trial_seed(number, recipe),
        threads=threads,
        metric=spec.study.curve_metric,
        needs=[] if spec.recipe.get("style") == "optuna" else spec.reported_metrics,  # whose reports have no names
        seconds=seconds,
    )


def _try(places: Places, probes: Sequence[Probe], until: float, done: Callable[[int], None]) -> dict[int, Probed]:
    """What came of each probe that there was time for, by its number."""
    found: dict[int, Probed] = {}

    def take(probe: Probe, probed: Probed) -> None:
        found[probe.number] = probed
        done(len(found))

    done(0)
    places.try_all(probes, until, take)
    return found


def _to_train(tried: Mapping[int, Tried], seconds: float, workers: int) -> list[int]:
    """Numbers of recipes to train whole, in a random order, as many as are likely to be done in `seconds`."""
    able = [number for number, one in tried.items() if one.plan.weight and not one.steps.error]
    random.Random(0).shuffle(able)  # noqa: S311 - no secret
    seconds -= _features([tried[number] for number in able])
    free = seconds * workers
    chosen: list[int] = []
    for number in able:
        plan, steps, _ = tried[number]
        needed = steps.open_seconds + steps.epoch_seconds * plan.epochs
        if needed <= min(free, seconds):
            free -= needed
            chosen.append(number)
    return chosen


def _features(tried: Sequence[Tried]) -> float:
    """Seconds for all features, each set counted once."""
    needed: dict[str, float] = {}
    for one in tried:
        key = one.steps.features_key
        needed[key] = max(needed.get(key, 0.0), one.steps.features_seconds)
    return sum(needed.values())


def _foresee(spec: StudySpec, result: Check) -> None:
    likely = [one for one in result.working if one.plan.weight]
    if not likely:
        return
    trained = [one for one in likely if one.whole is not None]
    result.guessed = not trained
    if result.guessed and spec.budget.target is not None:  # which guesses say nothing about
        spec = spec.model_copy(update={"budget": spec.budget.model_copy(update={"target": None})})
    kinds = [kind for one in likely for kind in _kinds(one, trained, maximize=spec.study.curve_maximize)]
    result.forecast = forecast(spec, kinds, len(result.devices), result.before_seconds)


def _kinds(one: Tried, trained: Sequence[Tried], *, maximize: bool) -> Iterator[Kind]:
    """What trials like `one` may be: as it was itself, else with curves of those that are most like it."""
    if one.whole is not None:
        yield _kind(one, one.plan.weight, one.whole.curve, maximize=maximize)
    elif trained:
        away = {id(other): _distance(one.plan.params, other.plan.params) for other in trained}
        twins = [other for other in trained if away[id(other)] == min(away.values())]
        for other in twins:
            if other.whole is not None:
                yield _kind(one, one.plan.weight / len(twins), other.whole.curve, maximize=maximize)
    else:
        for quality in range(GUESSED_CURVES):
            curve = [float(quality)] * one.plan.epochs
            yield _kind(one, one.plan.weight / GUESSED_CURVES, curve, maximize=maximize)


def _kind(one: Tried, weight: float, curve: Sequence[float], *, maximize: bool) -> Kind:
    measured = one.whole or one.steps
    return Kind(
        weight=weight,
        open_seconds=(one.steps if one.steps.features_key else measured).open_seconds,
        epoch_seconds=measured.epoch_seconds,
        epochs=one.plan.epochs,
        warmup_epochs=one.plan.warmup_epochs,
        curve=curve,
        best=best_so_far(curve, maximize=maximize),
        annealed=one.plan.annealed,
    )


def _distance(one: Params, other: Params) -> int:
    """Settings in which they differ; numbers that were drawn always do."""
    return sum(one.get(path) != other.get(path) for path in {*one, *other})
