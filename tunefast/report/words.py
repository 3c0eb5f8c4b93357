"""The opening paragraph: what won, by how much, how sure that is, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from optuna.trial import FrozenTrial, TrialState

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.report.phrases import SECONDS_A_MINUTE, counts_line, duration, number, setting
from tunefast.report.sentences import lead_in_words, trials, winner_in_words, written_in_words
from tunefast.search.confirmed import Confirmation
from tunefast.spec.samplers import GridSampler
from tunefast.store.rows import EXTRAPOLATED, num_in_budget, retried, settings_of
from tunefast.store.snapshot import StudySnapshot
from tunefast.store.studies import CONFIRMATION


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


def opening(study: StudySnapshot, confirmation: Confirmation | None, flag: str = "") -> Opening:
    """The paragraph of a study; `flag` is what commands need to find its database."""
    winner = _winner(study, confirmation)
    settings = {} if winner is None else {path: setting(value) for path, value in settings_of(winner).items()}
    sentences = [_what_there_is(study), *_result(study, confirmation)]
    return Opening(sentences, settings, list(_next(study, confirmation, flag)))


def _winner(study: StudySnapshot, confirmation: Confirmation | None) -> FrozenTrial | None:
    if study.confirms is not None:
        return None
    confirmed = confirmation.winner if confirmation is not None else None
    return study.best if confirmed is None else study.trial(confirmed.trial)


def _what_there_is(study: StudySnapshot) -> str:
    counts = counts_line(study.counts)
    if not counts:
        return "No trial has begun yet."
    return f"{trials(len(study.trials))} in {duration(study.active_seconds)} of work: {counts}."


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
    yield f"Trial {best.number} won with {section.main_metric} {number(best.values[0])}."
    yield from written_in_words(study)
    if section.has_several:
        others = ", ".join(str(trial.number) for trial in study.front[:10])
        yield f"It is ranked by {section.main_metric}; best in one way or another are trials {others}."
    if len(study.ranking) > 1:
        second = study.ranking[1]
        gap = abs(best.values[0] - second.values[0])
        ahead = f"{number(gap)} better than" if gap else "as good as"
        yield f"That is {ahead} the runner-up, trial {second.number} with {number(second.values[0])}."
        yield "Each was trained once, so the difference may be chance: only training again on new seeds tells."
    else:
        yield "No other trial is complete, so there is nothing to compare it with."


def _without_winner(study: StudySnapshot) -> Iterator[str]:
    section, nearest = study.spec.study, study.nearest
    if section.target is not None and study.trials:
        aim = f"{section.target.metric} {number(section.target.value)}"
        yield f"No trial got to {aim}."
        if nearest is not None:
            needed = float(nearest.user_attrs[EXTRAPOLATED])
            said = duration(needed) if section.main_metric == "seconds_to_target" else number(needed)
            yield f"By its curve trial {nearest.number} would have been first, with {section.main_metric} {said}."
    elif study.trials and study.counts.get("failed", 0) == len(study.trials):
        last = next((_last_line(trial) for trial in study.trials if "error" in trial.user_attrs), "")
        yield f"Every trial failed.{f' The first one said: {last}' if last else ''}"
    elif study.trials:
        yield "No trial is complete yet, so nothing has won."


def _last_line(trial: FrozenTrial) -> str:
    lines = str(trial.user_attrs["error"]).strip().splitlines()
    return lines[-1] if lines else ""


def _next(study: StudySnapshot, confirmation: Confirmation | None, flag: str) -> Iterator[Command]:
    """What makes sense now, what matters most first."""
    quoted = shlex.quote(study.name)
    name = f"{quoted}{flag}"
    counts, best = study.counts, study.best
    if counts.get("failed"):
        failed = min(_failed(study), key=lambda trial: ("error" not in trial.user_attrs, trial.number)).number
        yield Command(f"tunefast study show {quoted} --trial {failed}{flag}", "see what a trial failed with")
        yield Command(f"tunefast study retry {name}", "train the failed trials again")
    is_over = _is_over(study)
    if not is_over:
        yield Command(f"tunefast study run {name}", "go on" if study.trials else "start")
    if study.confirms is not None:
        return
    if confirmation is not None and confirmation.is_unfinished:
        yield Command(
            f"tunefast study run {shlex.quote(study.name + CONFIRMATION)}{flag}", "finish its confirmation on new seeds"
        )
    elif best is not None and (confirmation is None or confirmation.winner is None):
        yield Command(f"tunefast study confirm {name}", "train the best 3 again on new seeds: how sure the winner is")
    elif confirmation is not None and confirmation.lead is not None and not confirmation.lead.is_certain:
        seeds = 2 * max(len(each.values) for each in confirmation.trials)
        more = f"tunefast study confirm {quoted} --top {len(confirmation.trials)} --seeds {seeds}{flag}"
        yield Command(more, "more seeds, to be surer")
    if best is not None and isinstance(study.spec.recipe_for(best.params), TrainingRecipe):
        yield Command(f"tunefast train --study {name}", "keep the winner's model")
    if is_over and not isinstance(study.spec.study.sampler, GridSampler):
        budget = 2 * (study.spec.budget.trials or len(study.trials) or 1)
        yield Command(f"tunefast study extend {quoted} --trials {budget}{flag}", "search on")


def _failed(study: StudySnapshot) -> list[FrozenTrial]:
    """The failed trials that nobody tried again."""
    again = retried(study.trials)
    return [trial for trial in study.trials if trial.state == TrialState.FAIL and trial.number not in again]


def _is_over(study: StudySnapshot) -> bool:
    """Whether running the study would end at once."""
    minutes = study.spec.budget.minutes
    is_out_of_time = minutes is not None and study.active_seconds >= minutes * SECONDS_A_MINUTE
    is_grid = isinstance(study.spec.study.sampler, GridSampler)
    all_ended = all(trial.state.is_finished() for trial in study.trials)
    is_covered = is_grid and all_ended and num_in_budget(study.trials) >= study.spec.num_cells
    return study.is_used_up or is_out_of_time or is_covered
