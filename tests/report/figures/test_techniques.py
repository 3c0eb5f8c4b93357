"""What each technique cost and bought."""

from __future__ import annotations

import numpy as np
import pytest

from tests.report.made import PRUNED, epoch, study, trial
from tunefast.report.figures import techniques
from tunefast.report.figures.groups import base_of, groups
from tunefast.report.figures.scales import Scale
from tunefast.report.pairing import Effect
from tunefast.store.snapshot import StudySnapshot


def made(num_trials: int = 60) -> StudySnapshot:
    """A batch of 64 halves the seconds and costs 0.05; `depth` does nothing; good rates are drawn more often for 64.

    A third of the trials is stopped after the first of 10 epochs.
    """
    rng = np.random.default_rng(7)
    trials, rows = [], []
    for number in range(num_trials):
        size = int(rng.choice([32, 64]))
        rate = float(np.clip(0.5 + (0.2 if size == 64 else 0.35) * rng.standard_normal(), 0, 1))
        depth = int(rng.integers(1, 4))
        stopped = rng.random() < 1 / 3
        value = 0.9 - (rate - 0.5) ** 2 - 0.05 * (size == 64) + 0.002 * rng.standard_normal()
        own = {"x": rate, "batch_size": size, "depth": depth}
        trials.append(trial(None if stopped else value, PRUNED if stopped else trial(0.0).state, params=own))
        pace = (1.0 if size == 64 else 2.0) * float(np.exp(0.05 * rng.standard_normal()))
        length = 1 if stopped else 10
        rows += [epoch(number, at, value - 0.3 + 0.03 * at, seconds=pace) for at in range(1, length + 1)]
    return study(*trials, epochs=rows)


def test_known_effects_are_found_and_none_where_there_is_none() -> None:
    """The larger batch costs accuracy and saves half of the seconds; the depth, which does nothing, may be chance."""
    found = techniques.numbers(made())
    assert found is not None
    batch = next(each for each in found.comparisons if each.setting == "batch_size")
    assert (batch.value, batch.base) == ("64", "32")
    assert batch.gain is not None
    assert batch.gain.low < -0.05 < batch.gain.high < -0.03
    assert batch.cost is not None
    assert batch.cost.low < -0.5 < batch.cost.high < -0.45
    for each in found.comparisons:
        if each.setting == "depth":
            for nothing in (each.gain, each.cost):
                assert nothing is not None
                assert nothing.low < 0 < nothing.high


def test_the_middle_of_a_number_is_best() -> None:
    """Where the optimum lies inside, both outer thirds are worse than the middle one."""
    found = techniques.numbers(made(120))
    assert found is not None
    outer = [each for each in found.comparisons if each.setting == "x"]
    assert [each.value.split()[0] for each in outer] == ["up", "above"]
    assert all(each.gain is not None and each.gain.high < 0 for each in outer)


def test_few_trials_get_no_figure() -> None:
    """What is no more than a guess is not said."""
    assert techniques.numbers(made(8)) is None
    assert techniques.numbers(study()) is None
    assert not techniques.applies(study(confirms="uuid"))


def test_numbers_are_cut_where_trials_are() -> None:
    """Choices and few values stand alone, many in thirds or halves of as many trials; nothing is lost."""
    names = [group.label for group in groups(Scale("a", 0, 1, labels=("x", "y", "z")), ["x", "z", "x"])]
    assert names == ["x", "z"]
    assert [group.label for group in groups(Scale("n", 1, 3), [3, 1, 1])] == ["1", "3"]
    many, scale = [float(number) for number in range(30)], Scale("lr", 0, 29)
    thirds = groups(scale, many)
    assert [len(group.members) for group in thirds] == [10, 10, 10]
    assert base_of(thirds, scale, 5) is thirds[1]
    halves = groups(scale, many[:20])
    assert sorted(at for group in halves for at in group.members) == list(range(20))
    assert base_of(halves, scale, 5) is halves[0]


def test_the_first_choice_with_enough_trials_is_the_base() -> None:
    """One that was tried once can bear no comparison."""
    scale = Scale("a", 0, 1, labels=("rare", "plain", "new"))
    found = groups(scale, ["rare", *["plain"] * 6, *["new"] * 6])
    assert base_of(found, scale, 5).label == "plain"


def comparison(name: str, gain: Effect | None, cost: Effect | None) -> techniques.Comparison:
    """A value against another one."""
    return techniques.Comparison(name, "new", "old", 10, 12, gain, cost)


def test_the_picture_says_better_worse_and_chance() -> None:
    """By symbol too, on a side each; what has not enough pairs is in the table."""
    better, chance = Effect(0.02, 0.01, 0.03), Effect(0.0, -0.1, 0.1)
    rows = [comparison("a", better, better), comparison("b", chance, None), comparison("c", None, None)]
    found = techniques.Techniques("score", maximize=True, comparisons=rows)
    traces = {(trace["xaxis"], trace["name"]): trace for trace in techniques.draw(found)["data"]}
    assert set(traces) == {("x", "better"), ("x", "may be chance"), ("x2", "worse")}
    assert len({trace["marker"]["symbol"] for trace in traces.values()}) == 3
    assert traces["x", "better"]["error_x"]["array"] == [pytest.approx(0.01)]
    assert "For 1 of 3 comparisons" in techniques.caption(found)
    assert [row[-2] for row in techniques.table(found).rows] == [
        "+0.02 (+0.01 to +0.03)",
        "+0 (-0.1 to +0.1)",
        "not enough pairs",
    ]


def test_less_is_better_of_a_loss() -> None:
    """A greater loss is worse."""
    worse = comparison("a", Effect(0.02, 0.01, 0.03), None)
    found = techniques.Techniques("val_loss", maximize=False, comparisons=[worse])
    assert [trace["name"] for trace in techniques.draw(found)["data"]] == ["worse"]
