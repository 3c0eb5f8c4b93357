"""A progress bar of a study that is worked on, in a terminal or a notebook."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from rich import progress as rich_progress
from rich.console import Console
from rich.text import Text

from tunefast.spec.progress import Progress

CLEAR = "\r\x1b[K"


class Bar:
    """Shows how many trials of a study have ended, the best value, and how long it will take.

    In a terminal it stands on standard error; where that is none, one line says where the study ended. A notebook
    without ipywidgets, which a bar there needs, gets a line that is written over.
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._as_line = console.is_jupyter and find_spec("ipywidgets") is None
        self._bar = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(bar_width=30),
            rich_progress.TextColumn("{task.fields[said]}", markup=False),
            console=console,
            disable=self._as_line,
        )
        self._task: rich_progress.TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._as_line:
            sys.stdout.write("\n")

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        if self._as_line:
            sys.stdout.write(f"{CLEAR}{text}\n")
        else:
            self._bar.console.print(Text(text, style="dim"), soft_wrap=True)

    def show(self, progress: Progress) -> None:
        """Show where the study stands."""
        said = in_words(progress)
        if self._as_line:
            sys.stdout.write(f"{CLEAR}{progress.study}  {said}")
            sys.stdout.flush()
        elif self._task is None:
            self._task = self._bar.add_task(
                progress.study, total=progress.trials, completed=progress.finished, said=said
            )
        else:
            self._bar.update(self._task, total=progress.trials, completed=progress.finished, said=said)


def in_words(progress: Progress) -> str:
    """How many trials have ended, the best value, and the minutes that are left."""
    total = "" if progress.trials is None else f"/{progress.trials}"
    imported = progress.counts.get("imported", 0)
    words = [f"{progress.finished}{total} trials{f' (+{imported} imported)' if imported else ''}"]
    if progress.best_value is not None:
        words.append(f"{progress.metric} {progress.best_value:.4g}")
    if progress.is_finishing:
        words.append("finishing")
    elif progress.eta_seconds:
        minutes, seconds = divmod(round(progress.eta_seconds), 60)
        words.append(f"about {minutes}:{seconds:02} left")
    return ", ".join(words)
