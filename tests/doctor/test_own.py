"""What a training of the user's own lets see of itself."""

from __future__ import annotations

import pytest

from tunefast.doctor.own import Gaps, OwnLimit, watched


@pytest.mark.parametrize(
    ("cpu", "waiting", "evaluation", "limit"),
    [
        (0.1, 0.0, [], OwnLimit.WAITING),
        (1.0, 0.0, [], OwnLimit.ONE_CORE),
        (0.3, 0.7, [], OwnLimit.ONE_CORE),
        (3.8, 0.0, [], OwnLimit.COMPUTE),
        (1.0, 2.9, [], OwnLimit.COMPUTE),
        (2.0, 0.0, [], OwnLimit.PARTS),
        (3.8, 0.0, [0.0, 0.6, 0.6], OwnLimit.EVALUATION),
        (3.8, 0.0, [0.0, 0.4, 0.4], OwnLimit.COMPUTE),
    ],
)
def test_what_limits_it(cpu: float, waiting: float, evaluation: list[float], limit: OwnLimit) -> None:
    """By the cores that it wants, whether it gets them or others have them, and by what it says of evaluation."""
    gaps = Gaps([5.0, 1.0, 1.0], [9.0, cpu, cpu], [9.0, waiting, waiting], evaluation)
    found = watched(4, 0.5, gaps)
    assert found.limit is limit
    assert found.cores == pytest.approx(cpu)
    assert (found.setup_seconds, found.epoch_seconds, found.seconds_an_epoch) == (4.0, [1.0, 1.0], 1.0)


def test_one_report_alone() -> None:
    """Where there was time for one epoch, it is told with what came before it, and nothing apart."""
    found = watched(2, 0.0, Gaps([5.0], [10.0], [0.0], []))
    assert (found.setup_seconds, found.epoch_seconds, found.limit) == (0.0, [5.0], OwnLimit.COMPUTE)
    assert found.eval_share is None
