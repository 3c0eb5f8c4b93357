"""What a worker says about its trial, and what it is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from tunefast.errors import ProtocolError
from tunefast.run.channel import Channel
from tunefast.run.messages import (
    Beat,
    Consult,
    Consulted,
    Finish,
    Halt,
    Message,
    Note,
    Recall,
    Release,
    Reply,
    Report,
    Saved,
    Told,
)
from tunefast.spec.progress import Answer, Assignment, CheckpointFile, EpochReport, Outcome, Returned, Verb, Verdict
from tunefast.train.device_use import device_use
from tunefast.train.pulse import PULSE, HaltedError

log = logging.getLogger("tunefast.worker")


class TrialChannel:
    """A worker's channel for as long as it has a trial.

    Each method raises `ConnectionError` where the coordinator is gone, and `ProtocolError` for an answer to something
    else.
    """

    def __init__(self, channel: Channel, assignment: Assignment, leaves: Callable[[], bool] = lambda: False) -> None:
        self._channel = channel
        self._leaves = leaves
        """Whether this process is to end as soon as it can."""
        self._token, self._device, self._last_epoch = assignment.token, assignment.device, assignment.last_epoch
        self._key = {"study": assignment.study, "trial": assignment.trial, "token": assignment.token}

    def report(self, report: EpochReport) -> Answer:
        """How the trial goes on after an epoch."""
        self._channel.send(Report(**self._key, report=report))
        reply = self._reply()
        if not isinstance(reply, Reply) or reply.token != self._token:
            raise ProtocolError(f"a report got {reply}")
        if self._leaves() and reply.answer.verdict is Verdict.CONTINUE and report.epoch != self._last_epoch:
            return Answer(verdict=Verdict.PAUSE, reason="its worker was asked to end")
        return reply.answer

    def note(self, text: str) -> None:
        """Something that people should know while the trial runs."""
        log.info("trial %d: %s", self._key["trial"], text)
        self._channel.send(Note(**self._key, text=text))

    def recall(self, reports: Sequence[EpochReport]) -> None:
        """Epochs that the trial goes on from, and that are to be stored like those it reports."""
        self._channel.send(Recall(**self._key, reports=list(reports)))

    def saved(self, file: CheckpointFile) -> None:
        """A checkpoint is on disk."""
        self._channel.send(Saved(**self._key, file=file))

    def beat(self) -> None:
        """This process lives, and is as far as its pulse says."""
        self._channel.send(Beat(**self._key, pulse=PULSE.count, use=device_use(self._device)))

    def consult(self, verb: Verb, argument: dict[str, Any]) -> Any:
        """What the study's Optuna trial says; raises `ValueError` where it refuses."""
        self._channel.send(Consult(**self._key, verb=verb, argument=argument))
        reply = self._reply()
        if not isinstance(reply, Consulted) or reply.token != self._token:
            raise ProtocolError(f"a question got {reply}")
        if reply.error is not None:
            raise ValueError(reply.error)
        return reply.value

    def end(self, outcome: Outcome | Returned) -> None:
        """Give the trial back, or say how it ended: the next one comes once that is stored, or home."""
        if isinstance(outcome, Returned):
            self._channel.send(Release(**self._key, returned=outcome))
        else:
            self._channel.send(Finish(**self._key, outcome=outcome))

    def listen(self) -> None:
        """Raise `HaltedError` where the coordinator has said that the trial is to end at once."""
        while self._channel.has_received():
            message = self._channel.receive()
            if message is None:  # a report will find out too, after the epoch
                return
            if not isinstance(message, Halt | Told):
                raise ProtocolError(f"a worker that trains got {message.kind!r}")
            if isinstance(message, Halt) and message.token == self._token:
                raise HaltedError(message.reason)

    def _received(self) -> Message | None:
        """The next message but those that come too late, since the trial before has ended, or this one's epoch."""
        while isinstance(message := self._channel.receive(), Halt | Told):
            pass
        return message

    def _reply(self) -> Message:
        reply = self._received()
        if reply is None:
            raise ConnectionError("the coordinator is gone")
        return reply
