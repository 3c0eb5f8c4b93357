"""The live view of a study that is being worked on."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from tunefast.cli.output import counts_line, duration, number, plain_table
from tunefast.spec.progress import Progress

BAR_WIDTH = 40


class LiveView:
    """Shows progress: a table that is drawn over in a terminal, a line per ended trial where the output is piped."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._finished = -1

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
            self._live.update(picture(progress), refresh=True)
        elif progress.finished != self._finished:
            self._console.print(line(progress))
        self._finished = progress.finished

    def note(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(Text(text, style="dim"))


def line(progress: Progress) -> str:
    """Where a study stands, in one line."""
    total = f"/{progress.trials}" if progress.trials is not None else ""
    return f"{progress.finished}{total} trials ({counts_line(progress.counts) or 'none yet'}); {_best(progress)}"


def picture(progress: Progress) -> Group:
    """The table of workers and the figures of the study."""
    table = plain_table("worker", "trial", "epoch", progress.metric, right=("trial", "epoch", progress.metric))
    for slot in progress.slots:
        if slot.trial is None:
            table.add_row(slot.worker, "-", "", "", style="dim")
            continue
        trial = f"{slot.trial}" if slot.attempt == 1 else f"{slot.trial} (attempt {slot.attempt})"
        table.add_row(slot.worker, trial, f"{slot.epoch}/{slot.epochs}", number(slot.metric))
    return Group(Text(progress.study, style="bold"), table, Text(), _bar(progress), Text(_figures(progress)))


def _bar(progress: Progress) -> Table:
    row = Table.grid(padding=(0, 1))
    total = f"/{progress.trials}" if progress.trials is not None else ""
    text = f"{progress.finished}{total} trials"
    if progress.trials is None:
        row.add_row(text)
    else:
        row.add_row(ProgressBar(total=progress.trials, completed=progress.finished, width=BAR_WIDTH), text)
    return row


def _figures(progress: Progress) -> str:
    eta = f", about {duration(progress.eta_seconds)} left" if progress.eta_seconds is not None else ""
    saved = f"{progress.epochs_saved:,} epochs saved by stopping early" if progress.epochs_saved else "no trial stopped early yet"
    return "\n".join(
        [
            f"{_best(progress)}",
            f"{counts_line(progress.counts) or 'no trial yet'}; {saved}",
            f"{duration(progress.elapsed_seconds)} so far{eta}",
        ]
    )


def _best(progress: Progress) -> str:
    target = f" (target {number(progress.target)})" if progress.target is not None else ""
    if progress.best_value is None:
        return f"no {progress.metric} yet{target}"
    return f"best {progress.metric} {number(progress.best_value)}, trial {progress.best_trial}{target}"
