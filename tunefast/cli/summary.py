"""How a study went, in words: what a `study run` ends with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from optuna.trial import TrialState
from rich.console import Console
from rich.text import Text

from tunefast.cli.ledger import regret_document, show_regret
from tunefast.cli.output import amount, counts_line, number, show_commands, show_settings
from tunefast.cli.slot_table import show_slots, slots_document
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.report.sentences import imported_in_words, trials, written_in_words
from tunefast.shell import command
from tunefast.spec.progress import OUT_OF_MEMORY
from tunefast.spec.samplers import GridSampler
from tunefast.store.rows import main_value, num_in_budget, retried, state_word
from tunefast.store.snapshot import StudySnapshot
from tunefast.store.studies import CONFIRMATION

REASONS = {
    "trials": "its trials are used up",
    "minutes": "its time is used up",
    "target": "the target is reached",
    "failing": "its first trials all failed in the same way",
    "paused": "the machine has to be mended",
    "deleted": "somebody deleted it",
}


def why_over(study: StudySnapshot) -> str:
    """Why a study that is over ended, a key of `REASONS`."""
    if study.has_reached_target:
        return "target"
    return "minutes" if study.is_out_of_time else "trials"


def how_to_go_on(study: StudySnapshot, storage: str) -> str:
    """What lets a study that is over search on, in a sentence."""
    if study.confirms is not None:
        original = study.name.removesuffix(CONFIRMATION)
        return f"More seeds: {command('study', 'confirm', original, '--seeds', 'S', storage=storage)}"
    if isinstance(study.spec.study.sampler, GridSampler) and num_in_budget(study.trials) >= study.spec.num_cells:
        add = command("study", "edit", study.name, "--set", "space.PATH.choices=[...]", storage=storage)
        return f"Its grid is covered; add cells: {add}"
    extend = command("study", "extend", study.name, *_larger(study), storage=storage)
    return f"Search on with a larger budget: {extend}"


def _larger(study: StudySnapshot) -> Iterator[str]:
    """An option for each limit that is reached, and its value."""
    budget = study.spec.budget
    if study.has_reached_target:
        yield from ("--target", "VALUE")
    if budget.minutes is not None and study.is_out_of_time:
        yield from ("--minutes", f"{2 * budget.minutes:g}")
    if budget.trials is not None and num_in_budget(study.trials) >= budget.trials:
        yield from ("--trials", f"{2 * budget.trials}")


def document(study: StudySnapshot, reason: str) -> dict[str, Any]:
    """The summary as plain data."""
    best = study.best
    return {
        "study": study.name,
        "ended": reason,
        "trials": study.counts,
        "metric": study.spec.study.metric,
        "best": None if best is None else {"trial": best.number, "value": main_value(best), "params": best.params},
        "active_seconds": study.active_seconds,
        "train_seconds": study.train_seconds,
        "epochs_run": study.epochs_run,
        "epochs_planned": study.epochs_planned,
        "slot_seconds": slots_document(study),
        "regret": regret_document(study),
    }


def show_summary(console: Console, study: StudySnapshot, reason: str, storage: str) -> None:
    """Print what won, what stopping early saved, and the commands to type next."""
    ended = f": {REASONS[reason]}" if reason in REASONS else ""
    console.print(Text(f"Study {study.name}{ended}.", style="bold"))
    console.print(f"{trials(study.num_own)} in {amount(study.active_seconds)}: {counts_line(study.counts) or 'none'}.")
    infeasible = study.counts.get("infeasible", 0)
    if infeasible:
        console.print(f"{infeasible} of them {_why_infeasible(study)}.", soft_wrap=True)
    diverged = sum(trial.user_attrs.get("reason") == "diverged" for trial in study.trials)
    if diverged:
        metric = study.spec.study.curve_metric
        console.print(f"{diverged} of them diverged: their loss or {metric} was no finite number.", soft_wrap=True)
    if study.best is not None:
        _show_best(console, study)
    _show_saved(console, study)
    show_regret(console, study)
    show_slots(console, study)
    if reason != "failing":  # which shows the whole error below
        show_failure(console, study, storage)
    _show_next(console, study, reason, storage)


def _show_best(console: Console, study: StudySnapshot) -> None:
    best = study.best
    if best is None:
        return
    epoch = best.user_attrs.get("kept_epoch")
    of = f" of {study.spec.epochs_for(best.params)}" if study.spec.knows_epochs else ""
    at = f", at epoch {epoch}{of}" if epoch else ""
    source = f", {imported}" if (imported := imported_in_words(best)) else ""
    console.print()
    metric, *others = study.spec.study.metrics
    values = [number(value) for value in best.values]
    also = "".join(f", {name} {value}" for name, value in zip(others, values[1:], strict=True))
    console.print(Text(f"Best {metric}: {values[0]}{also} (trial {best.number}{at}{source})", style="bold green"))
    show_settings(console, best.params)
    for sentence in written_in_words(study):
        console.print(sentence)


def _why_infeasible(study: StudySnapshot) -> str:
    """What the trials that were infeasible lacked."""
    reasons = [trial.user_attrs.get("reason") for trial in study.trials if state_word(trial) == "infeasible"]
    if OUT_OF_MEMORY not in reasons:
        return "violated a constraint"
    others = "" if set(reasons) == {OUT_OF_MEMORY} else ", or violated a constraint"
    return f"needed more memory than there was{others}"


def show_failure(console: Console, study: StudySnapshot, storage: str) -> None:
    """Print what the first failed trial failed with, where no error of all of them is shown."""
    again = retried(study.trials)
    failed = next(
        (
            trial
            for trial in study.trials
            if trial.state == TrialState.FAIL and trial.number not in again and "error" in trial.user_attrs
        ),
        None,
    )
    if failed is None:
        return
    lines = str(failed.user_attrs["error"]).strip().splitlines()
    console.print()
    show = command("study", "show", study.name, "--trial", failed.number, storage=storage)
    console.print(f"Trial {failed.number} failed: {show}", soft_wrap=True)
    first = lines[:1] if not lines[0].startswith("Traceback") else []
    for line in dict.fromkeys((*first, lines[-1])):
        console.print(f"  {line}", soft_wrap=True)


def _show_saved(console: Console, study: StudySnapshot) -> None:
    saved = study.epochs_planned - study.epochs_run
    if saved <= 0 or study.epochs_run == 0 or not study.spec.knows_epochs:
        return
    seconds = study.train_seconds / study.epochs_run * saved
    share = saved / study.epochs_planned
    console.print()
    console.print(
        f"Stopping early saved {saved:,} of {study.epochs_planned:,} epochs ({share:.0%}), "
        f"about {amount(seconds)} of training."
    )


def _show_next(console: Console, study: StudySnapshot, reason: str, storage: str) -> None:
    more = 2 * (study.spec.budget.trials or len(study.trials) or 1)
    commands: list[tuple[tuple[object, ...], str]] = [
        (("study", "show", study.name), "every trial"),
        (("dashboard",), "browse it"),
    ]
    if study.best is not None and isinstance(study.spec.recipe_for(study.best.params), TrainingRecipe):
        commands.append((("train", "--study", study.name), "keep the best trial's model"))
    if study.best is not None:
        commands.append((("study", "confirm", study.name), "train the best 3 again on new seeds"))
    if study.counts.get("failed"):
        commands.append((("study", "retry", study.name), "train the failed trials again"))
    if reason == "failing" and not study.is_over:
        left = "those that wait and " * bool(study.counts.get("waiting"))
        commands.append((("study", "run", study.name), f"go on with {left}the rest, once what is wrong is mended"))
    if study.best is not None and not isinstance(study.spec.study.sampler, GridSampler):
        commands.append((("study", "extend", study.name, "--trials", more), "search on"))
    show_commands(console, [(command(*words, storage=storage), meaning) for words, meaning in commands])
