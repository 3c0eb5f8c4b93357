"""The opening paragraph: what won, by how much, how sure that is, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from typing import NamedTuple

from optuna.trial import FrozenTrial, TrialState

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.report.phrases import brief, counts_line, duration, number, race_cost, setting
from tunefast.report.sentences import lead_in_words, trials, winner_in_words, written_in_words
from tunefast.search.confirmed import Confirmation
from tunefast.spec.samplers import GridSampler
from tunefast.store.rows import EXTRAPOLATED, IMPORTED, retried, settings_of
from tunefast.store.snapshot import StudySnapshot
from tunefast.store.studies import CONFIRMATION

MOST_NAMED, TOP = 10, 3
"""Trials of a front; those that are confirmed where nobody says how many."""
LEAST_GAP = 1e-4
"""What four digits show."""


class Command(NamedTuple):
    """What to type next."""

    line: str
    meaning: str


class Opening(NamedTuple):
    """What a page begins with."""

    sentences: list[str]
    settings: dict[str, str]
    """Of the winner; empty where there is none."""
    commands: list[Command]


def opening(
    study: StudySnapshot, confirmation: Confirmation | None, flag: str = "", at_work: Collection[str] | None = ()
) -> Opening:
    """The paragraph of a study; `flag` is what commands need to find its database.

    `at_work` are the names of the studies that workers work on; None where nobody knows.
    """
    winner = _winner(study, confirmation)
    settings = {} if winner is None else {path: setting(value) for path, value in settings_of(winner).items()}
    sentences = [_what_there_is(study), *_result(study, confirmation)]
    return Opening(sentences, settings, list(_next(study, confirmation, flag, at_work)))


def _winner(study: StudySnapshot, confirmation: Confirmation | None) -> FrozenTrial | None:
    if study.confirms is not None:
        return None
    confirmed = confirmation.winner if confirmation is not None else None
    return study.best if confirmed is None else study.trial(confirmed.trial)


def _what_there_is(study: StudySnapshot) -> str:
    counts = {state: count for state, count in study.counts.items() if count}
    if not study.num_own:
        return f"No trial has begun yet{f'; {counts_line(counts)}' if counts else ''}."
    begun = f"{trials(study.num_own)} in {duration(study.active_seconds)} of work"
    if len(counts) > 1:
        return f"{begun}: {counts_line(counts)}."
    return f"{begun}, {'all ' * (study.num_own > 1)}{next(iter(counts))}."


def _result(study: StudySnapshot, confirmation: Confirmation | None) -> Iterator[str]:
    """What won, by how much, how sure; or why nothing did."""
    if study.confirms is not None:
        original = study.name.removesuffix(CONFIRMATION)
        yield f"It trains the best trials of {original} again on new seeds; see the report of {original}."
    elif study.best is None:
        yield from _without_winner(study)
    elif confirmation is not None and confirmation.winner is not None:
        yield f"Confirmed: {winner_in_words(study, confirmation.winner)}."
        if confirmation.lead is not None:
            yield lead_in_words(confirmation.lead)
        if confirmation.winner.trial != study.best.number:
            yield f"The search itself had trial {study.best.number} first, with {number(study.best.values[0])}."
    else:
        yield from _searched(study, study.best)
        if confirmation is not None:
            left = "is not finished" if confirmation.is_unfinished else "names no winner"
            yield f"Its confirmation on new seeds {left}."


def _searched(study: StudySnapshot, best: FrozenTrial) -> Iterator[str]:
    """The winner of a search that nobody confirmed."""
    section = study.spec.study
    verb = "won" if study.is_over else "leads"
    if section.target is not None:
        aim = f"{section.target.metric} {number(section.target.value)}"
        yield f"Trial {best.number} {verb}: it got to {aim} after {_amount(study, best.values[0])}."
    else:
        yield f"Trial {best.number} {verb} with {_values(study, best)}."
    if IMPORTED in best.user_attrs:
        yield f"It was imported ({best.user_attrs[IMPORTED]}), so it was trained elsewhere."
    yield from written_in_words(study)
    yield from _ahead(study, best)
    if section.has_several:
        yield _front_in_words(study)


def _values(study: StudySnapshot, trial: FrozenTrial) -> str:
    """A trial's value of each objective."""
    pairs = zip(study.spec.study.metrics, trial.values, strict=True)
    return ", ".join(f"{metric} {number(value)}" for metric, value in pairs)


def _front_in_words(study: StudySnapshot) -> str:
    """Who else is best in another way."""
    front = [str(trial.number) for trial in study.front]
    if len(front) == 1:
        return "No other trial beats it in any objective."
    more = f" and {len(front) - MOST_NAMED} more" if len(front) > MOST_NAMED else ""
    named = ", ".join(front[:MOST_NAMED])
    return f"The first objective decides; on the front, where none beats another in all, are trials {named}{more}."


