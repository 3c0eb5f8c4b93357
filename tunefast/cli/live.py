"""The live view of a study that is being worked on."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tunefast.cli.output import counts_line, duration, number, plain_table
from tunefast.run.specs import shipped
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.spec.progress import Progress, SlotView

BAR_WIDTH = 40
EPOCH_BAR = 8
LEAST_CURVE = 4
"""Points of a sparkline that stay, however narrow the terminal is."""
NUMBERS = ("trial", "metric", "samples", "memory", "use")
"""Columns that are flush right."""
SPARKS = "▁▂▃▄▅▆▇█"


class Page(NamedTuple):
    """What the terminal shows, from ``dashboards/terminal.toml``."""

    columns: list[str]
    figures: list[str]


def terminal_page() -> Page:
    """The page that ships with tunefast."""
    table = tomllib.loads(shipped("dashboards")["terminal"].read_text(encoding="utf-8"))
    return Page(table["columns"], table["figures"])


class LiveView:
    """Shows progress: a table that is drawn over in a terminal, a line per ended trial where the output is piped."""

    def __init__(self, console: Console, storage: str = DEFAULT_STORAGE) -> None:
        self._console = console
        self._storage = storage
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._page = terminal_page()
        self._said: tuple[int, bool] | None = None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        """Show where the study stands."""
        if self._live is not None:
            self._live.update(picture(progress, self._page, self._storage), refresh=True)
        elif (progress.finished, progress.held) != self._said:
            self._console.print(line(progress, self._storage), soft_wrap=True)
        self._said = progress.finished, progress.held

    def note(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(Text(text, style="dim"), soft_wrap=True)


def line(progress: Progress, storage: str = DEFAULT_STORAGE) -> str:
    """Where a study in `storage` stands, in one line."""
    return f"{_trials(progress)}; {_best(progress)}{_held(progress, storage)}"


def picture(progress: Progress, page: Page, storage: str = DEFAULT_STORAGE) -> Group:
    """The table of workers, and below it the figures of the study in `storage`, as `page` names them."""
    names = [progress.curve or progress.metric if column == "metric" else column for column in page.columns]
    table = plain_table(
        *names, right=tuple(name for name, column in zip(names, page.columns, strict=True) if column in NUMBERS)
    )
    for column, name in zip(table.columns, page.columns, strict=True):
        column.no_wrap, column.overflow = name != "curve", "ellipsis"  # so that it alone gives way where room is short
    for slot in progress.slots:
        table.add_row(
            *(COLUMNS[column](slot) for column in page.columns), style="" if slot.trial is not None else "dim"
        )
    drawn = (FIGURES[name](progress) for name in page.figures)
    figures = [Text(figure) if isinstance(figure, str) else figure for figure in drawn]
    return Group(Text.assemble((progress.study, "bold"), (_held(progress, storage), "yellow")), table, Text(), *figures)


def _held(progress: Progress, storage: str) -> str:
    return f"  paused; to go on: {command('study', 'resume', progress.study, storage=storage)}" if progress.held else ""


def _bar(progress: Progress) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    if progress.trials is not None:
        done = min(progress.finished, progress.trials)
        share = f"{done / progress.trials:.0%}"
        row.add_row(ProgressBar(total=progress.trials, completed=done, width=BAR_WIDTH), share)
    return row


def _best(progress: Progress) -> str:
    target = f" (target {number(progress.target)})" if progress.target is not None else ""
    if progress.best_value is None:
        return f"no {progress.metric} yet{target}"
    return f"best {progress.metric} {number(progress.best_value)}, trial {progress.best_trial}{target}"


def _trials(progress: Progress) -> str:
    total = f"/{progress.trials}" if progress.trials is not None else ""
    return f"{progress.finished}{total} trials ({counts_line(progress.counts) or 'none yet'})"


def _saved(progress: Progress) -> str:
    if not progress.epochs_saved:
        return "no trial stopped early yet"
    planned = progress.epochs_run + progress.epochs_saved
    return f"{progress.epochs_saved:,} of {planned:,} epochs saved by stopping early"


def _time(progress: Progress) -> str:
    left = f", about {duration(progress.eta_seconds)} left" if progress.eta_seconds else ""
    return f"{duration(progress.elapsed_seconds)} so far{', finishing' if progress.is_finishing else left}"


def _trial(slot: SlotView) -> str:
    if slot.trial is None:
        return "waits"
    return str(slot.trial) if slot.attempt == 1 else f"{slot.trial} #{slot.attempt}"


def _epoch(slot: SlotView) -> str:
    """How far a trial is, as a bar where its length is known."""
    if slot.trial is None:
        return ""
    if not slot.epochs:
        return str(slot.epoch)
    filled = round(EPOCH_BAR * min(1.0, slot.epoch / slot.epochs))
    return f"{'━' * filled}{'╌' * (EPOCH_BAR - filled)} {slot.epoch}/{slot.epochs}"


def sparkline(values: list[float]) -> str:
    """A curve in a line of text, from its least value to its greatest; a gap where a value is no finite number."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    low, high = min(finite) / 2, max(finite) / 2  # halves, whose difference is finite
    steps = len(SPARKS) - 1 if high > low else 0
    span = (high - low) or 1.0
    return "".join(SPARKS[round((value / 2 - low) / span * steps)] if math.isfinite(value) else " " for value in values)


def _speed(slot: SlotView) -> str:
    if slot.trial is None or slot.samples_per_second is None:
        return ""
    return f"{slot.samples_per_second:,.0f}/s"


def _memory(slot: SlotView) -> str:
    if slot.trial is None or slot.peak_memory_bytes is None:
        return ""
    return f"{slot.peak_memory_bytes / 2**30:.1f} GiB"


def _lately(progress: Progress) -> str:
    return "\n".join(progress.lately)


class Curve:
    """A curve as a sparkline, of which the latest part is left where there is little room."""

    def __init__(self, values: list[float]) -> None:
        self._line = sparkline(values)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self._line[-options.max_width :], no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(len(self._line), LEAST_CURVE), len(self._line))


def _use(slot: SlotView) -> str:
    return f"{slot.use:.0%}" if slot.trial is not None and slot.use is not None else ""


COLUMNS: dict[str, Callable[[SlotView], RenderableType]] = {
    "worker": lambda slot: slot.worker,
    "device": lambda slot: slot.device,
    "trial": _trial,
    "epoch": _epoch,
    "curve": lambda slot: Curve(slot.curve if slot.trial is not None else []),
    "samples": _speed,
    "memory": _memory,
    "use": _use,
    "metric": lambda slot: number(slot.metric) if slot.trial is not None else "",
}
FIGURES: dict[str, Callable[[Progress], RenderableType]] = {
    "progress": _bar,
    "best": _best,
    "trials": _trials,
    "saved": _saved,
    "time": _time,
    "lately": _lately,
}
