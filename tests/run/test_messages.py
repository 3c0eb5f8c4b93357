"""Messages: one line each, told apart by their kind."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.errors import ProtocolError
from tunefast.run import messages
from tunefast.run.messages import (
    Assign,
    Beat,
    Command,
    Consult,
    Consulted,
    Dismiss,
    Done,
    Finish,
    Halt,
    HostHello,
    Leave,
    Note,
    Over,
    Quit,
    Ready,
    Recall,
    Refused,
    Release,
    Reply,
    Report,
    Saved,
    State,
    Told,
    Unlend,
    Watch,
    Welcome,
    WorkerHello,
    decode,
    encode,
)
from tunefast.spec.progress import (
    Answer,
    Assignment,
    CheckpointFile,
    Ending,
    EpochReport,
    Outcome,
    Progress,
    Record,
    SlotView,
    Verdict,
)

KEY: dict[str, Any] = {"study": "a study\n\u2028 ünï", "trial": 3, "token": 2**63}
RECIPE = {"epochs": 3, "optimizer": {"name": "sgd", "lr": 0.1}, "flags": [True, None, "x"]}
EVERY_KIND: list[Record] = [
    HostHello(pid=1, study="s", devices=["cpu", "cuda:0"], explicit=True),
    WorkerHello(host=1, name="w1", pid=2, provenance={"versions": {"torch": None}}),
    Report(**KEY, report=EpochReport(epoch=1, metrics={"loss": math.nan, "score": -math.inf})),
    Recall(**KEY, reports=[EpochReport(epoch=1, metrics={"loss": math.nan})]),
    Saved(**KEY, file=CheckpointFile(epoch=4, num_bytes=2**40, sha256="0" * 64)),
    Beat(**KEY, pulse=7),
    Finish(**KEY, outcome=Outcome(ending=Ending.FAILED, error="Traceback\nValueError: a\tb")),
    Release(**KEY),
    Note(**KEY, text="no report after 60 s"),
    Consult(**KEY, verb="suggest", argument={"name": "lr", "distribution": "{}"}),
    Consulted(trial=3, token=4, value=[1, None, "x"], error=None),
    Leave(),
    Quit(),
    Unlend(worker="w1"),
    Watch(study="s"),
    Command(verb="create", study="s", argument=RECIPE),
    Welcome(pid=1, workers=["w1"]),
    Ready(worker="w1"),
    Assign(assignment=Assignment(**KEY, attempt=1, recipe=RECIPE, seed=2**63, threads=2, device="cpu")),
    Reply(trial=3, token=4, epoch=5, answer=Answer(verdict=Verdict.STOP, keep=True, reason="target")),
    Halt(trial=3, token=4, reason="enough"),
    Told(trial=3, token=4),
    Dismiss(),
    State(progress=Progress(
        study="s", metric="score", direction="maximize", trials=None, counts={"complete": 1},
        best_value=math.inf, slots=[SlotView(worker="w1", device="cpu", metric=math.nan)],
    )),
    Over(reason="target"),
    Done(result=RECIPE),
    Refused(error="StudyNotFound", message="There is no study."),
]  # fmt: skip


@pytest.mark.parametrize("message", EVERY_KIND, ids=lambda message: message.kind)
def test_round_trip(message: Record) -> None:
    """Every message is one line, and is read as what was said, NaN and infinities included."""
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    read = decode(line)
    assert type(read) is type(message)
    assert repr(read) == repr(message)


def test_every_kind_is_tried() -> None:
    """A new message has its round trip tested."""
    kinds = {
        kind.__name__
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, Record) and "kind" in kind.model_fields
    }
    assert kinds == {type(message).__name__ for message in EVERY_KIND}


reports = st.builds(
    EpochReport,
    epoch=st.integers(1, 2**40),
    metrics=st.dictionaries(st.text(max_size=8), st.floats(), max_size=4),
    learning_rate=st.none() | st.floats(),
    train_seconds=st.floats(),
    samples=st.integers(0, 2**60),
)


@given(reports)
def test_numbers_arrive_bit_for_bit(report: EpochReport) -> None:
    """A metric arrives as the number that was measured."""
    read = decode(encode(Report(**KEY, report=report)))
    assert isinstance(read, Report)
    assert repr(read.report) == repr(report)


NO_MESSAGES = {
    "empty": b"\n",
    "no JSON": b"hello\n",
    "no object": b"[1, 2]\n",
    "no kind": b"{}\n",
    "unknown kind": b'{"kind": "greeting"}\n',
    "a field too many": b'{"kind": "leave", "why": "tired"}\n',
    "a field too few": b'{"kind": "told", "trial": 1}\n',
    "a wrong type": b'{"kind": "told", "trial": "one", "token": 1}\n',
    "an unknown verb": b'{"kind": "command", "verb": "drop"}\n',
    "an epoch 0": json.dumps({"kind": "report", **KEY, "report": {"epoch": 0, "metrics": {}}}).encode(),
    "half a line": b'{"kind": "lea',
    "no text": b"\xff\xfe\x00\n",
    "too deep": b'{"kind": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("line", NO_MESSAGES.values(), ids=NO_MESSAGES.keys())
def test_what_is_no_message_is_refused(line: bytes) -> None:
    """Anything else is a protocol error that says what came, and not much of it."""
    with pytest.raises(ProtocolError, match="not a message") as raised:
        decode(line)
    assert len(str(raised.value)) < 1000


@given(st.binary(max_size=200))
def test_noise_is_refused(line: bytes) -> None:
    """Whatever bytes arrive, they are a message or a protocol error."""
    with pytest.raises(ProtocolError):
        decode(line)
