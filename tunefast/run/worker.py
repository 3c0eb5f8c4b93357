"""A worker: a process that trains one trial after the other on its slot. Knows torch, and no database.

``python -m tunefast.run.worker SOCKET HOST_PID NAME``, started by a host, which holds the other end of its standard
input: when the host is gone, however it went, so is the worker.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

from tunefast.errors import ProtocolError
from tunefast.recipe.recipe import RECIPE
from tunefast.run.channel import Channel
from tunefast.run.driver import drive
from tunefast.run.messages import Assign, Dismiss, Finish, Release, Reply, Report, Told, WorkerHello
from tunefast.run.provenance import provenance
from tunefast.spec.progress import Answer, Assignment, EpochReport
from tunefast.train.process import prepare_process

COORDINATOR_GONE = 75
"""Exit code of a worker whose coordinator is gone."""

log = logging.getLogger("tunefast.worker")


def work(channel: Channel) -> None:
    """Train what is assigned until dismissed, or until the coordinator is gone."""
    while True:
        message = channel.receive()
        if message is None:
            raise ConnectionError("the coordinator is gone")
        if isinstance(message, Dismiss):
            return
        if not isinstance(message, Assign):
            raise ProtocolError(f"a worker that waits for a trial got {message.kind!r}")
        _train(channel, message.assignment)


def _train(channel: Channel, assignment: Assignment) -> None:
    key = {"study": assignment.study, "trial": assignment.trial, "token": assignment.token}
    recipe = RECIPE.validate_python(assignment.recipe).settings()
    log.info("trial %d, attempt %d, %d threads: %s", assignment.trial, assignment.attempt, assignment.threads, recipe)

    def ask(report: EpochReport) -> Answer:
        channel.send(Report(**key, report=report))
        reply = channel.receive()
        if reply is None:
            raise ConnectionError("the coordinator is gone")
        if not isinstance(reply, Reply) or reply.token != assignment.token:
            raise ProtocolError(f"a report got {reply}")
        return reply.answer

    outcome = drive(assignment, ask)
    if outcome is None:
        log.info("trial %d: given back", assignment.trial)
        channel.send(Release(**key))
        return
    log.info("trial %d: %s %s", assignment.trial, outcome.ending, outcome.error or outcome.reason)
    channel.send(Finish(**key, outcome=outcome))
    told = channel.receive()
    if told is not None and not isinstance(told, Told):
        raise ProtocolError(f"an outcome got {told.kind!r}")


def _leave_with_host() -> None:
    """Wait for the end of standard input, which the host never writes to, and end the process there and then."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(COORDINATOR_GONE)


def main(socket: str, host: str, name: str) -> int:
    """Connect, train, leave. Signals from the terminal are the host's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    threading.Thread(target=_leave_with_host, daemon=True).start()
    prepare_process()
    try:
        with Channel(Path(socket)) as channel:
            channel.send(WorkerHello(host=int(host), name=name, pid=os.getpid(), provenance=provenance()))
            work(channel)
    except OSError as error:
        log.info("%s", error)
        return COORDINATOR_GONE
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
