"""The opening paragraph."""

from __future__ import annotations

from dataclasses import replace

from optuna.trial import FrozenTrial

from tests.report.made import FAILED, PRUNED, RUNNING, study, trial
from tests.store.databases import study_spec
from tunefast.report.words import opening
from tunefast.search.confirmed import Confirmation, Repeated
from tunefast.spec.study import StudySpec
from tunefast.store.snapshot import StudySnapshot

RACE = study_spec(metric="seconds_to_target", target={"metric": "val_accuracy", "value": 0.9})


def confirmation(*means: tuple[int, list[float]], waiting: int = 0) -> Confirmation:
    """Trials with their values on new seeds, best first."""
    others = {"waiting": waiting} if waiting else {}
    return Confirmation(True, [Repeated(of, 0.9, dict(enumerate(values)), others) for of, values in means])


def said(made: StudySnapshot, found: Confirmation | None = None) -> str:
    """The paragraph."""
    return " ".join(opening(made, found).sentences)


def lines(
    made: StudySnapshot, found: Confirmation | None = None, flag: str = "", at_work: tuple[str, ...] | None = ()
) -> list[str]:
    """The commands."""
    return [command.line for command in opening(made, found, flag, at_work).commands]


def full(*trials: FrozenTrial, spec: StudySpec | None = None) -> StudySnapshot:
    """A study whose budget is used up by its trials."""
    given = spec or study_spec(direction="maximize")
    used = given.model_copy(update={"budget": given.budget.model_copy(update={"trials": len(trials)})})
    return study(*trials, spec=used)


def test_the_winner_and_its_lead() -> None:
    """A search that nobody confirmed: who won, by how much, that it may be chance, and how to find out."""
    made = full(trial(0.5, params={"x": 0.25}), trial(0.75, params={"x": 0.5}), trial(0.625))
    words = said(made)
    assert "Trial 1 won with score 0.7500." in words
    assert "The runner-up, trial 2 with 0.6250, is 0.1250 behind." in words
    assert "may be chance" in words
    assert opening(made, None).settings == {"x": "0.5"}
    assert lines(made, flag=" --storage X")[0] == "tunefast study confirm study --storage X"


def test_a_winner_from_another_study_is_told_as_one() -> None:
    """Imported trials are counted apart, and one that leads is said to have been trained elsewhere."""
    words = said(study(trial(0.9, imported="old, trial 6"), trial(0.5)))
    assert "1 trial in 1 min 0 s of work: 1 complete, and 1 imported." in words
    assert "Trial 0 leads with score 0.9000. It was imported (old, trial 6), so it was trained elsewhere." in words
    assert said(study(trial(0.9, imported="old, trial 6"))).startswith("No trial has begun yet; 1 imported.")


def test_equals_are_told_as_equals() -> None:
    """Where the first two have one value there is no difference that may be chance."""
    words = said(full(trial(0.5, params={"x": 0.25}), trial(0.5, params={"x": 0.5})))
    assert "is as good. Each was trained once, so chance may hide a difference" in words


def test_what_searching_added() -> None:
    """The recipe as it was written is compared with, where it was tried first: here its space's middle."""
    first = trial(0.5, params={"params.x": 0.5})
    better = said(full(first, trial(0.75, params={"params.x": 0.25})))
    assert "The recipe as it was written (trial 0) came to 0.5000." in better
    assert "no trial was better" in said(full(first, trial(0.25, params={"params.x": 0.25})))
    stopped = trial(0.25, PRUNED, params={"params.x": 0.5})
    assert "came to 0.2500, where it was stopped." in said(full(stopped, trial(0.75, params={"params.x": 0.25})))
    for others in ((trial(0.5, params={"params.x": 0.25}), first), (trial(state=PRUNED), first)):
        assert "as it was written" not in said(full(*others))


def test_a_confirmation_gives_the_interval() -> None:
    """The confirmed winner opens the page, with its interval and its lead; nobody is told to confirm again."""
    made = full(trial(0.9, params={"x": 0.1}), trial(0.8, params={"x": 0.2}))
    found = confirmation((1, [0.80, 0.81, 0.82]), (0, [0.70, 0.71, 0.72]))
    words = said(made, found)
    assert "Confirmed: trial 1, mean score 0.8100 on 3 new seeds, 95 % interval 0.7852 to 0.8348." in words
    assert "better than trial 0 by 0.1000 on the same 3 seeds" in words
    assert "The search itself had trial 0 first, with 0.9000." in words
    assert opening(made, found).settings == {"x": "0.2"}
    assert not any("confirm" in line for line in lines(made, found))


def test_a_lead_that_may_be_chance_asks_for_more_seeds() -> None:
    """The command doubles the seeds."""
    found = confirmation((1, [0.9, 0.1, 0.8]), (0, [0.1, 0.8, 0.7]))
    assert "tunefast study confirm study --top 2 --seeds 6" in lines(full(trial(0.9), trial(0.8)), found)


def test_a_confirmation_that_is_not_finished_is_gone_on_with() -> None:
    """Its name is what to run."""
    made, found = full(trial(0.9), trial(0.8)), confirmation((1, [0.8]), waiting=2)
    assert "confirmation on new seeds is not finished" in said(made, found)
    assert "tunefast study run study.confirm" in lines(made, found)


