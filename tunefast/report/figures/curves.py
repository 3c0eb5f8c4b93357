"""Learning curves, and what the pruner measured trials against."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tunefast.report.figures.drawing import COLOURS, DASHES, EARLY_STOPPED, GREY, PURPLE, VERMILION, picture, standing
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.figures.reported import reported
from tunefast.report.phrases import number
from tunefast.search.pruning.rule import THRESHOLD
from tunefast.search.race import NEEDED
from tunefast.store.snapshot import StudySnapshot

MOST_CURVES, MOST_POINTS = 200, 100
FEW_CURVES = 30
"""Of so many trials the thresholds are drawn by trial at once; of more when somebody asks for them in the legend."""
WHOLE = ("complete", EARLY_STOPPED)
"""How trials stand that have got to their end."""
RING = {"mode": "markers", "showlegend": False, "opacity": 1.0}


class Curve(NamedTuple):
    """What a trial reported of the metric that trials are compared by."""

    trial: int
    standing: str
    epochs: list[int]
    values: list[float]
    kept: tuple[int, float]
    """The epoch that counts, and the trial's value as the study has it."""
    thresholds: Mapping[int, float] = MappingProxyType({})
    """Epoch -> what the trial was measured against there: by the pruner, or by a race as needed to win."""


class Curves(NamedTuple):
    """The curves of a study."""

    metric: str
    maximize: bool
    curves: list[Curve]
    target: float | None = None
    """That trials race to."""

    @property
    def last_thresholds(self) -> dict[int, float]:
        """Epoch -> what the last trial that was judged there was measured against."""
        found = {epoch: value for curve in self.curves for epoch, value in curve.thresholds.items()}
        return dict(sorted(found.items()))

    @property
    def thresholds_differ(self) -> bool:
        """Whether trials were measured against different values at one epoch."""
        last = self.last_thresholds
        return any(value != last[epoch] for curve in self.curves for epoch, value in curve.thresholds.items())


def numbers(study: StudySnapshot) -> Curves | None:
    """By trial, from the reports of its epochs; from Optuna's intermediate values where there are no such reports."""
    section = study.spec.study
    judged_by = THRESHOLD if section.target is None else NEEDED
    thresholds: dict[int, dict[int, float]] = defaultdict(dict)
    for row in study.epochs:
        details = row["details"] or {}
        threshold = details.get(judged_by, details.get(THRESHOLD))
        if threshold is not None:
            thresholds[row["trial"]][row["epoch"]] = threshold
    found = [
        Curve(
            each.trial.number,
            "waiting" if each.trial.number in study.begun_waiting else standing(each.trial),
            list(each.curve),
            list(each.curve.values()),
            (each.epoch, each.value),
            thresholds[each.trial.number],
        )
        for each in reported(study)
        if each.epoch is not None and each.value is not None
    ]
    target = None if section.target is None else section.target.value
    return Curves(section.curve_metric, section.curve_maximize, found, target) if found else None


