"""Parallel coordinates: a line per trial through its settings to its value. Lines of SVG, since WebGL needs `eval`."""

from __future__ import annotations

from typing import Any, NamedTuple

from tunefast.report.figures.drawing import GREY, HALO, ORANGE, picture
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.figures.scales import Scale, finite, scales
from tunefast.report.phrases import number, setting
from tunefast.store.snapshot import StudySnapshot

MOST_LINES = 300
BEST_SHARE = 10
"""One of so many trials is drawn as one of the best."""


class Line(NamedTuple):
    """A trial."""

    trial: int
    value: float
    settings: dict[str, Any]


class Lines(NamedTuple):
    """The complete trials, best first, and the axes: the value's is the last."""

    scales: list[Scale]
    lines: list[Line]

    @property
    def best(self) -> list[Line]:
        """Those drawn apart."""
        return self.lines[: max(1, len(self.lines) // BEST_SHARE)]


def numbers(study: StudySnapshot) -> Lines | None:
    """The settings and first value of each complete trial."""
    having = {trial.number for trial in finite(study)}
    ranked = [trial for trial in study.ranking if trial.number in having]
    settings = scales(study)
    if not ranked or not settings:
        return None
    values = [trial.values[0] for trial in ranked]
    value = Scale(study.spec.study.main_metric, min(values), max(values))
    lines = [Line(trial.number, trial.values[0], trial.params) for trial in ranked]
    return Lines([*settings, value], lines)


def shown(found: Lines) -> list[Line]:
    """The lines that are drawn, best first."""
    best = thinned(found.best, MOST_LINES // 2)
    return [*best, *thinned(found.lines[len(found.best) :], MOST_LINES - len(best))]


def draw(found: Lines) -> Drawing:
    """Two traces of many lines: the best above the others. A setting that a trial has not breaks its line."""
    best = {line.trial for line in found.best}
    lines = shown(found)
    others = _trace("other trials", [line for line in lines if line.trial not in best], found.scales)
    others |= {"line": {"color": GREY, "width": 1}, "opacity": 0.5}
    top = _trace("the best", [line for line in lines if line.trial in best], found.scales)
    top |= {"line": {"color": ORANGE, "width": 2.5}}
    names = [scale.name for scale in found.scales]
    columns = {
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "autotickangles": [0, 90],  # a slanted name leaves the page on a phone
        "range": [-0.5, len(names) - 0.5],
    }
    hidden = {"showticklabels": False, "range": [-0.12, 1.12], "zeroline": False, "showgrid": False}
    notes = [note for column, scale in enumerate(found.scales) for note in _ticks(column, scale)]
    return picture([others, top], x="", y="", xaxis=columns, yaxis=hidden, annotations=notes, height=440)


def _trace(name: str, lines: list[Line], axes: list[Scale]) -> dict[str, Any]:
    x: list[int | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for line in lines:
        for column, scale in enumerate(axes):
            is_value = column == len(axes) - 1
            value = line.value if is_value else line.settings.get(scale.name)
            x.append(column)
            y.append(None if value is None else scale.share(value))
            said = number(line.value) if is_value else setting(value)
            text.append(f"trial {line.trial}: {scale.name} {said}")
        x.append(None)
        y.append(None)
        text.append("")
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "text": text, "hovertemplate": "%{text}"}


def _ticks(column: int, scale: Scale) -> list[dict[str, Any]]:
    """What stands at the ends of an axis, or beside each of few choices."""
    if scale.labels:
        marks = {scale.share(label): label for label in scale.labels[:8]}
    else:
        marks = {-0.06: setting(scale.low), 1.06: setting(scale.high)}
    shared = {"x": column, "showarrow": False, "font": {"size": 11}, "bgcolor": HALO, "borderpad": 1}
    return [shared | {"y": at, "text": text} for at, text in marks.items()]


def caption(found: Lines) -> str:
    """What the colours mean."""
    best = "the best" if len(found.best) == 1 else f"the best {len(found.best):,}"
    return (
        f"Each line is a complete trial; {best} stand{'s' * (len(found.best) == 1)} out."
        f"{left_out(len(shown(found)), len(found.lines), 'trials')}"
    )


def table(found: Lines) -> Table:
    """A row per trial, best first."""
    names = [scale.name for scale in found.scales]
    rows = [
        (
            str(line.trial),
            number(line.value),
            *(setting(line.settings[name]) if name in line.settings else "-" for name in names[:-1]),
        )
        for line in found.lines
    ]
    return Table(("trial", names[-1], *names[:-1]), rows)


FIGURE = Figure("Settings together", "a complete trial with settings that are searched", numbers, draw, table, caption)
