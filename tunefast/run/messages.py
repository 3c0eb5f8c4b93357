"""What processes say to each other: one JSON document a line, told apart by ``kind``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tunefast.errors import ProtocolError
from tunefast.spec.progress import (
    Answer,
    Assignment,
    CheckpointFile,
    EpochReport,
    Outcome,
    Progress,
    Record,
    Returned,
    Verb,
)


class HostHello(Record):
    """A host lends slots to a study; said again, to another one, when that has ended."""

    kind: Literal["host"] = "host"
    pid: int
    study: str
    devices: list[str]
    """One per slot."""
    explicit: bool
    """Whether the user said how many."""
    stays: bool = False
    """Whether it may have another study for its workers when this one has ended."""
    goes_on: bool = False
    """Whether it worked on this study already when it lost its coordinator."""


class WorkerHello(Record):
    """A worker is ready for a trial."""

    kind: Literal["worker"] = "worker"
    host: int
    """Process id of its host."""
    name: str
    pid: int
    provenance: dict[str, Any]


class OfTrial(Record):
    """What a worker says of the trial that it holds."""

    study: str
    trial: int
    token: int


class Report(OfTrial):
    """A worker's epoch report; the worker waits for the reply."""

    kind: Literal["report"] = "report"
    report: EpochReport


class Recall(OfTrial):
    """Epochs of earlier attempts that this one goes on from, and that the coordinator does not know. No reply."""

    kind: Literal["recall"] = "recall"
    reports: list[EpochReport]


class Saved(OfTrial):
    """A checkpoint is on disk. No reply."""

    kind: Literal["saved"] = "saved"
    file: CheckpointFile


class Beat(OfTrial):
    """A worker lives. No reply."""

    kind: Literal["beat"] = "beat"
    pulse: int
    """How far it has got: a number that changes while it does."""
    use: float | None = None
    """The share of the time in which its device computed lately, where that is a GPU that says so."""


class Finish(OfTrial):
    """A worker's last word on a trial; the worker waits until it is told that it is stored."""

    kind: Literal["finish"] = "finish"
    outcome: Outcome


class Note(OfTrial):
    """Something about a trial that people should know while it runs."""

    kind: Literal["note"] = "note"
    text: str


class Consult(OfTrial):
    """What an objective written for Optuna asks of its trial; the worker waits for the answer."""

    kind: Literal["consult"] = "consult"
    verb: Verb
    argument: dict[str, Any]


class Consulted(Record):
    """The answer to a `Consult`."""

    kind: Literal["consulted"] = "consulted"
    trial: int
    token: int
    value: Any = None
    error: str | None = None
    """Why Optuna refused it."""


class Release(OfTrial):
    """A worker gives a trial back, to be gone on with later."""

    kind: Literal["release"] = "release"
    returned: Returned = Returned()


class Quit(Record):
    """The user wants a host to give its slots back, as by SIGTERM."""

    kind: Literal["quit"] = "quit"


class Unlend(Record):
    """The user wants one of a host's workers to end; it goes after its epoch, and none takes its place."""

    kind: Literal["unlend"] = "unlend"
    worker: str


class Leave(Record):
    """A host wants its slots back: its workers give their trials back at the next epoch end."""

    kind: Literal["leave"] = "leave"


class Watch(Record):
    """Somebody wants to look at a study until it ends."""

    kind: Literal["watch"] = "watch"
    study: str


Administering = Literal["create", "extend", "edit", "delete", "confirm", "plots"]


class Command(Record):
    """Something to do to a study, from a command line that found a coordinator at work."""

    kind: Literal["command"] = "command"
    verb: Administering | Literal["workers", "pause", "resume", "stop", "stop_trial", "unlend"]
    study: str = ""
    argument: dict[str, Any] = Field(default_factory=dict)


class Welcome(Record):
    """A host's slots are taken, under these names."""

    kind: Literal["welcome"] = "welcome"
    pid: int
    """Of the coordinator."""
    workers: list[str]


class Ready(Record):
    """A host's worker has said hello."""

    kind: Literal["ready"] = "ready"
    worker: str


class Assign(Record):
    """A trial for a worker."""

    kind: Literal["assign"] = "assign"
    assignment: Assignment


class Reply(Record):
    """The answer to a report."""

    kind: Literal["reply"] = "reply"
    trial: int
    token: int
    epoch: int
    answer: Answer


class Halt(Record):
    """A trial is to end before its next epoch has, where its worker's training can. No reply but how it ended."""

    kind: Literal["halt"] = "halt"
    trial: int
    token: int
    reason: str


class Told(Record):
    """An outcome is on disk, or was refused because the token is stale."""

    kind: Literal["told"] = "told"
    trial: int
    token: int


class Dismiss(Record):
    """A worker may go."""

    kind: Literal["dismiss"] = "dismiss"


class State(Record):
    """Where a host's study stands."""

    kind: Literal["state"] = "state"
    progress: Progress


class Over(Record):
    """A host's study ended."""

    kind: Literal["over"] = "over"
    reason: str
    error: str | None = None
    study: str = ""
    """Which one, where the host may have gone on to another."""


class Done(Record):
    """A command was carried out."""

    kind: Literal["done"] = "done"
    result: dict[str, Any] = Field(default_factory=dict)


class Refused(Record):
    """A hello or a command was refused, with what the user should read."""

    kind: Literal["refused"] = "refused"
    error: str
    """Name of the exception's class."""
    message: str


Message = Annotated[
    HostHello
    | WorkerHello
    | Report
    | Recall
    | Saved
    | Beat
    | Finish
    | Note
    | Consult
    | Consulted
    | Release
    | Quit
    | Unlend
    | Leave
    | Watch
    | Command
    | Welcome
    | Ready
    | Assign
    | Reply
    | Halt
    | Told
    | Dismiss
    | State
    | Over
    | Done
    | Refused,
    Field(discriminator="kind"),
]
_MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)


def encode(message: Record) -> bytes:
    """One line."""
    return message.model_dump_json().encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message in a line. Raises `ProtocolError`."""
    try:
        return _MESSAGE.validate_json(line)
    except ValidationError as error:
        raise ProtocolError(f"not a message: {line[:200]!r} ({error.error_count()} errors)") from error
