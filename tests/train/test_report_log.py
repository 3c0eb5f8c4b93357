"""The reports of a user's own training on disk."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tunefast.spec.progress import EpochReport
from tunefast.train.report_log import ReportLog


def _report(epoch: int, value: float = 0.5) -> EpochReport:
    return EpochReport(epoch=epoch, metrics={"score": value})


def test_what_a_coordinator_forgot(tmp_path: Path) -> None:
    """A later attempt knows what the ones before reported and were answered, but for what it is told anyway."""
    first = ReportLog(tmp_path / "trial" / "reports.jsonl", 1)
    first.add(_report(1))
    first.keep()
    first.add(_report(2, math.inf))
    first.add(_report(3))
    again = ReportLog(tmp_path / "trial" / "reports.jsonl", 2)
    assert [report.epoch for report in again.missing([_report(1)])] == [2, 3]
    assert again.missing([])[1].metrics == {"score": math.inf}
    assert again.missing([_report(epoch) for epoch in (1, 2, 3, 4)]) == []


def test_without_checkpoints_nothing_is_written(tmp_path: Path) -> None:
    """A training that keeps nothing begins anew, so what it reported is not asked for."""
    ReportLog(tmp_path / "reports.jsonl", 1).add(_report(1))
    assert list(tmp_path.iterdir()) == []
    assert ReportLog(tmp_path / "reports.jsonl", 2).missing([]) == []


def test_a_torn_line(tmp_path: Path) -> None:
    """What was cut off as its worker was killed is left out."""
    path = tmp_path / "reports.jsonl"
    log = ReportLog(path, 1)
    log.keep()
    log.add(_report(1))
    log.add(_report(2))
    path.write_bytes(path.read_bytes()[:-9])
    assert [report.epoch for report in ReportLog(path, 2).missing([])] == [1]
    again = ReportLog(path, 2)
    again.keep()
    for epoch in (2, 3):
        again.add(_report(epoch))
    assert [report.epoch for report in ReportLog(path, 3).missing([])] == [1, 2, 3]


def test_an_attempt_whose_number_was_forgotten(tmp_path: Path) -> None:
    """A coordinator that had not stored an attempt gives its number again: an epoch that comes again begins anew."""
    for first, last in ((1, 9), (4, 6)):
        log = ReportLog(tmp_path / "reports.jsonl", 1)
        log.keep()
        for epoch in range(first, last + 1):
            log.add(_report(epoch))
    assert [report.epoch for report in ReportLog(tmp_path / "reports.jsonl", 2).missing([])] == [1, 2, 3, 4, 5, 6]


@given(st.lists(st.lists(st.integers(1, 8), min_size=1, max_size=4, unique=True).map(sorted), max_size=5))
def test_a_later_attempt_takes_the_place_of_what_it_trained_again(attempts: list[list[int]]) -> None:
    """Of the epochs from the first one of an attempt on, that attempt's count."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "reports.jsonl"
        expected: dict[int, float] = {}
        for number, epochs in enumerate(attempts, start=1):
            log = ReportLog(path, number)
            log.keep()
            expected = {epoch: value for epoch, value in expected.items() if epoch < epochs[0]}
            for epoch in epochs:
                log.add(_report(epoch, float(number)))
                expected[epoch] = float(number)
        found = ReportLog(path, 9).missing([])
        assert [(report.epoch, report.metrics["score"]) for report in found] == sorted(expected.items())
