"""A worker: a process that trains one trial after the other on its slot. Knows torch, and no database.

``python -m tunefast.run.worker SOCKET HOST_PID NAME``, started by a host, which holds the other end of its standard
input: when the host is gone, however it went, so is the worker.
"""

from __future__ import annotations

import io
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
from tunefast.run.heartbeat import heartbeat
from tunefast.run.line import Line
from tunefast.run.messages import Assign, Dismiss, WorkerHello
from tunefast.run.output import LOG_FILE, output_to
from tunefast.run.provenance import provenance
from tunefast.run.trial_channel import TrialChannel
from tunefast.spec.progress import Assignment, Outcome
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
    talk = TrialChannel(channel, assignment)
    if not assignment.directory:
        talk.end(_outcome(assignment, talk))
        return
    path = Path(assignment.directory) / LOG_FILE
    log.info("study %s, trial %d: see %s", assignment.study, assignment.trial, path)
    with output_to(path):
        outcome = _outcome(assignment, talk)
    talk.end(outcome)


def _outcome(assignment: Assignment, talk: TrialChannel) -> Outcome | None:
    """Train; how it ended."""
    recipe = RECIPE.validate_python(assignment.recipe).settings()
    log.info("trial %d, attempt %d, %d threads: %s", assignment.trial, assignment.attempt, assignment.threads, recipe)
    with heartbeat(talk.beat, assignment.lease_seconds):
        outcome = drive(assignment, Line(talk.report, talk.note, talk.consult, talk.recall, talk.saved))
    how = "given back" if outcome is None else f"{outcome.ending} {outcome.error or outcome.reason}"
    log.info("trial %d: %s", assignment.trial, how)
    return outcome


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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what an objective prints is in its log at once
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
