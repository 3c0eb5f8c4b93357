"""What is known when the process that measures has ended, or was ended."""

from __future__ import annotations

import pytest

from tests.doctor.cases import anatomy
from tunefast.doctor.apart import _Heard
from tunefast.doctor.findings import (
    SAME,
    Aim,
    Doing,
    Failed,
    Gain,
    Memory,
    Rates,
    Ready,
    Remedy,
    Request,
    Seen,
    Tried,
    Trouble,
)

REQUEST = Request(
    recipe={}, seed=0, device="cpu", threads=1, cores=1, seconds=60.0, aim=Aim("val_accuracy", maximize=True)
)
FIRST, SECOND, THIRD = (Remedy(name, {}, SAME) for name in ("first", "second", "third"))
SEEN = Seen(
    anatomy=anatomy(),
    rates=Rates(1.0, 1.0),
    memory=Memory(0, None, None, None),
    remedies=[FIRST, SECOND, THIRD],
    left_alone=[],
)
GAIN = Gain(FIRST, 2.0, 1.9, 2.1, 0.0, None)


def in_the_midst() -> _Heard:
    """Of the second of three remedies."""
    heard = _Heard(REQUEST, lambda _what: None)
    for finding in (Ready(), SEEN, Doing(what="first"), Tried(result=GAIN), Doing(what="second")):
        heard.take(finding)
    return heard


def test_trouble_with_a_remedy_leaves_what_was_measured() -> None:
    """Whatever ends the process while remedies are tried is a row of the one that it was at."""
    heard = in_the_midst()
    heard.take(Trouble(problem="Traceback (most recent call last):\n  ...\nSystemError: no more\n"))
    assert heard.results == [
        GAIN,
        Failed(SECOND, "SystemError: no more"),
        Failed(THIRD, "the process that measures had ended"),
    ]


def test_trouble_before_anything_was_seen_is_the_trainings() -> None:
    """A training that fails by itself has no diagnosis."""
    heard = _Heard(REQUEST, lambda _what: None)
    heard.take(Ready())
    with pytest.raises(ValueError, match="no such data"):
        heard.take(Trouble(problem="no such data"))


def test_a_process_that_dies_is_not_out_of_time() -> None:
    """One that the machine ended says nothing any more: the remedies after it were not tried for another reason."""
    heard = in_the_midst()
    heard.end()
    assert [each.why for each in heard.results if isinstance(each, Failed)] == [
        "the process that measures ended",
        "the process that measures had ended",
    ]


def test_what_there_was_no_time_for() -> None:
    """The remedy that was being tried had not ended; those after it were not begun."""
    assert in_the_midst().results == [
        GAIN,
        Failed(SECOND, "it had not ended when the time was over"),
        Failed(THIRD, "the time was over before"),
    ]
