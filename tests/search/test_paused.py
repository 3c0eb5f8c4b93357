"""LiveStudy: trials that wait at a rung until they are among the best there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from optuna.trial import TrialState
from rich.console import Console

from tests.search.playing import claimed, finish, live_study, report
from tests.store.databases import STUDY, stock_trials
from tunefast.cli.showing import show_study, show_trial
from tunefast.search.budget import End
from tunefast.search.live import LiveStudy
from tunefast.search.running import MAX_IDLE_ATTEMPTS, Running
from tunefast.spec.progress import AT_RUNG, Ending, Verdict
from tunefast.store.database import Database
from tunefast.store.snapshot import snapshot

ASHA = {"name": "asha", "min_epochs": 1, "reduction": 2, "promote": True}
EPOCHS = 4


def study(database: Database, trials: int = 4, **settings: Any) -> LiveStudy:
    """A study of trials with 4 epochs, and rungs at 1 and 2."""
    return live_study(database, pruner=ASHA, recipe={"epochs": EPOCHS}, budget={"trials": trials}, **settings)


def train(live: LiveStudy, value: float | None = None) -> tuple[int, int]:
    """Train the next trial until it has to wait, or is done; its number, and the epoch that it got to."""
    running = claimed(live)
    value = running.best(maximize=True) if value is None else value
    for epoch in range(running.epochs + 1, EPOCHS + 1):
        answer = report(live, running, epoch, value)
        if answer.verdict is Verdict.PAUSE:
            assert answer.reason == AT_RUNG
            live.release(running.number, "paused", paused=True)
            return running.number, epoch
    finish(live, running)
    return running.number, EPOCHS


def test_trials_wait_and_go_on(database: Database) -> None:
    """Held at the first rung; the best goes on when there are enough; the others are pruned at the end."""
    live = study(database)
    assert train(live, 0.5) == (0, 1)
    assert train(live, 0.4) == (1, 1)
    assert train(live) == (0, 2)
    assert train(live, 0.6) == (2, 4)
    assert train(live, 0.1) == (3, 1)
    assert live.claim() is None
    assert live.finished
    live.settle()
    trials = stock_trials(database.path)
    assert [trial.state.name for trial in trials] == ["PRUNED", "PRUNED", "COMPLETE", "PRUNED"]
    assert [trial.user_attrs.get("reason") for trial in trials] == ["pruner", "pruner", None, "pruner"]
    assert [len(trial.intermediate_values) for trial in trials] == [2, 1, 4, 1]
    assert live.end is End.TRIALS
    assert live.tally.epochs_saved == 8


def test_a_restart_knows_who_waits(database: Database) -> None:
    """Who waits at a rung waits on; who lost its worker goes on; a promoted one is not held where it was."""
    live = study(database, trials=8)
    train(live, 0.5)
    best, told, going = claimed(live), claimed(live), claimed(live)
    assert report(live, best, 1, 0.6).verdict is Verdict.CONTINUE
    assert report(live, told, 1, 0.1).verdict is Verdict.PAUSE
    assert report(live, going, 1, 0.55).verdict is Verdict.CONTINUE
    live.flush()
    again = LiveStudy(database, STUDY)
    assert again.storage.view.paused == set(again.paused) == {0, told.number}
    taken_up = [claimed(again), claimed(again)]
    assert [running.number for running in taken_up] == [best.number, going.number]
    assert report(again, claimed(again), 1, 0.9).verdict is Verdict.CONTINUE
    assert report(again, taken_up[1], 1, 0.55).verdict is Verdict.CONTINUE
    assert again.epochs_run == 5


@pytest.mark.parametrize("dies", [False, True])
def test_who_waits_is_no_poison(database: Database, *, dies: bool) -> None:
    """However its attempt ended, a trial that was told to wait does, and no worker takes it up before its time."""
    live = study(database, trials=MAX_IDLE_ATTEMPTS + 3)
    running = claimed(live)
    assert report(live, running, 1, 0.5).verdict is Verdict.PAUSE
    live.release(running.number, "died", paused=not dies)
    assert set(live.paused) == {0}
    live.flush()
    live = LiveStudy(database, STUDY)
    assert set(live.paused) == {0}
    assert claimed(live).number == 1


def test_samplers_see_where_it_waits(database: Database) -> None:
    """To samplers a trial that waits is pruned, with its curve; to everybody else it runs."""
    live = study(database)
    train(live, 0.5)
    [seen] = live.storage.get_all_trials(live.storage.study_id, deepcopy=False, states=(TrialState.PRUNED,))
    assert (seen.state, seen.intermediate_values) == (TrialState.PRUNED, {1: 0.5})
    live.flush()
    assert stock_trials(database.path)[0].state is TrialState.RUNNING
    train(live, 0.4)
    assert claimed(live).number == 0
    states = [trial.state for trial in live.storage.get_all_trials(live.storage.study_id, deepcopy=False)]
    assert states == [TrialState.RUNNING, TrialState.PRUNED]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("schedule", "next_one"), [("constant", 4), ("one_cycle", 1)])
def test_who_gains_near_the_end_has_the_benefit_of_the_doubt(
    database: Database, schedule: str, next_one: int, *, restarts: bool
) -> None:
    """A trial that falls short by the margin, though not by a fifth more of it, goes on if its learning rate falls.

    That is so where it waits, also for another coordinator, and where it has just got to its rung.
    """
    recipe, pruner = {"epochs": 3, "schedule": {"name": schedule}}, {"name": "fast", "promote": True}
    live = live_study(database, pruner=pruner, recipe=recipe, budget={"trials": 6})
    for value in (0.5, 0.35):
        held = claimed(live)
        for epoch in (1, 2):
            answer = report(live, held, epoch, value)
        assert answer.verdict is Verdict.PAUSE
        live.release(held.number, "paused", paused=True)
    best = claimed(live)
    assert best.number == 0
    report(live, best, 3, 0.9)
    finish(live, best)
    for _ in range(2):
        worse = claimed(live)
        for epoch in (1, 2):
            report(live, worse, epoch, 0.1)
        live.release(worse.number, "paused", paused=True)
    if restarts:
        live.flush()
        live = LiveStudy(database, STUDY)
    following = claimed(live)
    assert following.number == next_one
    if next_one == 1:
        report(live, following, 3, 0.35)
        finish(live, following)
        following = claimed(live)
    report(live, following, 1, 0.36)
    assert (report(live, following, 2, 0.36).verdict is Verdict.CONTINUE) == (next_one == 1)


def test_the_best_goes_on_in_a_small_study(database: Database) -> None:
    """Where too few trials get anywhere for one to be promoted, the best still trains to its end."""
    live = study(database, trials=1)
    assert train(live, 0.5) == (0, 1)
    assert not live.finished
    assert train(live) == (0, 2)
    assert train(live) == (0, 4)
    assert live.claim() is None
    assert live.finished
    assert stock_trials(database.path)[0].state is TrialState.COMPLETE


def test_people_see_who_waits(database: Database) -> None:
    """The study's table says at which rung a trial waits, and its rank."""
    live = study(database)
    train(live, 0.5)
    train(live, 0.4)
    live.flush()
    found = snapshot(database.path, STUDY)
    assert found.counts == {"waiting": 2}
    console = Console(width=200)
    with console.capture() as capture:
        show_study(console, found)
    said = capture.get()
    assert "study: 2 waiting;" in said
    assert re.search(r"1 +waiting .* at rung 1 \(rank 2 of 2\)", said)
    with console.capture() as capture:
        show_trial(console, found, 1)
    assert "study, trial 1: waiting at rung 1 (rank 2 of 2)" in capture.get()
    assert "then it waited at its rung" in capture.get()


