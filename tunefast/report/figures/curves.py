"""Learning curves, and what the pruner measured trials against."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial

from tunefast.report.figures.drawing import COLOURS, DASHES, GREY, VERMILION, picture, standing
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.phrases import number
from tunefast.search.pruning.rule import THRESHOLD
from tunefast.store.snapshot import StudySnapshot

MOST_CURVES, MOST_POINTS = 200, 100


class Curve(NamedTuple):
    """What a trial reported of the metric that trials are compared by."""

    trial: int
    standing: str
    epochs: list[int]
    values: list[float]


class Curves(NamedTuple):
    """The curves of a study, and the pruner's threshold."""

    metric: str
    maximize: bool
    curves: list[Curve]
    thresholds: dict[int, float]
    """Epoch -> what the last trial that was judged there was measured against."""


def numbers(study: StudySnapshot) -> Curves | None:
    """By trial, from the reports of its epochs; from Optuna's intermediate values where there are no such reports."""
    section = study.spec.study
    metric = section.curve_metric
    reported: dict[int, dict[int, float]] = defaultdict(dict)
    thresholds: dict[int, float] = {}
    for row in study.epochs:
        value = row["metrics"].get(metric)
        if value is not None and math.isfinite(value):
            reported[row["trial"]][row["epoch"]] = value
        threshold = (row["details"] or {}).get(THRESHOLD)
        if threshold is not None:
            thresholds[row["epoch"]] = threshold
    curves = [_curve(study, trial, reported) for trial in study.trials]
    found = [curve for curve in curves if curve.epochs]
    if not found:
        return None
    return Curves(metric, section.curve_maximize, found, dict(sorted(thresholds.items())))


def _curve(study: StudySnapshot, trial: FrozenTrial, reported: dict[int, dict[int, float]]) -> Curve:
    said = reported.get(trial.number, {})
    if not said and study.spec.study.metrics == [study.spec.study.curve_metric]:
        said = {step: value for step, value in trial.intermediate_values.items() if math.isfinite(value)}
    epochs = sorted(said)
    kind = "paused" if trial.number in study.paused else standing(trial)
    return Curve(trial.number, kind, epochs, [said[epoch] for epoch in epochs])


def chosen(found: Curves) -> list[Curve]:
    """The curves that are drawn where there are many: half of them the best, the others from all over the study."""
    if len(found.curves) <= MOST_CURVES:
        return found.curves
    best = {each.trial for each in sorted(found.curves, key=lambda each: _best(found, each))[: MOST_CURVES // 2]}
    others = thinned([each for each in found.curves if each.trial not in best], MOST_CURVES // 2)
    kept = best | {each.trial for each in others}
    return [each for each in found.curves if each.trial in kept]


def _best(found: Curves, curve: Curve) -> float:
    return -max(curve.values) if found.maximize else min(curve.values)


def draw(found: Curves) -> Drawing:
    """A line per trial; those that stand alike are one trace, so that the legend hides them together."""
    traces: dict[str, dict[str, Any]] = {}
    for curve in chosen(found):
        trace = traces.setdefault(curve.standing, _trace(curve.standing))
        points = thinned(list(zip(curve.epochs, curve.values, strict=True)), MOST_POINTS)
        trace["x"] += [*(epoch for epoch, _ in points), None]
        trace["y"] += [*(value for _, value in points), None]
        trace["text"] += [f"trial {curve.trial}"] * (len(points) + 1)
    drawn = [traces[kind] for kind in ("pruned", *traces) if kind in traces]
    drawn = list({trace["name"]: trace for trace in drawn}.values())  # the stopped ones below the others
    if found.thresholds:
        points = thinned(list(found.thresholds.items()), MOST_POINTS)
        line = {"color": VERMILION, "width": 3, "dash": "dashdot"}
        x, y = [epoch for epoch, _ in points], [value for _, value in points]
        drawn.append({"type": "scatter", "mode": "lines", "name": "pruner's threshold", "x": x, "y": y, "line": line})
    return picture(drawn, x="epoch", y=found.metric)


def _trace(kind: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": kind,
        "x": [],
        "y": [],
        "text": [],
        "hovertemplate": "%{text}, epoch %{x}: %{y:.5g}",
        "line": {"color": COLOURS.get(kind, GREY), "width": 1.5, "dash": DASHES.get(kind, "solid")},
        "marker": {"size": 3},
        "opacity": 0.7,
    }


def caption(found: Curves) -> str:
    """Who is who, and what is left out."""
    counts = Counter(curve.standing for curve in found.curves)
    said = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    thresholds = " The threshold is the one that the last trial was measured against at each epoch."
    drawn, all_of_them = len(chosen(found)), len(found.curves)
    part = " Half of them are the best." if drawn < all_of_them else ""
    return f"{said}.{thresholds if found.thresholds else ''}{left_out(drawn, all_of_them, 'curves')}{part}"


def table(found: Curves) -> Table:
    """A row per curve."""
    better = max if found.maximize else min
    rows = [
        (str(each.trial), each.standing, str(each.epochs[-1]), number(better(each.values)), number(each.values[-1]))
        for each in found.curves
    ]
    return Table(("trial", "state", "last epoch", f"best {found.metric}", "last"), rows)


FIGURE = Figure("Learning curves", "a trial that has reported an epoch", numbers, draw, table, caption)
