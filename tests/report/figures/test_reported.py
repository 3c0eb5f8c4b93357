"""What trials said, and which of it counts."""

from __future__ import annotations

from tests.report.made import COMPLETE, PRUNED, RUNNING, epoch, study, trial
from tests.store.databases import study_spec
from tunefast.report.figures.reported import reported


def test_the_value_is_the_studys() -> None:
    """A complete trial's is its kept epoch's, that of a stopped and a running one the last; never the curve's best."""
    rows = [epoch(of, at, value) for of in range(3) for at, value in enumerate((0.5, 0.9, 0.4), 1)]
    trials = trial(0.5, kept_epoch=1), trial(0.4, PRUNED, kept_epoch=2), trial(None, RUNNING)
    found = reported(study(*trials, epochs=rows))
    assert [(each.epoch, each.value) for each in found] == [(1, 0.5), (3, 0.4), (3, 0.4)]


def test_in_a_race_the_epoch_at_the_target_counts() -> None:
    """The study's value is a cost there, so the curve has the metric's."""
    spec = study_spec(metric="seconds_to_target", target={"metric": "score", "value": 0.9})
    rows = [epoch(0, 1, 0.5), epoch(0, 2, 0.92), epoch(0, 3, 0.91)]
    (found,) = reported(study(trial(12.0, kept_epoch=2), epochs=rows, spec=spec))
    assert (found.epoch, found.value) == (2, 0.92)


def test_of_several_objectives_the_one_that_is_reported_counts() -> None:
    """Whatever place it has among them."""
    spec = study_spec(metric=["train_seconds", "score"], direction=["minimize", "maximize"])
    (found,) = reported(study(trial([9.0, 0.5], COMPLETE), epochs=[epoch(0, 1, 0.4), epoch(0, 2, 0.5)], spec=spec))
    assert found.value == 0.5


def test_an_objective_of_optunas_has_the_value_that_it_returned() -> None:
    """Whatever it reported on its way; without a report there is a value, and no epoch."""
    told, silent = trial(0.5), trial(0.7)
    told.intermediate_values = {1: 0.1, 2: 0.2}
    found = reported(study(told, silent))
    assert [(each.epoch, each.value) for each in found] == [(2, 0.5), (None, 0.7)]
