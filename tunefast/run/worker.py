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
from tunefast.run.troubles import FULL, trouble
from tunefast.spec.progress import Assignment, Outcome, Returned
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
    try:
        talk.end(_outcome(assignment, talk))
    except OSError as error:
        if error.errno not in FULL:
            raise
        talk.end(trouble(error))  # of the trial's log


def _outcome(assignment: Assignment, talk: TrialChannel) -> Outcome | Returned:
    """Train, with a log of the trial's own where it has a directory; how it ended."""
    if not assignment.directory:
        return _driven(assignment, talk)
    path = Path(assignment.directory) / LOG_FILE
    log.info("study %s, trial %d: see %s", assignment.study, assignment.trial, path)
    with output_to(path):
        return _driven(assignment, talk)


def _driven(assignment: Assignment, talk: TrialChannel) -> Outcome | Returned:
    recipe = RECIPE.validate_python(assignment.recipe).settings()
    log.info("trial %d, attempt %d, %d threads: %s", assignment.trial, assignment.attempt, assignment.threads, recipe)
    with heartbeat(talk.beat, assignment.lease_seconds):
        outcome = drive(assignment, Line(talk.report, talk.note, talk.consult, talk.recall, talk.saved))
    if isinstance(outcome, Returned):
        log.info("trial %d: given back, %s %s", assignment.trial, outcome.why, outcome.text)
    else:
        log.info("trial %d: %s %s", assignment.trial, outcome.ending, outcome.error or outcome.reason)
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
