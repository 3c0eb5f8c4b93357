"""Result against training time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.report.made import PRUNED, epoch, study, trial
from tunefast.report.figures import tradeoff

SPENT = st.builds(
    tradeoff.Spent, st.integers(0, 99), st.just("complete"), st.integers(1, 9).map(float), st.integers(0, 9).map(float)
)


def test_seconds_are_summed_and_the_kept_epoch_counts() -> None:
    """A trial stands at all of its training and at its value, as the study has it, not at its best epoch's."""
    rows = [epoch(0, 1, 0.4, seconds=2), epoch(0, 2, 0.6, seconds=3), epoch(0, 3, 0.5, seconds=4)]
    rows += [epoch(1, 1, 0.7), epoch(1, 2, 0.3)]
    found = tradeoff.numbers(study(trial(0.5, kept_epoch=3), trial(None, PRUNED, kept_epoch=1), epochs=rows))
    assert found is not None
    assert found.trials == [tradeoff.Spent(0, "complete", 9.0, 0.5), tradeoff.Spent(1, "pruned", 2.0, 0.3)]
    assert "the epoch it keeps" in tradeoff.caption(found)


@given(st.lists(SPENT, max_size=12), st.booleans())
def test_nobody_beats_the_front(trials: list[tradeoff.Spent], maximize: bool) -> None:
    """No trial is as fast as one on the front and better, or faster and as good; every other one is beaten."""
    sign = -1 if maximize else 1
    found = tradeoff.front(trials, maximize=maximize)

    def beats(one: tradeoff.Spent, other: tradeoff.Spent) -> bool:
        costs = (one.seconds, sign * one.value), (other.seconds, sign * other.value)
        return costs[0] != costs[1] and all(mine <= theirs for mine, theirs in zip(*costs, strict=True))

    on_front = {(each.seconds, each.value) for each in found}
    assert on_front == {
        (each.seconds, each.value) for each in trials if not any(beats(other, each) for other in trials)
    }
    assert len(on_front) == len(found)


def test_the_picture_has_the_front() -> None:
    """Points by how trials stand, and a line along the front."""
    spent = [tradeoff.Spent(0, "complete", 5, 0.5), tradeoff.Spent(1, "pruned", 6, 0.4)]
    drawn = tradeoff.draw(tradeoff.Tradeoff("score", spent, spent[:1]))
    assert [trace["name"] for trace in drawn["data"]] == ["complete", "pruned", "front"]


def test_untimed_trials_have_no_place() -> None:
    """An objective that reports no seconds gives no figure."""
    assert tradeoff.numbers(study(trial(0.5), epochs=[epoch(0, 1, 0.4, seconds=0)])) is None
