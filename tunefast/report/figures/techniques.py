"""What each technique cost and bought: a value of a setting against another one, all else as equal as trials allow.

How trials are paired, and where the intervals come from, `tunefast.report.pairing` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from optuna.trial import FrozenTrial

from tunefast.report.figures.drawing import BLUE, GREY, VERMILION, labels_above, picture, rows_axis
from tunefast.report.figures.figure import Drawing, Figure, Table, thinned
from tunefast.report.figures.groups import base_of, groups
from tunefast.report.figures.outcomes import Progress, gaps, outcomes, time_gaps
from tunefast.report.figures.scales import Scale, scale_of
from tunefast.report.pairing import LEAST_EACH, Effect, Floats, Others, effect
from tunefast.report.phrases import setting
from tunefast.store.snapshot import StudySnapshot

MOST_EACH, MOST_DRAWN, LONGEST_LABEL = 150, 20, 52
"""Trials on either side of a comparison; comparisons; characters."""
ROW_HEIGHT = 46
"""Pixels."""
NO_PAIRS = "not enough pairs"
SEED = "seed"
"""A setting that is no technique."""


class Comparison(NamedTuple):
    """A value of a setting against another one."""

    setting: str
    value: str
    base: str
    num_with: int
    num_without: int
    """Trials."""
    gain: Effect | None
    """Of the metric; None where there are not enough pairs."""
    cost: Effect | None
    """Of the training seconds, as a share: 0.5 is half as much again."""

    @property
    def label(self) -> str:
        """What is compared with what."""
        return f"{self.setting}: {self.value} vs {self.base}"


class Techniques(NamedTuple):
    """All comparisons, setting by setting."""

    metric: str
    maximize: bool
    comparisons: list[Comparison]

    @property
    def answered(self) -> list[Comparison]:
        """Those for which there are enough pairs."""
        return [each for each in self.comparisons if each.gain is not None or each.cost is not None]


def applies(study: StudySnapshot) -> bool:
    """Whether it tries settings, and does not repeat some."""
    return study.confirms is None


def numbers(study: StudySnapshot) -> Techniques | None:
    """Every value against its setting's first one, or a number's middle third; None where no pairs are enough."""
    trials = outcomes(study)
    scales = _scales([each.trial for each in trials])
    found = [each for name in scales for each in _compared(name, scales, trials)]
    section = study.spec.study
    techniques = Techniques(section.curve_metric, section.curve_maximize, found)
    return techniques if techniques.answered else None


def _scales(trials: Sequence[FrozenTrial]) -> dict[str, Scale]:
    """Of each setting in which trials differ."""
    kinds = {path: kind for trial in trials for path, kind in trial.distributions.items() if path != SEED}
    values = {path: [trial.params[path] for trial in trials if path in trial.params] for path in kinds}
    differing = [path for path in kinds if len(set(map(setting, values[path]))) > 1]
    return {path: scale_of(path, values[path], kinds[path]) for path in differing}


def _compared(name: str, scales: dict[str, Scale], trials: Sequence[Progress]) -> list[Comparison]:
    """The comparisons of one setting."""
    having = [each for each in trials if name in each.trial.params]
    found = groups(scales[name], [each.trial.params[name] for each in having])
    base = base_of(found, scales[name], LEAST_EACH)
    without = [having[place] for place in base.members]
    compared = []
    for group in found:
        if group is not base:
            with_it = [having[place] for place in group.members]
            gain, cost = _effects(with_it, without, [each for path, each in scales.items() if path != name])
            compared.append(Comparison(name, group.label, base.label, len(with_it), len(without), gain, cost))
    return compared


def _effects(
    with_it: Sequence[Progress], without: Sequence[Progress], scales: Sequence[Scale]
) -> tuple[Effect | None, Effect | None]:
    """What a value did to the metric, and as a share to the training seconds."""
    sides = thinned(with_it, MOST_EACH), thinned(without, MOST_EACH)
    shared = [each for each in scales if all(any(each.name in own.trial.params for own in side) for side in sides)]
    others = [
        _others(side, shared) for side in sides
    ]  # what one side never has goes with the value, as momentum with SGD
    longer = effect(time_gaps(*sides), *others)
    return effect(gaps(*sides), *others), None if longer is None else Effect(*map(math.expm1, longer))


def _others(trials: Sequence[Progress], scales: Sequence[Scale]) -> Others:
    params = [each.trial.params for each in trials]

    def table(kind: Sequence[Scale], cell: Callable[[Scale, Any], float], lacking: float) -> Floats:
        rows = [[cell(each, own[each.name]) if each.name in own else lacking for each in kind] for own in params]
        return np.array(rows, dtype=float).reshape(len(params), len(kind))

    shares = table([each for each in scales if not each.labels], lambda each, value: each.share(value), math.nan)
    places = table([each for each in scales if each.labels], lambda each, value: each.labels.index(setting(value)), -1)
    return Others(shares, places.astype(np.int64))


def draw(found: Techniques) -> Drawing:
    """A row per comparison: the metric on the left, seconds on the right, each with its interval."""
    rows = found.answered[:MOST_DRAWN]
    sign = 1 if found.maximize else -1
    panels = (("", [each.gain for each in rows], sign, ".4g"), ("2", [each.cost for each in rows], -1, "+.1%"))
    traces = [trace for suffix, effects, good, style in panels for trace in _traces(suffix, rows, effects, good, style)]
    left = {
        "domain": [0.0, 0.47],
        "title": {"text": found.metric},
        "nticks": 4,
        "tickangle": 0,
    }
    right = {
        "domain": [0.53, 1.0],
        "title": {"text": "training seconds"},
        "tickformat": "+.0%",
        "nticks": 4,
        "tickangle": 0,
    }
    hidden = rows_axis(len(rows))
    axes = {
        "xaxis": left | {"zeroline": True, "zerolinewidth": 2},
        "xaxis2": right | {"zeroline": True, "zerolinewidth": 2, "anchor": "y2", "automargin": True},
        "yaxis": hidden,
        "yaxis2": hidden | {"anchor": "x2", "matches": "y"},
    }
    texts = [each.label if len(each.label) <= LONGEST_LABEL else f"{each.label[: LONGEST_LABEL - 1]}…" for each in rows]
    labels = labels_above(texts, 0.2)
    return picture(traces, x="", y="", showlegend=False, height=90 + ROW_HEIGHT * len(rows), annotations=labels, **axes)


def _traces(
    suffix: str, rows: Sequence[Comparison], effects: Sequence[Effect | None], good: int, style: str
) -> list[dict[str, Any]]:
    """The points of one panel: better, worse, and those of which the interval does not tell."""
    looks = {"better": (BLUE, "circle"), "worse": (VERMILION, "x"), "may be chance": (GREY, "circle-open")}
    traces = []
    for verdict, (colour, symbol) in looks.items():
        own = [(at, each) for at, each in enumerate(effects) if each is not None and _verdict(each, good) == verdict]
        if not own:
            continue
        known = [each for _, each in own]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": verdict,
                "x": [each.mean for each in known],
                "y": [at for at, _ in own],
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [each.high - each.mean for each in known],
                    "arrayminus": [each.mean - each.low for each in known],
                    "color": colour,
                    "thickness": 2,
                },
                "text": [f"{rows[at].label}: {_said(each, style)}" for at, each in own],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"color": colour, "symbol": symbol, "size": 9},
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
            }
        )
    return traces


def _verdict(found: Effect, good: int) -> str:
    return "may be chance" if not found.is_certain else "better" if good * found.mean > 0 else "worse"


def _said(found: Effect, style: str) -> str:
    mean, low, high = (f"{end:{style}}" for end in found)
    return f"{mean} ({low} to {high})"


def caption(found: Techniques) -> str:
    """How to read it, and what it cannot tell."""
    shown, answered, asked = min(len(found.answered), MOST_DRAWN), len(found.answered), len(found.comparisons)
    part = f" The first {shown} of {answered} are drawn." if shown < answered else ""
    rest = f" For {asked - answered} of {asked} comparisons there are not enough pairs." if answered < asked else ""
    better = "more" if found.maximize else "less"
    return (
        f"What a value changed against another one of its setting: the {found.metric} ({better} is better) after as "
        "many epochs (a whole trial's own at its end, else the best until then), and the training seconds of all "
        "planned epochs. From trials that are near each other in all other settings, with 95 % intervals: blue is "
        "better, a red cross worse, a grey ring may be chance. One interval in twenty misses; "
        f"a stopped trial shows only how a value begins.{part}{rest}"
    )


def table(found: Techniques) -> Table:
    """A row per comparison."""
    rows = [
        (
            each.setting,
            each.value,
            each.base,
            f"{each.num_with} and {each.num_without}",
            NO_PAIRS if each.gain is None else _said(each.gain, "+.4g"),
            NO_PAIRS if each.cost is None else _said(each.cost, "+.1%"),
        )
        for each in found.comparisons
    ]
    return Table(("setting", "value", "instead of", "trials", found.metric, "training seconds"), rows)


NEEDS = f"{LEAST_EACH} trials with a value and {LEAST_EACH} with another one that are near in all other settings"
FIGURE = Figure("What each technique cost and bought", NEEDS, numbers, draw, table, caption, applies)
