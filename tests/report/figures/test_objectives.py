"""Objectives against each other."""

from __future__ import annotations

from tests.report.made import study, trial
from tests.store.databases import study_spec
from tunefast.report.figures import objectives

SEVERAL = study_spec(
    metric=["score", "train_seconds", "num_parameters"], direction=["maximize", "minimize", "minimize"]
)


def test_the_front_is_told_apart() -> None:
    """Who is worse than another in one objective and better in none is not on it."""
    made = study(trial([0.9, 5.0, 10.0]), trial([0.8, 6.0, 10.0]), trial([0.7, 1.0, 10.0]), spec=SEVERAL)
    found = objectives.numbers(made)
    assert found is not None
    assert [each.trial for each in found.front] == [0, 2]


def test_every_other_objective_has_a_plot() -> None:
    """Two traces for each objective but the first, and one legend for all."""
    found = objectives.Objectives(["score", "a", "b"], [objectives.Reached(0, [1.0, 2.0, 3.0], on_front=True)])
    drawn = objectives.draw(found)
    assert [trace["xaxis"] for trace in drawn["data"]] == ["x", "x", "x2", "x2"]
    assert [trace["showlegend"] for trace in drawn["data"]] == [True, True, False, False]


def test_one_objective_needs_no_such_figure() -> None:
    """It is for studies of several."""
    assert objectives.applies(study(spec=SEVERAL))
    assert not objectives.applies(study())
    assert objectives.numbers(study(spec=SEVERAL)) is None
