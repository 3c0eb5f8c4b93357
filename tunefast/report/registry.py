"""All figures by name, as ``dashboards/*.toml`` names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunefast.report.figures import (
    best,
    curves,
    importance,
    objectives,
    parallel,
    saved,
    slices,
    slots,
    techniques,
    throughput,
    timeline,
    tradeoff,
)
from tunefast.report.figures.figure import Figure

FIGURES: Mapping[str, Figure[Any]] = {
    "best_by_trial": best.BY_TRIAL,
    "best_by_time": best.BY_TIME,
    "curves": curves.FIGURE,
    "timeline": timeline.FIGURE,
    "tradeoff": tradeoff.FIGURE,
    "saved": saved.FIGURE,
    "parallel": parallel.FIGURE,
    "slices": slices.FIGURE,
    "objectives": objectives.FIGURE,
    "importance": importance.FIGURE,
    "techniques": techniques.FIGURE,
    "throughput": throughput.FIGURE,
    "slots": slots.FIGURE,
}
