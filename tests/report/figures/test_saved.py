"""Training saved by stopping."""

from __future__ import annotations

from tests.report.made import PRUNED, RUNNING, epoch, study, trial
from tests.store.databases import study_spec
from tunefast.report.figures import saved


def test_every_rule_has_its_share() -> None:
    """Of 10 planned epochs those that a rule left out are saved; trials that run on do not count yet."""
    trials = (
        trial(0.5),
        trial(0.4, reason="early_stopping"),
        trial(None, PRUNED, reason="pruner"),
        trial(None, RUNNING),
    )
    lengths = {0: 10, 1: 6, 2: 3, 3: 2}
    rows = [epoch(of, number + 1, 0.1, seconds=2) for of, length in lengths.items() for number in range(length)]
    found = saved.numbers(study(*trials, epochs=rows))
    assert found is not None
    assert found.shares == [
        saved.Share("pruner", 1, 3, 7),
        saved.Share("patience", 1, 6, 4),
        saved.Share(saved.TO_THE_END, 1, 10, 0),
    ]
    assert found.saved_seconds == 22
    assert "11 of 30 epochs (37%)" in saved.caption(found)
    assert "pruner stopped 1 trial, which saved 7 epochs" in saved.caption(found)


def test_the_bars_stand_on_each_other() -> None:
    """Epochs run and epochs saved add up to those planned."""
    found = saved.Saved([saved.Share("pruner", 1, 3, 7)], 6.0, 3, [])
    drawn = saved.draw(found)
    assert drawn["layout"]["barmode"] == "stack"
    assert [list(trace["x"]) for trace in drawn["data"]] == [[3], [7]]


def test_who_knows_no_epochs_knows_no_savings() -> None:
    """An own objective that does not say how long a trial is saves nobody knows what."""
    spec = study_spec(recipe={"epochs": 10}, direction="maximize")
    unknown = spec.model_copy(update={"recipe": {"objective": "nobody:calls_it"}})
    assert saved.numbers(study(trial(0.5), epochs=[epoch(0, 1, 0.5)], spec=unknown)) is None
    assert saved.numbers(study(spec=spec)) is None