def test_one_trial_has_nobody_to_beat() -> None:
    """A single complete trial is the best of one."""
    assert "nothing to compare it with" in said(full(trial(0.9)))


def test_several_objectives_name_the_front() -> None:
    """Trials that are best in another way are named too."""
    spec = study_spec(metric=["score", "train_seconds"], direction=["maximize", "minimize"])
    words = said(full(trial([0.9, 9.0]), trial([0.8, 1.0]), spec=spec))
    assert "Trial 0 won with score 0.9000, train_seconds 9.0000." in words
    assert "where none beats another in all, are trials 0, 1." in words
    assert "No other trial beats it in any objective." in said(full(trial([0.9, 1.0]), trial([0.8, 2.0]), spec=spec))


def test_a_race_that_nobody_finished() -> None:
    """Who would have got to the target first is said, where that is known."""
    made = full(trial(None, PRUNED, reason="race"), trial(None, PRUNED, extrapolated_cost=75.0), spec=RACE)
    assert "No trial got to val_accuracy 0.9000. By its curve trial 1 would have been first" in said(made)
    assert "1 min 15 s" in said(made)


def test_the_winner_of_a_race_is_told_by_what_it_took() -> None:
    """In its unit, with the target that it got to."""
    words = said(full(trial(40.0), trial(34.5), spec=RACE))
    assert "Trial 1 won: it got to val_accuracy 0.9000 after 34 s of training." in words
    assert "The runner-up, trial 0, took 5.5 s of training more." in words
    steps = study_spec(metric="steps_to_target", target={"metric": "val_accuracy", "value": 0.9})
    assert "after 300 steps." in said(full(trial(300.0), spec=steps))


def test_who_leads_has_not_won() -> None:
    """While the study is not over; a lead that four digits do not show is one all the same."""
    assert "Trial 0 leads with score 0.5000." in said(study(trial(0.5)))
    assert "is less than 0.0001 behind." in said(full(trial(0.50001), trial(0.5)))


def test_as_many_are_confirmed_as_there_are() -> None:
    """One complete trial is no best three."""
    meanings = [command.meaning for command in opening(full(trial(0.5)), None).commands]
    assert "train it again on new seeds: how sure the winner is" in meanings


def test_all_failed() -> None:
    """The error is told, and how to look at it and try again; nothing is called a winner."""
    made = study(trial(None, FAILED), trial(None, FAILED, error="Traceback\nValueError: no such luck"))
    assert said(made) == "2 trials in 1 min 0 s of work, all failed. The first one said: ValueError: no such luck"
    assert lines(made)[:2] == ["tunefast study show study --trial 1", "tunefast study retry study"]
    assert "won" not in said(made)


def test_empty_and_running() -> None:
    """A study that has nothing yet is to be started or gone on with."""
    assert said(study()) == "No trial has begun yet."
    assert lines(study()) == ["tunefast study run study"]
    assert "nothing has won" in said(study(trial(None, RUNNING)))


def test_who_is_at_work_needs_no_start() -> None:
    """A study that runs is to be watched, a paused one to go on; nobody is told to confirm what still changes."""
    made = study(trial(0.5), trial(None, RUNNING))
    assert lines(made, at_work=("study",)) == ["tunefast study watch study"]
    assert lines(replace(made, held=True), at_work=("study",), flag=" -F") == ["tunefast study resume study -F"]
    for elsewhere in (lines(made, at_work=("other",)), lines(replace(made, held=True))):
        assert elsewhere[0] == "tunefast study run study"


def test_where_nobody_knows_who_works_the_trials_tell() -> None:
    """A study with trials that run is to be watched, paused or not; one that is over may be confirmed, as ever."""
    made = study(trial(0.5), trial(None, RUNNING))
    for found in (made, replace(made, held=True)):
        assert lines(found, at_work=None) == ["tunefast study watch study"]
    over = full(trial(0.9), trial(0.8))
    assert lines(over, at_work=None) == lines(over) != []


def test_a_confirmation_at_work_is_watched() -> None:
    """By its own name, from the page of the study that it confirms."""
    made, found = full(trial(0.9), trial(0.8)), confirmation((1, [0.8]), waiting=2)
    told = lines(made, found, at_work=("study.confirm",))
    assert "tunefast study watch study.confirm" in told
    assert "tunefast study run study.confirm" not in told


def test_what_would_end_at_once_is_not_suggested() -> None:
    """Out of time, or with every cell of its grid tried, a study is not to be run again."""
    late = study_spec(direction="maximize", budget={"minutes": 1})
    grid = study_spec(
        direction="maximize", sampler={"name": "grid"}, budget={}, space={"params.x": {"choices": [1, 2]}}
    )
    run = "tunefast study run study"
    assert run not in lines(study(trial(0.5), spec=late, active_seconds=61))
    assert run in lines(study(trial(0.5), spec=late, active_seconds=59))
    assert run not in lines(study(trial(0.5), trial(0.6), spec=grid))
    assert run in lines(study(trial(0.5), spec=grid))


def test_a_confirmation_names_no_winner_of_its_own() -> None:
    """Its best run is luck: the page leads to the study that it confirms."""
    made = study(trial(0.9), name="digits.confirm", confirms="uuid of digits")
    assert "see the report of digits" in said(made)
    assert "won" not in said(made)
