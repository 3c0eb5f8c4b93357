"""`tunefast study watch` and `tunefast study logs`: looking at a study that others work on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tunefast.cli.live import LiveView
from tunefast.cli.options import Json, Storage, StudyName, Verbose
from tunefast.cli.output import console, print_json
from tunefast.cli.result import result_document, show_result
from tunefast.run.channel import Channel
from tunefast.run.commands import connect, is_worked_on
from tunefast.run.messages import Note, Over, Refused, State, Watch
from tunefast.run.output import LOG_FILE
from tunefast.shell import DEFAULT_STORAGE, command
from tunefast.store.engine import database_path
from tunefast.store.ownership import StateDirectory
from tunefast.store.rows import num_in_budget
from tunefast.store.snapshot import snapshot

LOOK_SECONDS = 0.5
"""Between two looks at logs that are followed."""


def watch(name: StudyName, storage: Storage = DEFAULT_STORAGE, to_json: Json = False, verbose: Verbose = False) -> None:
    """Show a study's progress until it ends or nobody works on it; Ctrl-C ends the watching alone."""
    path = database_path(storage)
    snapshot(path, name)  # a study that is not there is told at once
    out = console(to_json=to_json)
    channel = connect(StateDirectory(path))
    reason = ""
    if channel is not None:
        with channel, LiveView(out, storage) as view:
            reason = _follow(channel, name, view)
    study = snapshot(path, name)
    if to_json:
        print_json(result_document(path, study, reason))
    show_result(out, path, study, reason, storage)
    limit = study.spec.budget.trials
    if not reason and (limit is None or num_in_budget(study.trials) < limit or study.num_unfinished):
        out.print(f"\nNobody works on it. Go on: {command('study', 'run', name, storage=storage)}", soft_wrap=True)
    if study.trials and study.best is None and not study.num_unfinished:
        raise typer.Exit(1)


def _follow(channel: Channel, study: str, view: LiveView) -> str:
    """Show what the coordinator says; why the study ended, or nothing where it was only left."""
    channel.send(Watch(study=study))
    while (message := channel.receive()) is not None:
        match message:
            case State():
                view.show(message.progress)
            case Note():
                view.note(f"trial {message.trial}: {message.text}")
            case Over():
                return message.reason
            case Refused():
                return ""
    return ""


def logs(
    name: StudyName,
    trial: Annotated[int | None, typer.Option("--trial", help="One trial's output.", metavar="N")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on while somebody works on the study.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    verbose: Verbose = False,
) -> None:
    """Print what trials printed: one, or all with their numbers in front."""
    path = database_path(storage)
    study = snapshot(path, name)
    if trial is not None:
        study.trial(trial)
    outputs = _Outputs(StateDirectory(path).trials(study.uuid), trial)
    out = console()
    pause = threading.Event()
    while True:
        working = follow and is_worked_on(path, name)
        for line in outputs.new():
            out.print(line, markup=False, soft_wrap=True)
        if not working:
            return
        pause.wait(LOOK_SECONDS)


class _Outputs:
    """The logs of trials, each read from where it was read to before."""

    def __init__(self, directory: Path, trial: int | None) -> None:
        self._directory = directory
        self._trial = trial
        self._read: dict[Path, int] = {}

    def new(self) -> Iterator[str]:
        """Whole lines that are new, with the trial's number where there may be several trials."""
        name = "*" if self._trial is None else str(self._trial)
        files = sorted(self._directory.glob(f"{name}/{LOG_FILE}"), key=lambda file: int(file.parent.name))
        for file in files:
            with file.open("rb") as handle:
                handle.seek(self._read.get(file, 0))
                text = handle.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[file] = self._read.get(file, 0) + len(whole)
            prefix = f"[{file.parent.name}] " if self._trial is None else ""
            yield from (prefix + line for line in whole.decode(errors="replace").splitlines())
