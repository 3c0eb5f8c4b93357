"""Auditing: trials that run on where the pruner would have stopped them, and what is counted of them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from rich.console import Console

from tests.search.playing import claimed, finish, live_study, play, report
from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.cli.ledger import show_regret
from tunefast.search.auditing import audit_share, regret, runs_on, wilson
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import Ending, Verdict
from tunefast.spec.study import StudySpec
from tunefast.store.database import Database
from tunefast.store.snapshot import snapshot

MEDIAN = {"name": "median", "startup_trials": 1, "warmup_epochs": 0}


def audited_study(database: Database, share: float = 1.0, **settings: Any) -> LiveStudy:
    """A study whose first trial was good, and which audits this share of those that it stops."""
    live = live_study(database, pruner=MEDIAN | {"audit": share}, **settings)
    play(live, [0.8, 0.9])
    return live


def never_auditing(live: LiveStudy) -> StudySpec:
    """The study's spec without an audit."""
    pruner = live.spec.study.pruner.model_copy(update={"audit": 0.0})
    return live.spec.model_copy(update={"study": live.spec.study.model_copy(update={"pruner": pruner})})


@pytest.mark.parametrize(
    ("pruner", "budget", "share"),
    [
        ({"name": "median"}, {"trials": 100}, 0.05),
        ({"name": "median"}, {"trials": 99}, 0.0),
        ({"name": "median"}, {"trials": 200, "minutes": 60}, 0.0),
        ({"name": "median"}, {"minutes": 60}, 0.0),
        ({"name": "asha", "audit": 0.2}, {"minutes": 60}, 0.2),
        ({"name": "safe", "audit": 0.0}, {"trials": 500}, 0.0),
        ({"name": "none"}, {"trials": 500}, 0.0),
    ],
)
def test_the_share_that_is_audited(pruner: dict[str, Any], budget: dict[str, float], share: float) -> None:
    """What the spec says; else one in twenty where trials are many."""
    assert audit_share(study_spec(pruner=pruner, budget=budget)) == share


def test_an_audited_trial_runs_on(database: Database) -> None:
    """Stopped in every epoch, it goes on to its end, is complete, and is known by the first of these epochs."""
    live = audited_study(database)
    running = claimed(live)
    for epoch in range(1, 4):
        assert report(live, running, epoch, 0.85 if epoch == 1 else 0.1).verdict is Verdict.CONTINUE
    finish(live, running, kept_epoch=1)
    trial = stock_trials(database.path)[1]
    assert (trial.state, trial.value, trial.user_attrs["audited"]) == (TrialState.COMPLETE, 0.85, 2)
    epochs = [row["details"] for row in snapshot(database.path, STUDY).epochs if row["trial"] == 1]
    assert [("pruner_threshold" in details) for details in epochs] == [True, True, False]


def test_the_draw_is_seeded(database: Database) -> None:
    """Study seed and trial number alone decide who is audited; of many, about as large a share as was asked for."""
    live = audited_study(database, 0.4, budget={"trials": 60})
    audited: set[int] = set()
    stopped: set[int] = set()
    for _ in range(40):
        running = claimed(live)
        verdict = report(live, running, 1, 0.1).verdict
        (audited if verdict is Verdict.CONTINUE else stopped).add(running.number)
        finish(live, running, Ending.PRUNED, reason="pruner")
    trials = stock_trials(database.path)
    assert audited == {trial.number for trial in trials[1:] if runs_on(live.spec, trial)}
    assert len(audited) + len(stopped) == 40
    assert 8 <= len(audited) <= 24


def test_a_restart_knows_who_is_audited(database: Database) -> None:
    """After a restart, and in another attempt, an audited trial is not judged again."""
    live = audited_study(database, 1.0)
    running = claimed(live)
    report(live, running, 1, 0.1)
    live.flush()
    again = LiveStudy(database, STUDY)
    taken_up = claimed(again)
    assert (taken_up.number, taken_up.audited) == (1, 1)
    again.change(never_auditing(again))
    for epoch in (1, 2):
        assert report(again, taken_up, epoch, 0.1).verdict is Verdict.CONTINUE
    report(again, new := claimed(again), 1, 0.85)
    assert report(again, new, 2, 0.1).verdict is Verdict.PRUNE


@pytest.mark.parametrize("values", [(float("nan"),), (0.1, float("nan"))])
def test_what_diverged_is_no_audit(database: Database, values: tuple[float, ...]) -> None:
    """A trial without a number is stopped, audited or not."""
    live = audited_study(database)
    running = claimed(live)
    answers = [report(live, running, epoch, value) for epoch, value in enumerate(values, start=1)]
    assert (answers[-1].verdict, answers[-1].reason) == (Verdict.PRUNE, "diverged")


def test_what_violates_a_constraint_is_no_audit(database: Database) -> None:
    """An infeasible trial is no winner however good it gets, so it is stopped."""
    live = audited_study(database)
    running = claimed(live)
    live.asker.consult(running.trial_id, "constraint", {"key": "size", "value": 3.0})
    assert report(live, running, 1, 0.1).verdict is Verdict.PRUNE


def test_the_ledger(database: Database) -> None:
    """It counts who was stopped, who ran on, who won, what was saved and what the audit cost; ties do not win."""
    live = audited_study(database, 1.0)
    play(live, [0.1, 0.95, 0.99])
    play(live, [0.1, 0.9])
    live.change(never_auditing(live))
    play(live, [0.05, 0.99])
    ledger = regret(snapshot(database.path, STUDY))
    assert (ledger.num_pruned, ledger.num_audited, ledger.num_winners, ledger.rate) == (1, 2, 1, 0.5)
    assert (ledger.epochs_saved, ledger.epochs_audited) == (9, 3)
    console = Console(width=200)
    with console.capture() as capture:
        show_regret(console, snapshot(database.path, STUDY))
    said = " ".join(capture.get().split())
    assert "The median pruner stopped 1 trial, which saved 9 epochs. 2 more ran on" in said
    assert "1 of these became better than all that were not audited: 50.0% (95% interval: 9.5% to 90.5%)" in said


def test_an_unfinished_audit_tells_nothing_yet(database: Database) -> None:
    """An audited trial that still runs, or failed, is no sign that stopping was right; its epochs are a cost."""
    live = audited_study(database, 1.0)
    for _ in range(2):
        running = claimed(live)
        for epoch in (1, 2):
            report(live, running, epoch, 0.1)
    finish(live, running, Ending.FAILED, error="broke")
    ledger = regret(snapshot(database.path, STUDY))
    assert (ledger.num_audited, ledger.rate, ledger.epochs_audited) == (0, None, 2)


@given(trials=st.integers(1, 300), data=st.data())
def test_the_interval(trials: int, data: st.DataObject) -> None:
    """Its ends are the rates from which what was seen lies 1.96 of their own standard deviations away."""
    successes = data.draw(st.integers(0, trials))
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    for end in (low, high):
        assert abs(end - successes / trials) == pytest.approx(1.96 * math.sqrt(end * (1 - end) / trials), rel=1e-3)


def test_no_trial_no_knowledge() -> None:
    """Where none was audited, the rate can be anything."""
    assert wilson(0, 0) == (0.0, 1.0)
