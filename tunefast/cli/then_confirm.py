"""From a search to the confirmation of its best trials, with the same workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from tunefast.cli.output import counts_line
from tunefast.cli.summary import REASONS
from tunefast.errors import UserError
from tunefast.run.commands import confirm_study
from tunefast.search.confirming import check_confirmable, confirmation_spec, ranking
from tunefast.shell import command
from tunefast.spec.costs import RACES
from tunefast.store.rows import num_in_budget
from tunefast.store.snapshot import StudySnapshot, confirmation, snapshot, study_names
from tunefast.store.studies import CONFIRMATION


class Wish(NamedTuple):
    """What is to be confirmed."""

    top: int
    """How many trials, the best ones."""
    seeds: int
    """How many new ones for each."""


@dataclass
class Confirming:
    """Begins the confirmation of the study `study` when its search has ended, where it found anything."""

    path: Path
    study: str
    wish: Wish
    num_workers: int
    out: Console
    name: str = field(default="", init=False)
    """Of the confirmation, once it has begun."""
    waits: bool = field(default=False, init=False)
    """Whether it is to be trained by one worker, once the others have gone."""

    def begin(self, reason: str) -> str | None:
        """Store the confirmation of a study that ended for `reason`; the name of what its workers are to go on with."""
        study = snapshot(self.path, self.study)
        if reason not in ("trials", "minutes", "target") or not ranking(study):
            return None
        confirming = begin_confirmation(self.path, study, self.wish)
        self.name = confirming.name
        self.out.print(f"The search is over: {REASONS[reason]} ({counts_line(study.counts)}).", soft_wrap=True)
        self.out.print(announced(study, confirming, self.wish), soft_wrap=True)
        self.waits = self.num_workers > 1 and compares_seconds(study)
        return None if self.waits else self.name


def check_room(path: Path, study: StudySnapshot) -> None:
    """Raise `UserError` where a study could not be confirmed when its search is over."""
    check_confirmable(study, path)
    name = f"{study.name}{CONFIRMATION}"
    if name in study_names(path) and confirmation(path, study) is None:
        raise UserError(
            message=f"study {name!r} is no confirmation of {study.name!r}; it is in the way: "
            f"{command('study', 'delete', name, storage=path)} makes room"
        )


def begin_confirmation(path: Path, study: StudySnapshot, wish: Wish) -> StudySnapshot:
    """Store what is to be trained, but for what has been before; the confirmation."""
    spec = confirmation_spec(study, wish.top, wish.seeds, path)
    confirm_study(path, study, spec)
    return snapshot(path, spec.study.name)


def compares_seconds(study: StudySnapshot) -> bool:
    """Whether its trials are compared by seconds, which they are to have for themselves, one after the other."""
    section = study.spec.study
    return "train_seconds" in (*section.metrics, *(RACES[metric] for metric in section.metrics if metric in RACES))


def announced(study: StudySnapshot, confirming: StudySnapshot, wish: Wish) -> str:
    """What is about to be trained."""
    num = len(ranking(study))
    which = f"the best {wish.top} trials" if num > wish.top else f"all {num} complete trials"
    which = "the complete trial" if num == 1 else "the best trial" if wish.top == 1 else which
    on = f"{wish.seeds} new seeds" if wish.seeds > 1 else "a new seed"
    runs = num_in_budget(confirming.trials)
    done = runs - sum(not trial.state.is_finished() for trial in confirming.trials)
    before = f", of which {done} have ended" if done else ""
    what = f"{runs} run{'s' * (runs != 1)}{before}"
    return f"Training {which} of {study.name} again on {on}: {what}, kept as study {confirming.name}."
