"""Training saved by stopping, with what pruning may have cost."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tunefast.report.figures.drawing import BLUE, SKY, picture
from tunefast.report.figures.figure import Drawing, Figure, Table
from tunefast.report.phrases import duration
from tunefast.report.sentences import regret_in_words
from tunefast.spec.progress import PRUNER, RACE
from tunefast.store.snapshot import StudySnapshot

REASONS = {PRUNER: "pruner", "early_stopping": "patience", RACE: "race"}
"""Why trials were stopped -> how it is called here."""
TO_THE_END = "not stopped"


class Share(NamedTuple):
    """The ended trials that one rule stopped, or none."""

    name: str
    num_trials: int
    num_run: int
    """Epochs that they ran."""
    num_saved: int
    """Epochs that they would have run besides."""


class Saved(NamedTuple):
    """What stopping saved."""

    shares: list[Share]
    train_seconds: float
    """That all epochs took."""
    num_epochs: int
    """That were run, of ended trials and others."""
    regret: list[str]
    """What it may have cost, in words."""

    @property
    def num_saved(self) -> int:
        """Epochs."""
        return sum(share.num_saved for share in self.shares)

    @property
    def saved_seconds(self) -> float:
        """About so much training, as if epochs that were not run took as long as those that were."""
        return self.train_seconds / self.num_epochs * self.num_saved if self.num_epochs else 0.0


def numbers(study: StudySnapshot) -> Saved | None:
    """By what stopped the trials; None where nobody knows how long trials would have been."""
    reached = Counter(row["trial"] for row in study.epochs)
    ended = [trial for trial in study.trials if trial.state.is_finished() and reached[trial.number]]
    if not ended or not study.spec.knows_epochs:
        return None
    by_name: dict[str, Share] = {}
    for trial in ended:
        name = REASONS.get(trial.user_attrs.get("reason", ""), TO_THE_END)
        run = reached[trial.number]
        saved = 0 if name == TO_THE_END else max(0, study.spec.epochs_for(trial.params) - run)
        share = by_name.get(name, Share(name, 0, 0, 0))
        by_name[name] = Share(name, share.num_trials + 1, share.num_run + run, share.num_saved + saved)
    shares = sorted(by_name.values(), key=lambda share: -share.num_saved)
    return Saved(shares, study.train_seconds, len(study.epochs), list(regret_in_words(study)))


def draw(found: Saved) -> Drawing:
    """A bar per rule: epochs run, and beside them those saved."""
    names = [share.name for share in found.shares]
    parts = {
        "epochs run": ([share.num_run for share in found.shares], BLUE, ""),
        "epochs saved": ([share.num_saved for share in found.shares], SKY, "/"),
    }
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": names,
            "x": counts,
            "hovertemplate": "%{y}: %{x:,} " + name,
            "marker": {"color": colour, "pattern": {"shape": shape}},
        }
        for name, (counts, colour, shape) in parts.items()
    ]
    rows = {"autorange": "reversed", "type": "category"}
    return picture(traces, x="epochs", y="", barmode="stack", height=240, yaxis=rows)


def caption(found: Saved) -> str:
    """How much that was."""
    planned = found.num_saved + sum(share.num_run for share in found.shares)
    share = f"{found.num_saved / planned:.0%}" if planned else "0%"
    saved = f"Stopping saved {found.num_saved:,} of {planned:,} epochs ({share})"
    return " ".join([f"{saved}, about {duration(found.saved_seconds)} of training.", *found.regret])


def table(found: Saved) -> Table:
    """A row per rule."""
    rows = [(each.name, str(each.num_trials), str(each.num_run), str(each.num_saved)) for each in found.shares]
    return Table(("stopped by", "trials", "epochs run", "epochs saved"), rows)


NEEDS = "an ended trial with epochs, of a study that says how many epochs a trial has"
FIGURE = Figure("Training saved by stopping", NEEDS, numbers, draw, table, caption)