def chosen(found: Curves) -> list[Curve]:
    """The curves that are drawn where there are many: half of them the best, the others from all over the study."""
    if len(found.curves) <= MOST_CURVES:
        return found.curves
    best = {each.trial for each in sorted(found.curves, key=lambda each: _cost(found, each))[: MOST_CURVES // 2]}
    others = thinned([each for each in found.curves if each.trial not in best], MOST_CURVES // 2)
    kept = best | {each.trial for each in others}
    return [each for each in found.curves if each.trial in kept]


def _cost(found: Curves, curve: Curve) -> float:
    return -curve.kept[1] if found.maximize else curve.kept[1]


def draw(found: Curves) -> Drawing:
    """A line per trial, a ring where a complete one's value stands; the legend hides those alike together."""
    traces: dict[str, dict[str, Any]] = {}
    shown = chosen(found)
    for curve in shown:
        trace = traces.setdefault(curve.standing, _trace(curve.standing))
        points = thinned(list(zip(curve.epochs, curve.values, strict=True)), MOST_POINTS)
        _add(trace, points, [_said(found, curve, epoch) for epoch, _ in points])
    drawn = [traces[kind] for kind in ("pruned", *traces) if kind in traces]
    drawn = list({trace["name"]: trace for trace in drawn}.values())  # the stopped ones below the others
    return picture([*drawn, *_rings(shown), *_thresholds(found, shown)], x="epoch", y=found.metric)


def _rings(shown: list[Curve]) -> list[dict[str, Any]]:
    """Where the values of complete trials stand, in the colours of their lines."""
    rings: dict[str, dict[str, Any]] = {}
    for curve in shown:
        if curve.standing in WHOLE:
            marker = {"color": COLOURS[curve.standing], "size": 10, "symbol": "circle-open"}
            trace = rings.setdefault(curve.standing, _trace(curve.standing) | RING | {"marker": marker})
            _add(trace, [curve.kept], [f"trial {curve.trial}, its value"])
    return list(rings.values())


def _add(trace: dict[str, Any], points: list[tuple[int, float]], said: list[str]) -> None:
    """Another line of a trace."""
    trace["x"] += [*(epoch for epoch, _ in points), None]
    trace["y"] += [*(value for _, value in points), None]
    trace["text"] += [*said, ""]


def _said(found: Curves, curve: Curve, epoch: int) -> str:
    """Which trial, and what it was measured against there."""
    threshold = curve.thresholds.get(epoch)
    against = "" if threshold is None else f" ({_judged(found)} {number(threshold)})"
    return f"trial {curve.trial}{against}"


def _judged(found: Curves) -> str:
    return "against" if found.target is None else "needed to win"


def _thresholds(found: Curves, shown: list[Curve]) -> list[dict[str, Any]]:
    """The last one of each epoch, those of each trial where they differ, and the target of a race."""
    name = "pruner's threshold" if found.target is None else "needed to win"
    traces = []
    if found.thresholds_differ:
        own = _trace(f"{name}, by trial") | {"opacity": 0.6}
        own["line"] = {"color": VERMILION, "width": 1, "dash": "dashdot"}
        for curve in shown:
            points = thinned(list(curve.thresholds.items()), MOST_POINTS)
            _add(own, points, [f"trial {curve.trial}, {_judged(found)}"] * len(points))
        traces.append(own | {"visible": True if len(shown) <= FEW_CURVES else "legendonly"})
    last = thinned(list(found.last_thresholds.items()), MOST_POINTS)
    if last:
        line = _trace(f"{name}, last one" if found.thresholds_differ else name) | {"mode": "lines", "opacity": 1.0}
        line["line"] = {"color": VERMILION, "width": 3, "dash": "dashdot"}
        _add(line, last, ["the last one"] * len(last))
        traces.append(line)
    if found.target is not None:
        goal = _trace("target") | {"mode": "lines", "opacity": 1.0}
        goal["line"] = {"color": PURPLE, "width": 2, "dash": "longdash"}
        ends = [1, max(2, *(curve.epochs[-1] for curve in found.curves))]
        _add(goal, [(epoch, found.target) for epoch in ends], ["target"] * len(ends))
        traces.append(goal)
    return traces


def _trace(kind: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": kind,
        "legendgroup": kind,
        "x": [],
        "y": [],
        "text": [],
        "hovertemplate": "%{text}, epoch %{x}: %{y:.5g}",
        "line": {"color": COLOURS.get(kind, GREY), "width": 1.5, "dash": DASHES.get(kind, "solid")},
        "marker": {"size": 4},
        "opacity": 0.7,
    }


def caption(found: Curves) -> str:
    """Who is who, and what is left out."""
    counts = Counter(curve.standing for curve in found.curves)
    said = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    drawn, all_of_them = len(chosen(found)), len(found.curves)
    part = " Half of them are the best." if drawn < all_of_them else ""
    rings = " A ring is the epoch whose weights count, with the trial's value."
    ringed = rings if any(curve.standing in WHOLE for curve in found.curves) else ""
    return f"{said}.{ringed}{_measured(found)}{left_out(drawn, all_of_them, 'curves')}{part}"


def _measured(found: Curves) -> str:
    """What trials were measured against."""
    if not found.last_thresholds:
        return ""
    if found.target is not None:
        what = "What was needed to win is where a trial had to be to get to the target in time"
    else:
        what = "The threshold is what the pruner measured trials against"
    if not found.thresholds_differ:
        return f" {what}."
    hidden = " (hidden: click on it in the legend)" if len(chosen(found)) > FEW_CURVES else ""
    return f" {what}; it moves as a study learns: the thick line is the last one, thin ones are each trial's{hidden}."


def table(found: Curves) -> Table:
    """A row per curve."""
    rows = [
        (
            str(each.trial),
            each.standing,
            number(each.kept[1]),
            str(each.kept[0]),
            str(each.epochs[-1]),
            number(each.values[-1]),
            number(each.thresholds[max(each.thresholds)] if each.thresholds else None),
        )
        for each in found.curves
    ]
    return Table(("trial", "state", found.metric, "at epoch", "last epoch", "last", _judged(found)), rows)


FIGURE = Figure("Learning curves", "a trial that has reported an epoch", numbers, draw, table, caption)
