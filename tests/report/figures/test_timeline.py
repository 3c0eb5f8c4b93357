"""Timeline of workers."""

from __future__ import annotations

from tests.report.made import attempt, study
from tunefast.report.figures import timeline


def test_gaps_are_idle_time() -> None:
    """What a worker did not fill with attempts between its first and its last one is idle."""
    found = timeline.numbers(
        study(attempts=[attempt(0, "w1", 0, 10), attempt(1, "w2", 5, 6), attempt(2, "w1", 15, 20)])
    )
    assert found is not None
    stays = found.workers["w1"]
    assert timeline.busy_seconds(stays) == 15
    assert timeline.table(found).rows[0] == ("w1", "cpu", "2", "15 s", "5 s", "25%")


def test_breaks_are_nobodys_idle_time() -> None:
    """From an interruption until somebody works on the study again no worker is idle, also one that comes later."""
    rows = [attempt(0, "w1", 0, 10), attempt(1, "w2", 0, 8), attempt(2, "w1", 700, 710), attempt(3, "w2", 702, 712)]
    found = timeline.numbers(study(attempts=rows))
    assert found is not None
    assert found.breaks == [(10, 700)]
    assert [row[3:] for row in timeline.table(found).rows] == [("20 s", "0 s", "0%"), ("18 s", "4 s", "18%")]


def test_an_end_that_nobody_noted_is_where_the_next_began() -> None:
    """A killed attempt lasts until its trial or its worker is begun with again, one that runs until the last moment."""
    rows = [attempt(0, "w1", 0, None), attempt(0, "w2", 30, None, number=2), attempt(1, "w3", 31, 50)]
    found = timeline.numbers(study(attempts=rows))
    assert found is not None
    assert [(stay.start, stay.end, stay.ending) for stay in found.stays] == [
        (0, 30, "running"),
        (30, 50, "running"),
        (31, 50, "complete"),
    ]


def test_overlapping_attempts_count_once() -> None:
    """A worker is not busier than time passes."""
    stays = [timeline.Stay("w", "cpu", 0, 1, start, end, "complete") for start, end in ((0, 10), (5, 8), (9, 12))]
    assert timeline.busy_seconds(stays) == 12


def test_a_bar_per_attempt() -> None:
    """The picture has a trace per ending, in which bars begin where attempts did."""
    rows = [attempt(0, "w1", 0, 10), attempt(1, "w1", 12, 20, "pruned")]
    found = timeline.numbers(study(attempts=rows))
    assert found is not None
    traces = {trace["name"]: trace for trace in timeline.draw(found)["data"]}
    assert list(traces["pruned"]["base"]) == [12.0]
    assert list(traces["pruned"]["x"]) == [8.0]


def test_no_attempt_no_timeline() -> None:
    """A study that nobody worked on has no workers."""
    assert timeline.numbers(study()) is None
