"""Values as people read them."""

from __future__ import annotations

import pytest

from tunefast.report.phrases import (
    amount,
    brief,
    counts_line,
    duration,
    number,
    race_cost,
    scaled,
    setting,
    short_params,
)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599.6, "1 h 0 min"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, said: str) -> None:
    """Whole seconds, minutes or hours; never 60 of one."""
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 s"), (0.34, "0.3 s"), (0.012, "0.01 s"), (0.97, "1 s"), (1.6, "2 s"), (75.0, "1 min 15 s")],
)
def test_a_part_of_a_second_is_told(seconds: float, said: str) -> None:
    """What took a while is not told as nothing."""
    assert amount(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.01234, "0.0123 s"), (9.87, "9.87 s"), (10.2, "10 s"), (61, "1 min 1 s")]
)
def test_short_times_keep_their_digits(seconds: float, said: str) -> None:
    """What takes less than ten seconds is said with three digits."""
    assert brief(seconds) == said


def test_values() -> None:
    """Metrics have four digits, settings three, counts a prefix; nothing is a dash."""
    assert [number(0.98765), number(12345.678), number(None)] == ["0.9877", "12345.7", "-"]
    assert [setting(0.00123456), setting(64), setting("mlp")] == ["0.00123", "64", "mlp"]
    assert [scaled(999), scaled(45_600)] == ["999 ", "45.6 k"]


def test_settings_are_short_where_that_is_enough() -> None:
    """The last part of a path names a setting, unless two share it or it says nothing."""
    said = short_params({"optimizer.lr": 0.1, "a.x": 1, "b.x": 2, "model.name": "mlp"})
    assert said == "lr=0.1 a.x=1 b.x=2 model.name=mlp"


def test_counts_have_an_order() -> None:
    """What matters most comes first, whatever was counted first."""
    assert counts_line({"failed": 1, "complete": 2, "running": 0}) == "2 complete, 1 failed"
    assert counts_line({"imported": 3, "complete": 2, "pruned": 1}) == "2 complete, 1 pruned, and 3 imported"
    assert counts_line({"imported": 3}) == "3 imported"


@pytest.mark.parametrize(
    ("metric", "said"),
    [("steps_to_target", "1.5 ksteps"), ("flops_to_target", "1.5 kFLOP"), ("seconds_to_target", "!")],
)
def test_what_a_race_took_has_its_unit(metric: str, said: str) -> None:
    """Counts have a prefix; seconds are said as the place wants them."""
    assert race_cost(metric, 1500.0, lambda _seconds: "!") == said
