"""Several commands on one database."""

from __future__ import annotations

import re
from contextlib import ExitStack

from tests.integration.processes import Terminal, busiest_moment, ended, kill, wait_until
from tests.integration.specs import objective
from tunefast.run.commands import list_workers
from tunefast.run.slots import num_cores


def test_eight_runs_at_once_are_one_study_with_one_coordinator(terminal: Terminal) -> None:
    """Eight `study run` of one spec on a fresh database: one coordinator, no error, exact budget, threads <= cores."""
    spec = str(terminal.write("s.toml", objective("eight", "paced", 30, pause=0.05)))
    with ExitStack() as stack:
        runs = [stack.enter_context(terminal.started("study", "run", spec)) for _ in range(8)]
        outputs = [ended(run, 0) for run in runs]
    coordinators = {found for output in outputs for found in re.findall(r"coordinator (\d+)", output)}
    study = terminal.study("eight")
    log = (terminal.directory / "tunefast.db.tunefast" / "logs" / "coordinator.log").read_text()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 30
    assert busiest_moment(study) <= num_cores()
    assert "Traceback" not in log
    assert len(coordinators) == log.count("coordinator ") == 1 or _one_after_the_other(log)


def _one_after_the_other(log: str) -> bool:
    """Whether a later coordinator only came after the study was over, for a command that was late."""
    lines = [line for line in log.splitlines() if "ended: trials" in line or ": coordinator " in line]
    return "ended: trials" in lines[1]


def test_one_that_waits_takes_over_from_a_killed_coordinator(terminal: Terminal) -> None:
    """The coordinator is killed with two hosts at work: another one goes on, nothing is lost, nothing runs twice."""
    spec = str(terminal.write("s.toml", objective("taken", "paced", 32, pause=0.1)))
    terminal.tunefast("study", "create", spec)
    with ExitStack() as stack:
        hosts = [stack.enter_context(terminal.started("worker", "start", "taken", "-n", "1")) for _ in range(2)]
        wait_until(lambda: terminal.study("taken").counts.get("complete", 0) >= 1, "a trial is complete")
        coordinator = list_workers(terminal.database)["coordinator"]
        wait_until(lambda: terminal.study("taken").counts.get("complete", 0) >= 4, "four trials are complete")
        told = [trial.number for trial in terminal.study("taken").trials if trial.state.is_finished()]
        kill(coordinator)
        outputs = [ended(host, 0) for host in hosts]
    assert all("another one takes over" in output for output in outputs)
    study = terminal.study("taken")
    assert [trial.number for trial in study.trials] == list(range(32))
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}
    again = {row["trial"] for row in study.attempts if row["attempt"] > 1}
    assert not again & set(told)


def test_two_studies_share_a_database(terminal: Terminal) -> None:
    """Two different studies run in one database at once, under one coordinator."""
    specs = [str(terminal.write(f"{name}.toml", objective(name, "paced", 8, pause=0.05))) for name in ("one", "two")]
    with ExitStack() as stack:
        runs = [stack.enter_context(terminal.started("study", "run", spec, "-n", "1")) for spec in specs]
        for run in runs:
            ended(run, 0)
    assert [terminal.study(name).counts for name in ("one", "two")] == [{"complete": 8}, {"complete": 8}]
