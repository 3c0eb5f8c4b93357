"""A worker: a process that trains one trial after the other on its slot. Knows torch, and no database.

``python -m tunefast.run.worker SOCKET HOST_PID NAME``, started by a host, which holds the other end of its standard
input: when the host is gone, however it went, so is the worker.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tunefast.errors import ProtocolError
from tunefast.recipe.recipe import RECIPE
from tunefast.run.channel import Channel
from tunefast.run.driver import drive
from tunefast.run.heartbeat import Heartbeat
from tunefast.run.line import Line
from tunefast.run.messages import Assign, Dismiss, Halt, Told, WorkerHello
from tunefast.run.output import LOG_FILE, output_to
from tunefast.run.provenance import provenance
from tunefast.run.trial_channel import TrialChannel
from tunefast.run.troubles import FULL, trouble
from tunefast.spec.progress import Assignment, Ending, Outcome, Returned
from tunefast.train.process import prepare_process

COORDINATOR_GONE = 75
"""Exit code of a worker whose coordinator is gone."""

log = logging.getLogger("tunefast.worker")


class Leaving:
    """Whether this process was asked to end, by SIGTERM: at once where it waits, else when an epoch has ended."""

    def __init__(self) -> None:
        self.asked = False
        self._trains = False

    def __call__(self, number: int, _frame: object) -> None:
        """Take the signal `number`."""
        self.asked = True
        if not self._trains:
            sys.exit(128 + number)

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """A trial is being trained."""
        self._trains = True
        try:
            yield
        finally:
            self._trains = False


def work(channel: Channel, leaving: Leaving) -> None:
    """Train what is assigned until dismissed, or asked to end; raises `OSError` where the coordinator is gone."""
    with Heartbeat() as heart:
        while not leaving.asked:
            message = channel.receive()
            if message is None:
                raise ConnectionError("the coordinator is gone")
            if isinstance(message, Dismiss):
                return
            if isinstance(message, Halt | Told):  # of a trial that has ended
                continue
            if not isinstance(message, Assign):
                raise ProtocolError(f"a worker that waits for a trial got {message.kind!r}")
            with leaving.training():
                _train(channel, message.assignment, leaving, heart)


def _train(channel: Channel, assignment: Assignment, leaving: Leaving, heart: Heartbeat) -> None:
    talk = TrialChannel(channel, assignment, lambda: leaving.asked)
    try:
        with heart.beating(talk.beat, assignment.lease_seconds):
            outcome = _outcome(assignment, talk)
        failed = isinstance(outcome, Outcome) and outcome.ending is Ending.FAILED  # what it started got the signal too
        left = leaving.asked and (failed or outcome == Returned())
        talk.end(Returned(why="left", text="its worker was asked to end") if left else outcome)
    except OSError as error:
        if error.errno not in FULL:
            raise
        talk.end(trouble(error, assignment.directory))  # of the trial's log


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
    outcome = drive(assignment, Line(talk.report, talk.note, talk.consult, talk.recall, talk.saved, talk.listen))
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
    """Connect, train, leave. Ctrl-C is the host's business."""
    leaving = Leaving()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leaving)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    threading.Thread(target=_leave_with_host, daemon=True).start()
    prepare_process()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what an objective prints is in its log at once
    try:
        with Channel(Path(socket)) as channel:
            channel.send(WorkerHello(host=int(host), name=name, pid=os.getpid(), provenance=provenance()))
            work(channel, leaving)
    except OSError as error:
        log.info("%s", error)
        return COORDINATOR_GONE
    return 0


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # whatever threads a trial has left behind
