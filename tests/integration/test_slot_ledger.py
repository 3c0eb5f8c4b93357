"""The slot ledger of real studies: it adds up to wall time times slots."""

from __future__ import annotations

import itertools

import pytest

from tests.integration.processes import Terminal, kill, wait_until
from tests.integration.specs import digits, objective
from tunefast.run.commands import list_workers


def test_known_sleeps(terminal: Terminal) -> None:
    """Trainings that sleep are found where they belong; all parts together are the time that the slots were there."""
    terminal.write("s.toml", objective("s", "paced", 6, epochs=4, pause=0.5))
    done = terminal.json("study", "run", "s.toml", "-n", "2")
    ledger, study = done["slot_seconds"], terminal.study("s")
    total = ledger.pop("total")
    assert sum(ledger.values()) == pytest.approx(total, rel=1e-9)
    assert total == pytest.approx(2 * done["active_seconds"], rel=0.01)
    assert 4 * 0.5 <= ledger["winner"] < 4 * 0.6
    assert 5 * 4 * 0.5 <= ledger["finished"] < 5 * 4 * 0.6
    starts, ends = ([row[key] for row in study.attempts] for key in ("started_at", "ended_at"))
    assert total >= 2 * (max(ends) - min(starts)).total_seconds() * 0.99
    waits = sum(
        (later["started_at"] - earlier["ended_at"]).total_seconds()
        for worker in ("w1", "w2")
        for earlier, later in itertools.pairwise(row for row in study.attempts if row["worker"] == worker)
    )
    assert ledger["idle"] >= waits
    assert {name for name in ("data", "compile", "checkpoints", "redone", "evaluation") if ledger[name]} == set()


def test_a_loss_shows(terminal: Terminal) -> None:
    """What a killed worker had trained since its last checkpoint is told as trained again; our loop names its parts."""
    text = digits("s", "random", 2, 40).replace("median", "none").replace(", warmup_epochs = 1, startup_trials = 2", "")
    terminal.write("s.toml", text.replace("width = 32", "width = 1000"))
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: bool(terminal.counts("s")) and len(terminal.study("s").epochs) > 5, "some epochs ended")
        kill(int(list_workers(terminal.database)["workers"][0]["pid"]))
        shown, _ = run.communicate(timeout=120)
    assert "slots went:" in shown
    ledger = terminal.json("study", "run", "s")["slot_seconds"]
    assert ledger["redone"] > 0
    assert ledger["data"] > 0
    assert ledger["evaluation"] > 0
    assert 0 < ledger["idle"] < ledger["total"]
    assert sum(ledger.values()) == pytest.approx(2 * ledger["total"])
