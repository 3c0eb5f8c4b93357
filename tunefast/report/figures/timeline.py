"""Timeline of workers: what ran where and when, and when nobody trained."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from tunefast.report.figures.drawing import COLOURS, GREY, picture, time_unit
from tunefast.report.figures.figure import Drawing, Figure, Table, left_out, thinned
from tunefast.report.phrases import brief
from tunefast.store.snapshot import StudySnapshot

MOST_BARS = 1500
BREAK_SECONDS = 5.0
"""Nobody trained for longer: the study was interrupted, or had ended before it was extended."""
ROW_HEIGHT, LEAST_HEIGHT, MOST_HEIGHT = 36, 220, 900
"""Pixels."""


class Stay(NamedTuple):
    """An attempt at a trial."""

    worker: str
    device: str
    trial: int
    attempt: int
    start: float
    """Seconds since the first attempt began."""
    end: float
    ending: str
    """How it ended; ``running`` where that is not known, ``waiting`` where its trial waited then."""


class Timeline(NamedTuple):
    """All attempts, in the order in which they began."""

    stays: list[Stay]

    @property
    def workers(self) -> dict[str, list[Stay]]:
        """The attempts by worker."""
        found: dict[str, list[Stay]] = defaultdict(list)
        for stay in self.stays:
            found[stay.worker].append(stay)
        return dict(found)

    @property
    def breaks(self) -> list[tuple[float, float]]:
        """When nobody worked on the study, from and to, between its first attempt and its last one."""
        ordered = sorted(self.stays, key=lambda each: each.start)
        reached = itertools.accumulate((stay.end for stay in ordered), max)
        gaps = [(before, stay.start) for before, stay in zip(reached, ordered[1:], strict=False)]
        return [(start, end) for start, end in gaps if end - start > BREAK_SECONDS]

    @property
    def until(self) -> float:
        """The last moment that is known, in seconds."""
        return max(stay.end for stay in self.stays)


def numbers(study: StudySnapshot) -> Timeline | None:
    """From the attempts; one whose end nobody noted ends where its worker, or its trial, was next begun with."""
    rows = sorted(study.attempts, key=lambda row: (row["started_at"], row["trial"]))
    if not rows:
        return None
    first = rows[0]["started_at"]
    known = [moment for row in rows for moment in (row["started_at"], row["ended_at"]) if moment is not None]
    ends = [row["ended_at"] or _next_start(rows, index) or max(known) for index, row in enumerate(rows)]
    return Timeline([_stay(row, first, end) for row, end in zip(rows, ends, strict=True)])


def _next_start(rows: list[dict[str, Any]], index: int) -> datetime | None:
    own = rows[index]
    later = (each for each in rows[index + 1 :] if each["worker"] == own["worker"] or each["trial"] == own["trial"])
    return next((each["started_at"] for each in later), None)


def _stay(row: dict[str, Any], first: datetime, end: datetime) -> Stay:
    start = (row["started_at"] - first).total_seconds()
    until = max(start, (end - first).total_seconds())
    ending = "waiting" if row["ending"] == "paused" else row["ending"] or "running"
    return Stay(row["worker"], row["device"], row["trial"], row["attempt"], start, until, ending)


def busy_seconds(stays: list[Stay]) -> float:
    """For how long at least one of the attempts of a worker ran."""
    busy, reached = 0.0, 0.0
    for stay in sorted(stays, key=lambda each: each.start):
        busy += max(0.0, stay.end - max(stay.start, reached))
        reached = max(reached, stay.end)
    return busy


def idle_seconds(stays: list[Stay], breaks: list[tuple[float, float]]) -> float:
    """For how long a worker trained nothing between its attempts, breaks of the study left out."""
    first, last = stays[0].start, max(stay.end for stay in stays)
    away = sum(max(0.0, min(end, last) - max(start, first)) for start, end in breaks)
    return last - first - away - busy_seconds(stays)


def draw(found: Timeline) -> Drawing:
    """A row per worker, a bar per attempt."""
    unit, seconds = time_unit(found.until)
    traces: dict[str, dict[str, Any]] = {}
    for stay in thinned(found.stays, MOST_BARS):
        trace = traces.setdefault(stay.ending, _trace(stay.ending))
        trace["y"].append(stay.worker)
        trace["base"].append(stay.start / seconds)
        trace["x"].append((stay.end - stay.start) / seconds)
        again = "" if stay.attempt == 1 else f", attempt {stay.attempt}"
        trace["text"].append(f"trial {stay.trial}{again} on {stay.device}: {brief(stay.end - stay.start)}")
    height = min(MOST_HEIGHT, max(LEAST_HEIGHT, 100 + ROW_HEIGHT * len(found.workers)))
    rows = {"autorange": "reversed", "type": "category"}
    return picture(
        list(traces.values()),
        x=f"{unit} since the first attempt began",
        y="",
        barmode="overlay",
        height=height,
        yaxis=rows,
    )


def _trace(ending: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": ending,
        "x": [],
        "y": [],
        "base": [],
        "text": [],
        "textposition": "none",
        "hovertemplate": "%{text}",
        "marker": {"color": COLOURS.get(ending, GREY), "line": {"width": 1, "color": "rgba(128,128,128,0.6)"}},
    }


def caption(found: Timeline) -> str:
    """How busy workers were."""
    return (
        "A bar is an attempt at a trial; gaps are time in which a worker trained nothing. Where nobody worked on the "
        "study, no worker counts as idle."
        f"{left_out(min(len(found.stays), MOST_BARS), len(found.stays), 'attempts')}"
    )


def table(found: Timeline) -> Table:
    """A row per worker."""
    rows, breaks = [], found.breaks
    for worker, stays in found.workers.items():
        busy, idle = busy_seconds(stays), idle_seconds(stays, breaks)
        share = f"{idle / (busy + idle):.0%}" if busy + idle else "-"
        rows.append((worker, stays[0].device, str(len(stays)), brief(busy), brief(idle), share))
    return Table(
        ("worker", "device", "attempts", "busy", "idle between", "share idle"), rows, "The sums of each worker."
    )


FIGURE = Figure("Workers", "a trial that a worker has begun", numbers, draw, table, caption)
