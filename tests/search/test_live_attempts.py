"""LiveStudy: trials that lose their worker, and studies that lose their coordinator."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState

from tests.search.playing import claimed, fail, finish, live_study, play, report
from tests.store.databases import STUDY, mirrored, rows, stock_trials, uuid_of
from tunefast.search import running as running_module
from tunefast.search.budget import End
from tunefast.search.live import LiveStudy
from tunefast.search.running import MAX_IDLE_ATTEMPTS
from tunefast.search.setbacks import broken_device
from tunefast.spec.progress import Ending, EpochReport, Verdict
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.epochs import TrialLog
from tunefast.store.snapshot import snapshot


def attempts(database: Database) -> list[tuple[Any, ...]]:
    """Trial, attempt, ending and reason of every attempt."""
    return [
        (row["trial"], row["attempt"], row["ending"], row["reason"]) for row in snapshot(database.path, STUDY).attempts
    ]


def test_a_released_trial_goes_on_first(database: Database) -> None:
    """A trial that lost its worker goes on under its number, before any new one; epochs trained again are replaced."""
    live = live_study(database)
    first, second = claimed(live), claimed(live)
    report(live, first, 1, 0.5)
    live.release(first.number, "worker w1 died")
    again = claimed(live)
    assert (again.number, again.attempt, again.values) == (0, 2, {1: 0.5})
    report(live, again, 1, 0.75)
    finish(live, again)
    finish(live, second)
    assert claimed(live).number == 2
    [trial, *_] = stock_trials(database.path)
    assert (trial.state, trial.value, trial.intermediate_values) == (TrialState.COMPLETE, 0.75, {1: 0.75})
    live.flush()
    assert attempts(database)[:2] == [(0, 1, "lost", "worker w1 died"), (0, 2, "complete", "")]
    epochs = [(row["trial"], row["epoch"], row["attempt"]) for row in snapshot(database.path, STUDY).epochs]
    assert epochs == [(0, 1, 2)]


def test_the_last_released_goes_on_first(database: Database) -> None:
    """Of several that lost their workers, the one that lost it last goes on first; new trials come after them."""
    live = live_study(database)
    for running in [claimed(live) for _ in range(3)]:
        live.release(running.number, "died")
    assert [claimed(live).number for _ in range(4)] == [2, 1, 0, 3]


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_trial_that_kills_its_workers_is_given_up(database: Database, epochs: int) -> None:
    """Five attempts in a row without a new epoch, and the trial has failed; it counts, and the study goes on."""
    live = live_study(database, budget={"trials": 2})
    first = 1
    if epochs:
        running, first = claimed(live), 2
        for epoch in range(1, epochs + 1):
            report(live, running, epoch, 0.5)
        live.release(0, "worker w1 died")
    for attempt in range(first, first + MAX_IDLE_ATTEMPTS):
        running = claimed(live)
        assert (running.number, running.attempt) == (0, attempt)
        for epoch in range(1, epochs + 1):
            report(live, running, epoch, 0.5)
        live.release(0, "worker w1 died")
    [trial] = stock_trials(database.path)
    assert trial.state is TrialState.FAIL
    reason = "poison: 5 attempts ended without a new epoch; the last one: worker w1 died"
    assert (trial.user_attrs["reason"], trial.user_attrs["error"]) == (reason, reason)
    assert claimed(live).number == 1
    assert live.claim() is None


def test_a_pause_is_no_failure(database: Database) -> None:
    """However often its hosts leave before an epoch ends, a paused trial is not given up."""
    live = live_study(database)
    for attempt in range(1, 2 * MAX_IDLE_ATTEMPTS):
        assert claimed(live).attempt == attempt
        live.release(0, "its host left", paused=True)
    assert claimed(live).number == 0


def test_a_new_epoch_earns_new_attempts(database: Database) -> None:
    """Attempts count as idle only where no epoch came that no earlier attempt had got to."""
    live = live_study(database)
    for _ in range(3):
        for _ in range(MAX_IDLE_ATTEMPTS - 1):
            running = claimed(live)
            for epoch in range(1, running.epochs_before + 1):
                report(live, running, epoch, 0.5)
            live.release(0, "died")
        running = claimed(live)
        report(live, running, running.epochs_before + 1, 0.5)
        live.release(0, "died")
    assert claimed(live).number == 0
    assert live.running[0].attempt == 3 * MAX_IDLE_ATTEMPTS + 1


def test_a_restart_takes_up_the_running_trials(database: Database) -> None:
    """What ran when the coordinator died goes on, in order, with the next attempt, with what it had."""
    live = live_study(database, budget={"trials": 3})
    first, second = claimed(live), claimed(live)
    report(live, first, 1, 0.5)
    report(live, first, 2, 0.6)
    live.flush()
    report(live, second, 1, 0.9)
    live.active_seconds = 12.0
    play(live, [0.25])
    again = LiveStudy(database, STUDY)
    assert (again.active_seconds, again.epochs_run) == (12.0, 4)
    assert again.end is None
    one, two = claimed(again), claimed(again)
    assert (one.number, one.attempt, one.values, one.epochs_before) == (0, 2, {1: 0.5, 2: 0.6}, 2)
    assert (two.number, two.attempt, two.values) == (1, 2, {1: 0.9})
    assert again.claim() is None
    assert again.end is End.TRIALS


@pytest.mark.parametrize(
    ("first", "kept"), [(1, {}), (2, {1: 0.5}), (3, {1: 0.5, 2: 0.6}), (5, {1: 0.5, 2: 0.6, 3: 0.7})]
)
def test_the_first_report_of_an_attempt_says_where_it_goes_on(
    database: Database, first: int, kept: dict[int, float]
) -> None:
    """Epochs from there on are forgotten, in Optuna's rows and in ours; those before it stand."""
    live = live_study(database)
    running = claimed(live)
    for epoch, value in enumerate((0.5, 0.6, 0.7), start=1):
        report(live, running, epoch, value)
    live.release(running.number, "died")
    again = claimed(live)
    assert [said.epoch for said in live.log.reports(again.number)] == [1, 2, 3]
    report(live, again, first, 0.1)
    live.flush()
    [trial, *_] = stock_trials(database.path)
    assert again.values == trial.intermediate_values == {**kept, first: 0.1}
    rows_kept = {row["epoch"]: row["attempt"] for row in snapshot(database.path, STUDY).epochs}
    assert rows_kept == {**dict.fromkeys(kept, 1), first: 2}


