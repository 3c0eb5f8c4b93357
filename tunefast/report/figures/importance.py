"""Importance: how much of the values' variance each setting explains, by fANOVA.

Source: Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014, as
Optuna has it.
"""

from __future__ import annotations

from typing import NamedTuple

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from tunefast.report.figures.drawing import BLUE, picture
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.figures.scales import finite
from tunefast.store.snapshot import StudySnapshot

LEAST_TRIALS, MOST_TRIALS = 20, 500
"""Complete ones: with fewer the forest sees noise, and of more it takes too long."""
NUM_TREES = 16
"""Four times as many take four times as long, and which trials were tried moves the shares as much as before."""


class Importances(NamedTuple):
    """Shares that sum to 1, greatest first."""

    metric: str
    shares: dict[str, float]
    num_used: int
    num_complete: int


def numbers(study: StudySnapshot) -> Importances | None:
    """Of the settings that all complete trials have; None where these are fewer than two or the trials too few."""
    trials = finite(study)
    used = thinned(trials, MOST_TRIALS)
    shared = set.intersection(*(set(trial.distributions) for trial in used)) if used else set()
    moved = [path for path in shared if len({trial.params[path] for trial in used}) > 1]
    if len(trials) < LEAST_TRIALS or len(moved) < 2 or len({trial.values[0] for trial in used}) < 2:  # noqa: PLR2004
        return None
    return Importances(study.spec.study.main_metric, _shares(study, used, sorted(moved)), len(used), len(trials))


def _shares(study: StudySnapshot, used: list[FrozenTrial], paths: list[str]) -> dict[str, float]:
    import optuna

    directions = [
        StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE for maximize in study.spec.study.maximizes
    ]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # that a study was made in memory is no news
    try:
        in_memory = optuna.create_study(storage=optuna.storages.InMemoryStorage(), directions=directions)
    finally:
        optuna.logging.set_verbosity(verbosity)
    in_memory.add_trials(used)
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=NUM_TREES, seed=study.spec.study.seed)
    shares = optuna.importance.get_param_importances(
        in_memory, evaluator=evaluator, params=paths, target=lambda trial: trial.values[0]
    )
    return {path: float(share) for path, share in shares.items()}


def draw(found: Importances) -> Drawing:
    """A bar per setting."""
    shares = found.shares
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": list(shares.values()),
        "y": list(shares),
        "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
        "marker": {"color": BLUE},
    }
    rows = {"autorange": "reversed", "type": "category"}
    percent = {"tickformat": ".0%", "rangemode": "tozero"}
    height = 120 + 34 * len(shares)
    return picture([bars], x="share of the variance", y="", xaxis=percent, yaxis=rows, showlegend=False, height=height)


def caption(found: Importances) -> str:
    """By which method, and from what."""
    used = left_out(found.num_used, found.num_complete, "trials").replace("drawn", "used")
    return (
        f"Shares of the variance of {found.metric} by fANOVA, from {found.num_used:,} complete trials; where a sampler "
        f"looked most counts most, so small differences mean little.{used}"
    )


def table(found: Importances) -> Table:
    """A row per setting."""
    return Table(("setting", "importance"), [(path, f"{share:.1%}") for path, share in found.shares.items()])


NEEDS = f"{LEAST_TRIALS} complete trials that differ in two settings or more"
FIGURE = Figure("What mattered", NEEDS, numbers, draw, table, caption)
