"""The coordinator's process: its socket, and the peers behind it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest

from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.run import server
from tunefast.run.channel import Channel
from tunefast.run.commands import connect
from tunefast.run.messages import Assign, Command, Done, HostHello, Reply, Report, Welcome, WorkerHello
from tunefast.spec.progress import EpochReport
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.ownership import StateDirectory

pytestmark = pytest.mark.usefixtures("runtime")


@contextmanager
def serving(database: Database, over: asyncio.Event | None = None) -> Iterator[StateDirectory]:
    """A coordinator that serves the database until its last host has left, or `over` is set, which it must."""
    state = StateDirectory(database.path)
    path = database.path
    database.close()

    def run() -> None:
        own = Database(path)
        asyncio.run(server.serve(own, state, over))
        own.close()

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: listening(state))
    yield state
    thread.join(20)
    assert not thread.is_alive()
    assert not listening(state)


def listening(state: StateDirectory) -> bool:
    """Whether a coordinator has said where it listens, and does."""
    channel = connect(state)
    if channel is not None:
        channel.close()
    return channel is not None


def connected(state: StateDirectory) -> Channel:
    """A channel to the coordinator."""
    channel = connect(state)
    assert channel is not None
    return channel


def wait_until(there: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    deadline = time.monotonic() + 20
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def hello(state: StateDirectory, *, goes_on: bool = False) -> Channel:
    """A host that was welcomed."""
    host = connected(state)
    host.send(HostHello(pid=10, study=STUDY, devices=["cpu"], explicit=True, goes_on=goes_on))
    assert isinstance(host.receive(), Welcome)
    return host


def test_peers_talk_over_the_socket(database: Database) -> None:
    """Hosts and workers are served until the last host leaves; what was reported then is on disk."""
    studies.create(database, study_spec())
    with serving(database) as state, hello(state), connected(state) as worker:
        worker.send(WorkerHello(host=10, name="w1", pid=11, provenance={}))
        given = worker.receive()
        assert isinstance(given, Assign)
        key = {"study": STUDY, "trial": 0, "token": given.assignment.token}
        worker.send(Report(**key, report=EpochReport(epoch=1, metrics={"score": 0.5})))
        assert isinstance(worker.receive(), Reply)
    [trial] = stock_trials(database.path)
    assert trial.intermediate_values == {1: 0.5}


def test_a_peer_that_talks_nonsense_is_cut_off(database: Database) -> None:
    """Noise ends the connection that it came by, and no other."""
    studies.create(database, study_spec())
    with serving(database) as state, hello(state):
        with connected(state) as noisy:
            noisy.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert noisy.receive() is None
        with connected(state) as asking:
            asking.send(Command(verb="workers"))
            assert isinstance(asking.receive(), Done)


def asked(state: StateDirectory, verb: Literal["pause", "resume"]) -> dict[str, Any]:
    """What the coordinator answers to a command."""
    with connected(state) as asking:
        asking.send(Command(verb=verb, study=STUDY))
        answer = asking.receive()
    assert isinstance(answer, Done)
    return answer.result


def test_a_pause_outlives_a_coordinator_that_is_told_to_end(database: Database) -> None:
    """SIGTERM, or the machine's fall, ends no pause: hosts go on as they were told; who begins anew is not held."""
    studies.create(database, study_spec())
    over = asyncio.Event()
    with serving(database, over) as state, hello(state):
        asked(state, "pause")
        over.set()  # seen at the next tick
    for goes_on in (True, False):
        with serving(database) as state, hello(state, goes_on=goes_on):
            assert asked(state, "resume") == {"was_paused": goes_on}
            asked(state, "pause")


def test_a_coordinator_without_hosts_ends(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody comes to does not stay; a socket that a dead one left behind is no obstacle."""
    monkeypatch.setattr(server, "LONELY_SECONDS", 0.3)
    StateDirectory(database.path).make_socket_path().touch()
    with serving(database):
        pass