def test_a_restart_knows_the_figures(database: Database) -> None:
    """Counts, best and epochs are those of all starts."""
    live = live_study(database)
    for curve in ([0.5, 0.75], [0.5], [0.25]):
        play(live, curve)
    running = claimed(live)
    report(live, running, 1, 0.9)
    finish(live, running, Ending.PRUNED, reason="pruner")
    fail(live, "ValueError")
    again = LiveStudy(database, STUDY)
    assert again.tally.counts == live.tally.counts == {"complete": 3, "pruned": 1, "failed": 1}
    assert again.tally.best == live.tally.best == (0, 0.75)
    assert again.epochs_run == live.epochs_run == 5
    assert again.tally.epochs_saved == live.tally.epochs_saved == 9


def test_a_restart_knows_the_completed_curves(database: Database) -> None:
    """The pruner judges by the completed trials of all starts."""
    settings = {"pruner": {"name": "median", "startup_trials": 2, "warmup_epochs": 1}}
    live = live_study(database, **settings)
    play(live, [0.5, 0.6])
    play(live, [0.5, 0.8])
    again = LiveStudy(database, STUDY)
    for value, verdict in ((0.71, Verdict.CONTINUE), (0.69, Verdict.PRUNE)):
        running = claimed(again)
        assert report(again, running, 1, 0.1).verdict is Verdict.CONTINUE
        assert report(again, running, 2, value).verdict is verdict


def test_a_restart_after_the_target_ends_at_once(database: Database) -> None:
    """A study that reached its target hands out nothing, however often it is started."""
    live = live_study(database, budget={"trials": 9, "target": 0.9})
    play(live, [0.95])
    again = LiveStudy(database, STUDY)
    assert again.claim() is None
    assert again.end is End.TARGET
    assert again.finished


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_a_trial_born_dead_is_completed(database: Database, sampler: str) -> None:
    """A trial whose coordinator died before it had settings gets them at the next start, and is trained."""
    space = {"params.a": {"low": 1, "high": 3}}
    live = live_study(database, space=space, sampler={"name": sampler}, budget={"trials": 3})
    play(live, [0.5])
    storage = mirrored(database)
    storage.create_new_trial(storage.study_id)
    again = LiveStudy(database, STUDY)
    running = claimed(again)
    assert (running.number, running.attempt) == (1, 1)
    trial = stock_trials(database.path)[1]
    assert running.recipe.table()["params"] == {"a": trial.params["params.a"]}


