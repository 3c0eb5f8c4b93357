"""Asking ahead: trials that are drawn while others train."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.search.playing import live_study, play
from tests.store.databases import STUDY, rows, stock_study, stock_trials
from tunefast.search.live import LiveStudy
from tunefast.store import studies
from tunefast.store.database import Database

SPACE: dict[str, Any] = {"params.x": {"low": 0.0, "high": 1.0}, "params.kind": {"choices": ["plain", "deep"]}}


DRAWN = threading.Semaphore(0)
"""Released whenever a trial was drawn, of whichever study."""


def drawn_ahead(live: LiveStudy, num: int = 1) -> None:
    """Let trials be drawn, and wait for the next one."""
    while not live.prepare(num, DRAWN.release):
        assert DRAWN.acquire(timeout=30)


def params_of(live: LiveStudy, count: int, ahead: int) -> list[dict[str, Any]]:
    """The settings of trials that are played one after the other."""
    params = []
    for _ in range(count):
        if ahead:
            drawn_ahead(live, ahead)
        params.append(live.storage.get_trial(play(live, [0.5]).trial_id).params)
    return params


def test_what_is_drawn_ahead_is_nowhere_to_be_seen(database: Database) -> None:
    """Until it is claimed it has no row, counts for nothing, and its number is still free."""
    live = live_study(database, space=SPACE, budget={"trials": 2})
    drawn_ahead(live, 2)
    assert rows(database.path, "trials", "trial_params") == {"trials": [], "trial_params": []}
    assert live.storage.all_trials() == []
    first, second = live.claim(), live.claim()
    assert first is not None
    assert second is not None
    assert (first.number, second.number, live.claim()) == (0, 1, None)
    assert [trial.params for trial in stock_trials(database.path)] == [
        live.storage.get_trial(running.trial_id).params for running in (first, second)
    ]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_trial_drawn_ahead_is_what_it_would_have_been(database: Database, sampler: str) -> None:
    """Before its sampler learns, a trial's settings depend on the seed and its number, whenever they are drawn."""
    settings = {"space": SPACE, "sampler": {"name": sampler}, "budget": {"trials": 8}}
    whole = params_of(live_study(database, **settings), 8, ahead=0)
    studies.delete(database, STUDY)
    assert params_of(live_study(database, **settings), 8, ahead=3) == whole


def test_no_more_are_drawn_than_the_budget_has(database: Database) -> None:
    """At the end of a budget nothing is drawn that nobody could get."""
    live = live_study(database, space=SPACE, budget={"trials": 1})
    assert live.claim() is not None
    assert live.prepare(4, lambda: pytest.fail("a trial was drawn"))


def test_numbers_that_others_take_are_given_up(database: Database) -> None:
    """A trial whose number stock Optuna took meanwhile is not handed out under another."""
    live = live_study(database, space=SPACE, budget={"trials": 8})
    expected = params_of(live, 1, ahead=0)
    drawn_ahead(live, 2)
    with stock_study(database.path) as study:
        study.ask()
    claimed = live.claim()
    assert claimed is not None
    assert claimed.number == 2
    assert live.storage.get_trial(claimed.trial_id).params not in expected
    studies.delete(database, STUDY)
    whole = params_of(live_study(database, space=SPACE, budget={"trials": 8}), 3, ahead=0)
    assert live.storage.get_trial(claimed.trial_id).params == whole[2]


def test_what_was_enqueued_goes_first(database: Database) -> None:
    """A trial that waits in the database is handed out before one that was drawn ahead."""
    live = live_study(database, space=SPACE, budget={"trials": 8})
    drawn_ahead(live)
    with stock_study(database.path) as study:
        study.enqueue_trial({"params.x": 0.125, "params.kind": "deep"})
    live.reconcile()
    claimed = live.claim()
    assert claimed is not None
    assert live.storage.get_trial(claimed.trial_id).params == {"params.x": 0.125, "params.kind": "deep"}


def test_another_space_makes_what_was_drawn_void(database: Database) -> None:
    """After `study edit` no trial has settings from outside of the new space."""
    live = live_study(database, space=SPACE, budget={"trials": 8})
    drawn_ahead(live, 4)
    narrow = {**SPACE, "params.x": {"low": 0.9, "high": 1.0}}
    live.change(live.spec.model_copy(update={"space": live_spec_space(live, narrow)}))
    drawn_ahead(live)
    claimed = live.claim()
    assert claimed is not None
    assert live.storage.get_trial(claimed.trial_id).params["params.x"] >= 0.9


def live_spec_space(live: LiveStudy, space: dict[str, Any]) -> Any:
    """A space as a spec holds it."""
    return type(live.spec).model_validate({**live.spec.model_dump(exclude_unset=True), "space": space}).space


def test_trials_drawn_ahead_are_no_repetitions(database: Database) -> None:
    """Of a space with as many recipes as trials, none is drawn twice, also where several wait to be handed out."""
    space = {"params.kind": {"choices": list("abcdef")}}
    live = live_study(database, space=space, budget={"trials": 6})
    drawn_ahead(live, 6)
    claimed = [live.claim() for _ in range(6)]
    kinds = [live.storage.get_trial(running.trial_id).params["params.kind"] for running in claimed if running]
    assert len(set(kinds)) == len(kinds) == 6
