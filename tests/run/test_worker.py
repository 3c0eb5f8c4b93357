"""A worker: one trial after the other."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from tunefast.errors import ProtocolError
from tunefast.run.channel import Channel
from tunefast.run.driver import THREAD_VARIABLES
from tunefast.run.messages import Assign, Dismiss, Finish, Message, Release, Reply, Report, Told
from tunefast.run.worker import Leaving, work
from tunefast.spec.progress import Answer, Assignment, Ending, Record, Returned, Verdict

KEY: dict[str, Any] = {"study": "s", "trial": 3, "token": 9}


@pytest.fixture(autouse=True)
def own_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What trials set for their process is undone."""
    for variable in THREAD_VARIABLES:
        monkeypatch.setenv(variable, "1")


class Script(Channel):
    """A coordinator that says one thing after the other, and then is gone."""

    def __init__(self, *says: Message) -> None:
        self.says = list(says)
        self.heard: list[Record] = []

    def send(self, message: Record) -> None:
        """Note what the worker says."""
        self.heard.append(message)

    def receive(self) -> Message | None:
        """The next line of the script."""
        return self.says.pop(0) if self.says else None


def assign(objective: str, **params: Any) -> Assign:
    """A trial of one of the objectives."""
    recipe = {"objective": f"tests.run.objectives:{objective}", "params": params}
    return Assign(assignment=Assignment(**KEY, attempt=1, recipe=recipe, seed=1, threads=1, device="cpu"))


def reply(verdict: Verdict) -> Reply:
    """The answer to a report."""
    return Reply(trial=3, token=9, epoch=1, answer=Answer(verdict=verdict, reason=verdict))


TOLD = Told(trial=3, token=9)


def test_trial_after_trial() -> None:
    """Reports wait for their answers; then comes the next trial, or home, before outcomes are on disk or after."""
    go = reply(Verdict.CONTINUE)
    script = Script(
        assign("yields", curve=[0.1, 0.2]), go, go, assign("raises"), TOLD, go, TOLD, Dismiss(), assign("returns")
    )
    work(script, Leaving())
    assert [message.kind for message in script.heard] == ["report", "report", "finish", "report", "finish"]  # type: ignore[attr-defined]
    reports = [message for message in script.heard if isinstance(message, Report)]
    assert [(said.study, said.trial, said.token, said.report.epoch) for said in reports] == [
        ("s", 3, 9, 1), ("s", 3, 9, 2), ("s", 3, 9, 1)
    ]  # fmt: skip
    outcomes = [message.outcome for message in script.heard if isinstance(message, Finish)]
    assert [outcome.ending for outcome in outcomes] == [Ending.COMPLETE, Ending.FAILED]
    assert len(script.says) == 1


def test_a_paused_trial_is_given_back() -> None:
    """A trial that shall go on later is given back without an outcome."""
    script = Script(assign("yields", curve=[0.1, 0.2]), reply(Verdict.PAUSE), Dismiss())
    work(script, Leaving())
    assert script.heard[1:] == [Release(**KEY)]


@pytest.mark.parametrize(
    "says", [[], [assign("yields", curve=[0.1])], [assign("yields", curve=[0.1]), reply(Verdict.CONTINUE)]]
)
def test_a_worker_leaves_with_its_coordinator(says: list[Message]) -> None:
    """Wherever the coordinator is gone, the worker has nothing to do any more."""
    with pytest.raises(ConnectionError, match="the coordinator is gone"):
        work(Script(*says), Leaving())


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        (lambda: [reply(Verdict.CONTINUE)], "a worker that waits for a trial got 'reply'"),
        (lambda: [assign("returns_nothing"), TOLD, reply(Verdict.CONTINUE)], "that waits for a trial got 'reply'"),
    ],
)
def test_what_makes_no_sense(says: Callable[[], list[Message]], problem: str) -> None:
    """A message at the wrong moment is a protocol error that names it."""
    with pytest.raises(ProtocolError, match=problem):
        work(Script(*says()), Leaving())


def _signal_on_sending(script: Script, leaving: Leaving) -> None:
    """Ask the worker to end as soon as it has said something."""
    send = script.send

    def send_and_signal(message: Record) -> None:
        send(message)
        leaving(signal.SIGTERM, None)

    script.send = send_and_signal  # type: ignore[method-assign]


def test_a_worker_that_is_asked_to_end() -> None:
    """It pauses its trial at the next epoch end and says that it leaves; one without a trial ends at once."""
    leaving = Leaving()
    script = Script(assign("yields", curve=[0.1, 0.2, 0.3]), reply(Verdict.CONTINUE), assign("yields"))
    _signal_on_sending(script, leaving)
    work(script, leaving)
    assert [message.kind for message in script.heard] == ["report", "release"]  # type: ignore[attr-defined]
    assert script.heard[1] == Release(**KEY, returned=Returned(why="left", text="its worker was asked to end"))
    with pytest.raises(SystemExit) as left:
        Leaving()(signal.SIGTERM, None)
    assert left.value.code == 143


def test_a_worker_that_is_asked_to_end_in_a_trials_last_epoch() -> None:
    """What has come to its planned end is complete, and not given back to be trained again."""
    leaving = Leaving()
    assignment = assign("yields", curve=[0.1]).assignment.model_copy(update={"last_epoch": 1})
    script = Script(Assign(assignment=assignment), reply(Verdict.CONTINUE), assign("yields"))
    _signal_on_sending(script, leaving)
    work(script, leaving)
    assert [message.kind for message in script.heard] == ["report", "finish"]  # type: ignore[attr-defined]
    assert len(script.says) == 1


def test_a_signal_that_reached_what_the_trial_started() -> None:
    """A trial that fails while its worker is asked to end is given back: what it started got the signal too."""
    leaving = Leaving()
    script = Script(assign("raises"), reply(Verdict.CONTINUE))
    _signal_on_sending(script, leaving)
    work(script, leaving)
    assert isinstance(script.heard[-1], Release)
    assert script.heard[-1].returned.why == "left"