def _ahead(study: StudySnapshot, best: FrozenTrial) -> Iterator[str]:
    """By how much it is ahead of the runner-up, and how sure that is."""
    if len(study.ranking) == 1:
        yield "No other trial is complete, so there is nothing to compare it with."
        return
    second = study.ranking[1]
    gap = abs(best.values[0] - second.values[0])
    if study.spec.study.target is not None:
        took = f"{_amount(study, gap)} more" if gap else "as much"
        yield f"The runner-up, trial {second.number}, took {took}."
    else:
        said = "less than 0.0001" if 0 < gap < LEAST_GAP else number(gap)
        behind = f"{said} behind" if gap else "as good"
        yield f"The runner-up, trial {second.number} with {number(second.values[0])}, is {behind}."
    told = "so the difference may be chance" if gap else "so chance may hide a difference"
    yield f"Each was trained once, {told}: only training again on new seeds tells."


def _amount(study: StudySnapshot, value: float) -> str:
    """What a trial of a race spent, with its unit."""
    return race_cost(study.spec.study.main_metric, value, lambda seconds: f"{brief(seconds)} of training")


def _without_winner(study: StudySnapshot) -> Iterator[str]:
    section, nearest = study.spec.study, study.nearest
    if study.trials and study.counts.get("failed", 0) == len(study.trials):
        last = next((_last_line(trial) for trial in study.trials if "error" in trial.user_attrs), "")
        if last:
            yield f"{'The first one' if len(study.trials) > 1 else 'It'} said: {last}"
    elif section.target is not None and study.trials:
        aim = f"{section.target.metric} {number(section.target.value)}"
        yield f"No trial got to {aim}."
        if nearest is not None:
            needed = _amount(study, float(nearest.user_attrs[EXTRAPOLATED]))
            yield f"By its curve trial {nearest.number} would have been first, after {needed}."
    elif study.trials:
        yield f"No trial is complete{'' if study.is_over else ' yet'}, so nothing has won."


def _last_line(trial: FrozenTrial) -> str:
    lines = str(trial.user_attrs["error"]).strip().splitlines()
    return lines[-1] if lines else ""


def _next(
    study: StudySnapshot, confirmation: Confirmation | None, flag: str, at_work: Collection[str] | None
) -> Iterator[Command]:
    """What makes sense now, what matters most first."""
    known = at_work is not None
    at_work = [study.name] if at_work is None and "running" in study.counts else at_work or ()
    quoted = shlex.quote(study.name)
    name, best = f"{quoted}{flag}", study.best
    if study.counts.get("failed"):
        failed = min(_failed(study), key=lambda trial: ("error" not in trial.user_attrs, trial.number)).number
        yield Command(f"tunefast study show {quoted} --trial {failed}{flag}", "see what a trial failed with")
        yield Command(f"tunefast study retry {name}", "train the failed trials again")
    if study.name in at_work:
        yield (
            Command(f"tunefast study resume {name}", "go on: it was paused, and its workers wait")
            if study.held and known
            else Command(f"tunefast study watch {name}", "follow it in a terminal")
        )
        return
    if not study.is_over:
        yield Command(f"tunefast study run {name}", "go on" if study.trials else "start")
    if study.confirms is not None:
        return
    yield from _confirming(study, confirmation, flag, at_work)
    if best is not None and isinstance(study.spec.recipe_for(best.params), TrainingRecipe):
        yield Command(f"tunefast train --study {name}", "keep the winner's model")
    if study.is_over and not isinstance(study.spec.study.sampler, GridSampler):
        budget = 2 * (study.spec.budget.trials or len(study.trials) or 1)
        yield Command(f"tunefast study extend {quoted} --trials {budget}{flag}", "search on")


def _confirming(
    study: StudySnapshot, confirmation: Confirmation | None, flag: str, at_work: Collection[str]
) -> Iterator[Command]:
    """What makes the winner surer."""
    quoted, again = shlex.quote(study.name), f"{shlex.quote(study.name + CONFIRMATION)}{flag}"
    if confirmation is not None and confirmation.is_unfinished:
        if study.name + CONFIRMATION in at_work:
            yield Command(f"tunefast study watch {again}", "follow its confirmation on new seeds")
        else:
            yield Command(f"tunefast study run {again}", "finish its confirmation on new seeds")
    elif study.best is not None and (confirmation is None or confirmation.winner is None):
        those = f"the best {min(TOP, len(study.complete))}" if len(study.complete) > 1 else "it"
        yield Command(
            f"tunefast study confirm {quoted}{flag}", f"train {those} again on new seeds: how sure the winner is"
        )
    elif confirmation is not None and confirmation.lead is not None and not confirmation.lead.is_certain:
        seeds = 2 * max(len(each.values) for each in confirmation.trials)
        more = f"tunefast study confirm {quoted} --top {len(confirmation.trials)} --seeds {seeds}{flag}"
        yield Command(more, "more seeds, to be surer")


def _failed(study: StudySnapshot) -> list[FrozenTrial]:
    """The failed trials that nobody tried again."""
    again = retried(study.trials)
    return [trial for trial in study.trials if trial.state == TrialState.FAIL and trial.number not in again]