@pytest.mark.parametrize("ending", list(Ending))
def test_a_budget_is_exact_though_trials_wait(database: Database, ending: Ending) -> None:
    """Trials that wait were handed out: however the others end there are no more than the budget says."""
    live = study(database, trials=5)
    train(live, 0.5)
    for _ in range(2):
        finish(live, claimed(live), ending, reason="end", error="broke", value=0.5)
    while (running := live.claim()) is not None:
        live.put_back(running)
        train(live, 0.1)
    assert live.finished
    live.settle()
    assert len(stock_trials(database.path)) == 5
    assert all(trial.state.is_finished() for trial in stock_trials(database.path))


def test_who_still_waits_at_the_end_is_audited(database: Database) -> None:
    """Of those that would be pruned at the end a share runs on to its last epoch, and is not held again."""
    live = live_study(database, pruner=ASHA | {"audit": 1.0}, recipe={"epochs": EPOCHS}, budget={"trials": 3})
    for value in (0.3, 0.2, None, 0.1):
        train(live, value)
    assert not live.finished
    while not live.finished:
        train(live)
    live.settle()
    trials = stock_trials(database.path)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert {trial.number: trial.user_attrs.get("audited") for trial in trials}[2] == 1


def test_second_chances(database: Database) -> None:
    """With the safe pruner the best four of five at a rung, rounded up, go on when no more trials begin."""
    safe = {"name": "safe", "promote": True, "warmup_epochs": 1, "margin": 100.0}
    live = live_study(database, pruner=safe, recipe={"epochs": 2}, budget={"trials": 7})

    def finished(running: Running) -> None:
        report(live, running, 2, running.best(maximize=True) + 0.5)
        finish(live, running)

    for value in (0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1):
        running = claimed(live)
        while running.values:  # who was promoted meanwhile
            finished(running)
            running = claimed(live)
        if report(live, running, 1, value).verdict is Verdict.PAUSE:
            live.release(running.number, "paused", paused=True)
        else:
            finished(running)
    while not live.finished:
        finished(claimed(live))
    live.settle()
    complete = [trial.number for trial in stock_trials(database.path) if trial.state == TrialState.COMPLETE]
    assert complete == [0, 1, 2, 3, 4, 5]
