"""A database that somebody else locks, and many workers at once."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing

from tests.integration.processes import Terminal, ended, wait_until
from tests.integration.specs import objective

LOCKED_SECONDS = 10
NUM_WORKERS, NUM_REPORTS = 64, 40


def test_locked_for_ten_seconds(terminal: Terminal) -> None:
    """Whoever has to write waits; no error, no lost lease, and no trial that fails or is done twice."""
    spec = str(
        terminal.write("s.toml", objective("locked", "paced", 6, pause=0.5, extra="[trial]\nlease_seconds = 3\n"))
    )
    with terminal.started("study", "run", spec, "-n", "2") as run:
        wait_until(lambda: bool(terminal.counts("locked")) and terminal.study("locked").epochs != [], "an epoch ended")
        with closing(sqlite3.connect(terminal.database, timeout=30, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(LOCKED_SECONDS)
            other.execute("ROLLBACK")
        output = ended(run, 0)
    assert "rror" not in output
    study = terminal.study("locked")
    assert study.counts == {"complete": 6}
    assert {row["attempt"] for row in study.attempts} == {1}


def test_sixty_four_workers_report_at_once(terminal: Terminal) -> None:
    """Each gets every answer, soon, and what they reported is all there."""
    from tunefast.run.launch.starting import find_or_start
    from tunefast.run.messages import Assign, Finish, HostHello, Reply, Report, Told, WorkerHello
    from tunefast.spec.progress import Ending, EpochReport, Outcome
    from tunefast.store.ownership import StateDirectory

    terminal.write("s.toml", objective("many", "paced", NUM_WORKERS, epochs=NUM_REPORTS))
    terminal.tunefast("study", "create", "s.toml")
    state = StateDirectory(terminal.database)
    host = find_or_start(state)
    host.send(HostHello(pid=1, study="many", devices=["cpu"] * NUM_WORKERS, explicit=True))
    troubles: list[BaseException] = []
    slowest: list[float] = []

    def work(name: str) -> None:
        from tunefast.run.channel import Channel

        try:
            assert state.socket is not None
            with Channel(state.socket) as channel:
                channel.send(WorkerHello(host=1, name=name, pid=2**22 + 1, provenance={}))
                assigned = channel.receive()
                assert isinstance(assigned, Assign)
                given = assigned.assignment
                key = {"study": "many", "trial": given.trial, "token": given.token}
                times = []
                for epoch in range(1, NUM_REPORTS + 1):
                    started = time.perf_counter()
                    metrics = {"val_accuracy": given.trial + epoch / 100}
                    channel.send(Report(**key, report=EpochReport(epoch=epoch, metrics=metrics)))
                    assert isinstance(channel.receive(), Reply)
                    times.append(time.perf_counter() - started)
                channel.send(Finish(**key, outcome=Outcome(ending=Ending.COMPLETE)))
                assert isinstance(channel.receive(), Told)
                slowest.append(max(times))
        except BaseException as error:  # noqa: BLE001 - told below
            troubles.append(error)

    threads = [threading.Thread(target=work, args=(f"w{index + 1}",)) for index in range(NUM_WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    host.close()
    assert troubles == []
    study = terminal.study("many")
    assert study.counts == {"complete": NUM_WORKERS}
    wanted = {epoch: epoch / 100 for epoch in range(1, NUM_REPORTS + 1)}
    for trial in study.trials:
        assert trial.intermediate_values == {epoch: trial.number + value for epoch, value in wanted.items()}
    assert max(slowest) < LOCKED_SECONDS
