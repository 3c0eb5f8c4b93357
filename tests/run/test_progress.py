"""Progress: where a live study stands, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.playing import claimed, fail, finish, live_study, play, report
from tunefast.run.leases import Lease
from tunefast.run.progress import progress_of, thinned
from tunefast.spec.progress import CURVE_POINTS, Ending, SlotView, Verdict
from tunefast.store.database import Database


@dataclass
class Slot:
    """A worker's slot."""

    name: str
    lease: Lease | None = None
    device: str = "cpu"
    use: float | None = 0.5


def slot(name: str, trial: int) -> Slot:
    """A slot that trains."""
    return Slot(name, Lease("study", trial, 1, 1, "cpu"))


def test_the_figures_of_a_study(database: Database) -> None:
    """Counts, best, epochs and the time that is left, from what has ended so far."""
    live = live_study(database, budget={"trials": 8, "target": 0.9})
    before = progress_of(live, [])
    assert (before.finished, before.best_trial, before.best_value, before.eta_seconds) == (0, None, None, None)
    play(live, [0.5, 0.75])
    fail(live, "ValueError")
    pruned = claimed(live)
    report(live, pruned, 1, 0.1)
    finish(live, pruned, Ending.PRUNED, reason="pruner")
    running = claimed(live)
    report(live, running, 1, 0.6)
    live.active_seconds = 10.0
    now = progress_of(live, [])
    assert now.counts == {"complete": 1, "failed": 1, "pruned": 1, "running": 1}
    assert (now.study, now.metric, now.direction, now.trials, now.target) == ("study", "score", "maximize", 8, 0.9)
    assert (now.finished, now.best_trial, now.best_value) == (3, 0, 0.75)
    assert (now.elapsed_seconds, now.eta_seconds) == (10.0, 10 / 3 * 5)
    assert (now.epochs_run, now.epochs_saved) == (4, 9)


def test_trials_that_wait_are_as_good_as_done(database: Database) -> None:
    """Most never go on, so the time that is left goes by those that have not begun; then nothing tells."""
    live = live_study(database, budget={"trials": 8})
    play(live, [0.5])
    live.active_seconds = 10.0
    waiting = claimed(live)
    live.paused.update(dict.fromkeys((5, 6, 7), waiting))  # which are only counted
    live.put_back(waiting)
    assert (progress_of(live, []).counts["waiting"], progress_of(live, []).finished) == (4, 1)
    assert live.claim() is waiting
    assert progress_of(live, []).eta_seconds == 10 / 4 * 4
    live.paused.update(dict.fromkeys(range(10, 14), waiting))
    assert progress_of(live, []).eta_seconds is None


def test_what_waiting_trials_will_train_for_is_foretold(database: Database) -> None:
    """When no more trials begin, the best at its rung still has epochs to come, at the pace until then."""
    asha = {"name": "asha", "min_epochs": 1, "reduction": 4, "promote": True}
    live = live_study(database, budget={"trials": 4}, pruner=asha, recipe={"epochs": 4})
    for value in (0.9, 0.8, 0.7, 0.6):
        running = claimed(live)
        assert report(live, running, 1, value).verdict is Verdict.PAUSE
        live.release(running.number, "paused", paused=True)
    live.active_seconds = 8.0
    assert progress_of(live, []).eta_seconds == 8 / 4 * 3


def test_a_trial_beyond_the_budget_takes_nobody_knows_how_long(database: Database) -> None:
    """As one that runs on though as many have ended as the budget has: no 0 seconds are promised."""
    live = live_study(database, budget={"trials": 2})
    play(live, [0.5])
    running = claimed(live)
    live.paused.update(dict.fromkeys((5,), running))
    now = progress_of(live, [])
    assert (now.eta_seconds, now.is_finishing) == (None, True)


def test_a_study_by_the_minute_has_no_end_in_sight(database: Database) -> None:
    """Where the budget does not count trials there is no telling how long they take."""
    live = live_study(database, budget={"minutes": 1}, direction="minimize")
    play(live, [0.5])
    now = progress_of(live, [])
    assert (now.trials, now.eta_seconds, now.direction) == (None, None, "minimize")


def test_what_the_slots_do(database: Database) -> None:
    """Slots are in the order of their numbers, each with its trial and how far it is; one that idles has none."""
    live = live_study(database)
    far, new = claimed(live), claimed(live)
    for epoch in (1, 2):
        report(live, far, epoch, epoch / 4)
    slots = [slot("w10", 99), slot("w2", new.number), Slot("w1"), slot("w3", far.number)]
    assert progress_of(live, slots).slots == [
        SlotView(worker="w1", device="cpu"),
        SlotView(worker="w2", device="cpu", trial=1, attempt=1, epoch=0, epochs=10, metric=None, use=0.5),
        SlotView(
            worker="w3", device="cpu", trial=0, attempt=1, epoch=2, epochs=10, metric=0.5, curve=[0.25, 0.5], use=0.5
        ),
        SlotView(worker="w10", device="cpu"),
    ]


@pytest.mark.parametrize("settings", [{}, {"sampler": {"name": "grid"}, "space": {}, "budget": {}}])
def test_progress_travels(database: Database, settings: dict[str, Any]) -> None:
    """Progress survives the way to a host's terminal."""
    live = live_study(database, **settings)
    play(live, [0.5])
    now = progress_of(live, [])
    assert type(now).model_validate_json(now.model_dump_json()) == now


def test_more_epochs_than_planned_are_told(database: Database) -> None:
    """A trial of own training that goes on beyond the epochs of its spec is told of: pruners go by these."""
    live = live_study(database, recipe={"epochs": 2})
    play(live, [0.5, 0.6, 0.7])
    play(live, [0.5, 0.6])
    beyond, planned = progress_of(live, []).lately
    assert beyond == "trial 0 complete after epoch 3, though the spec says epochs = 2, which pruners go by"
    assert planned == "trial 1 complete after epoch 2"


def test_what_happened_lately(database: Database) -> None:
    """The last verdicts are told in words, the latest last, and how fast a trial is with its curve."""
    live = live_study(database)
    play(live, [0.5])
    play(live, [0.75])
    play(live, [0.6])
    pruned = claimed(live)
    report(live, pruned, 1, 0.1)
    finish(live, pruned, Ending.PRUNED, reason="pruner")
    assert progress_of(live, []).lately[-1] == "trial 3 pruned after epoch 1: others are better"
    assert len(progress_of(live, []).lately) == 3
    running = claimed(live)
    for epoch in range(1, 4):
        report(live, running, epoch, epoch / 4)
    (view,) = progress_of(live, [slot("w1", running.number)]).slots
    assert view.curve == [0.25, 0.5, 0.75]


@given(st.lists(st.floats(allow_nan=False), max_size=60))
def test_thinned_curves(curve: list[float]) -> None:
    """A thinned curve has the first and the last value, those between in order, and short ones are whole."""
    shown = thinned(curve)
    if len(curve) <= CURVE_POINTS:
        assert shown == curve
    else:
        assert len(shown) == CURVE_POINTS
        assert (shown[0], shown[-1]) == (curve[0], curve[-1])
        rest = iter(curve)
        assert all(value in rest for value in shown)