def test_active_time_is_on_disk_with_every_group(database: Database) -> None:
    """A coordinator that is killed loses no more of the active time than of the reports."""
    live = live_study(database)
    running = claimed(live)
    live.active_seconds = 30.0
    report(live, running, 1, 0.5)
    live.flush()
    live.active_seconds = 31.0
    assert live.flush() == []
    with database.transaction() as connection:
        assert studies.find(connection, STUDY, database.path).active_seconds == 30.0


def test_a_restart_reads_the_attempts_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a study costs as many queries for ten trials as for one."""
    live = live_study(database)
    for _ in range(4):
        play(live, [0.5])
    calls: list[TrialLog] = []
    monkeypatch.setattr(type(live.log), "attempts", lambda log: calls.append(log) or {})  # type: ignore[func-returns-value]
    LiveStudy(database, STUDY)
    assert len(calls) == 1


def test_an_outcome_is_on_disk(database: Database) -> None:
    """Outcomes and their attempts are on disk when `finish` returns."""
    live = live_study(database)
    play(live, [0.5, 0.6])
    uuid = uuid_of(database)
    assert [row[:3] for row in rows(database.path, "tunefast_epochs")["tunefast_epochs"]] == [
        (uuid, 0, 1),
        (uuid, 0, 2),
    ]
    assert attempts(database) == [(0, 1, "complete", "")]
    assert not live.storage.unwritten


def test_epochs_that_were_not_stored_are_told_again(database: Database) -> None:
    """A trial that goes on from a later epoch than the database knows brings the ones between; they are no progress."""
    live = live_study(database)
    running = claimed(live)
    report(live, running, 1, 0.1)
    live.release(running.number, "its worker died")
    again = claimed(live)
    live.recorder.recall(again, [EpochReport(epoch=epoch, metrics={"score": epoch / 10}) for epoch in (2, 3)])
    assert again.values == {1: 0.1, 2: 0.2, 3: 0.3}
    report(live, again, 4, 0.4)
    live.flush()
    assert stock_trials(database.path)[0].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}
    live.release(running.number, "its worker died")
    third = claimed(live)
    live.recorder.recall(third, [EpochReport(epoch=5, metrics={"score": 0.5})])
    live.release(running.number, "its worker died")
    assert third.idle_attempts == 1


def test_later_attempts_keep_their_threads(database: Database) -> None:
    """How many threads the last attempt had is known, also after a restart."""
    live = live_study(database)
    running = claimed(live)
    assert running.threads == 1
    live.flush()
    again = claimed(LiveStudy(database, STUDY))
    assert (again.number, again.attempt, again.threads) == (running.number, 2, 1)


def test_attempts_that_get_nowhere_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial whose attempt brought no epoch waits, twice as long each time; one that got on is taken up at once."""
    monkeypatch.setattr(running_module, "BACK_OFF_SECONDS", 0.5)
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    live = live_study(database)
    handed: list[int] = []
    first = claimed(live)
    for seconds in (0.49, 0.02, 0.98, 0.04):
        if first.number in live.running:
            live.release(first.number, "its worker died")
        clock[0] += seconds
        handed.append(claimed(live).number)
    assert handed == [1, 0, 2, 0]
    report(live, first, 1, 0.5)
    live.release(first.number, "its worker died")
    assert claimed(live).number == 0


def test_what_went_wrong_is_remembered(database: Database) -> None:
    """Attempts that got nowhere, and devices that broke, count over restarts; an epoch clears the first."""
    live = live_study(database)
    running = claimed(live)
    for _ in range(3):
        live.release(running.number, "its worker died")
        live.flush()
        live = LiveStudy(database, STUDY)
        running = claimed(live)
    assert running.idle_attempts == 3
    report(live, running, 1, 0.5)
    live.release(running.number, "its worker died")
    running = claimed(live)
    broken_device(live, running.number, "CUDA error")
    live.flush()
    running = claimed(LiveStudy(database, STUDY))
    assert (running.idle_attempts, running.device_errors) == (0, 1)
