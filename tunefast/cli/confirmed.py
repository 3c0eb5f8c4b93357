"""Confirmations as people read them, and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from tunefast.cli.output import counts_line, number, plain_table, show_commands, show_settings
from tunefast.cli.summary import show_failure
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.report.sentences import lead_in_words, span, winner_in_words
from tunefast.search.confirmed import Confirmation, Repeated, confirmed
from tunefast.shell import command
from tunefast.store.rows import settings_of
from tunefast.store.snapshot import StudySnapshot


def repeated_document(repeated: Repeated) -> dict[str, Any]:
    """A trial that was trained again, as plain data."""
    return {
        "trial": repeated.trial,
        "value": repeated.searched,
        "mean": repeated.mean,
        "interval": repeated.interval,
        "values": repeated.values,
        "not_complete": repeated.others,
    }


def confirmation_document(study: StudySnapshot, confirming: StudySnapshot, reason: str) -> dict[str, Any]:
    """What came of the best trials of `study` on new seeds, as plain data."""
    found = confirmed(study, confirming)
    return {
        "study": study.name,
        "confirmation": confirming.name,
        "ended": reason,
        "metric": study.spec.study.main_metric,
        "trials": [{**repeated_document(each), "params": study.trial(each.trial).params} for each in found.trials],
        "winner": None if found.winner is None else found.winner.trial,
        "lead": None if found.lead is None else {**found.lead._asdict(), "certain": found.lead.is_certain},
        "order": found.order,
        "order_in_search": found.searched_order,
        "order_held": found.order_held,
        "tied": found.tied,
        "optimism": found.optimism,
    }


def show_confirmation(out: Console, study: StudySnapshot, confirming: StudySnapshot, reason: str, storage: str) -> None:
    """Print the means on new seeds beside the search's values, who is confirmed, and how sure that is."""
    found = confirmed(study, confirming)
    out.print(Text(f"The best of {study.name} on new seeds.", style="bold"))
    if reason in ("failing", "paused", "minutes"):
        show = command("study", "show", confirming.name, storage=storage)
        out.print(f"It ended before all was trained; every run: {show}", soft_wrap=True)
    if not found.trials:
        return
    out.print()
    _show_table(out, found)
    out.print()
    _show_winner(out, study, found, command("study", "run", confirming.name, storage=storage))
    for line in [] if found.is_unfinished else _remarks(found, is_ours=study.trains_with_ours):
        out.print(line, soft_wrap=True)
    if reason != "failing":  # which shows the whole error below
        show_failure(out, confirming, storage)
    _show_next(out, study, confirming, found, storage)


def _show_table(out: Console, found: Confirmation) -> None:
    columns = ("trial", "in the search", "seeds", "mean", "95 % interval", "difference")
    lost = ("not complete",) if any(each.others for each in found.trials) else ()
    table = plain_table(*columns, *lost, right=columns)
    for each in found.trials:
        row = (str(each.trial), number(each.searched), str(len(each.values)), number(each.mean), span(each.interval))
        gap = "-" if each.mean is None else f"{each.mean - each.searched:+.4f}"
        style = "green" if each is found.winner else ""
        table.add_row(*row, gap, *(counts_line(each.others) for _ in lost), style=style)
    out.print(table)


def _show_winner(out: Console, study: StudySnapshot, found: Confirmation, again: str) -> None:
    if found.is_unfinished:
        left = sum(count for each in found.trials for state, count in each.others.items() if state in _LEFT)
        out.print(f"{left} runs are still to be trained: {again}", soft_wrap=True)
    elif found.winner is None:
        out.print("None is confirmed, since no trial is complete on all of its seeds.", soft_wrap=True)
    else:
        out.print(Text(f"Confirmed: {winner_in_words(study, found.winner)}", style="bold green"), soft_wrap=True)
        show_settings(out, settings_of(study.trial(found.winner.trial)))


_LEFT = ("waiting", "running")


def _remarks(found: Confirmation, *, is_ours: bool) -> list[str]:
    """What people should know before they believe in the winner."""
    said = [] if found.lead is None else [lead_in_words(found.lead)]
    lost = [str(each.trial) for each in found.trials if not each.can_win]
    if lost and found.winner is not None:
        said.append(f"Not complete on all of its seeds, so no winner: trial {', '.join(lost)}.")
    if len(found.order) > 1:
        said.append(_order_in_words(found))
    if found.optimism is not None and found.optimism > 0:
        gap = number(found.optimism)
        said.append(f"The search's values are better than the means by {gap} on average: who is picked was lucky too.")
    if found.ignores_seeds and not is_ours:
        said.append("Every seed gave the same value: does the training use its seed?")
    return said


def _order_in_words(found: Confirmation) -> str:
    """Whether the order of the search held; ties are no order."""
    held = found.order_held
    if held:
        return "The order of the search held."
    before, after = (
        ", ".join(" = ".join(map(str, group)) for group in order) for order in (found.searched_tied, found.tied)
    )
    verdict = "The order did not hold" if held is False else "Trials tie, so whether the order held is open"
    return f"{verdict}: {before} in the search, {after} on new seeds."


def _show_next(
    out: Console, study: StudySnapshot, confirming: StudySnapshot, found: Confirmation, storage: str
) -> None:
    commands: list[tuple[tuple[object, ...], str]] = [(("study", "show", confirming.name), "every run")]
    if found.winner is not None:
        commands.append((("study", "best", study.name), "its whole recipe"))
        if isinstance(study.spec.recipe_for(study.trial(found.winner.trial).params), TrainingRecipe):
            commands.append((("train", "--study", study.name), "keep its model"))
    if confirming.counts.get("failed"):
        commands.append((("study", "retry", confirming.name), "train the failed runs again"))
    if found.winner is not None and not (found.lead is not None and found.lead.is_certain):
        top, seeds = len(found.trials), 2 * len(found.winner.values)
        more = ("study", "confirm", study.name, "--top", top, "--seeds", seeds)
        commands.append((more, "to be surer"))
    show_commands(out, [(command(*words, storage=storage), meaning) for words, meaning in commands])
