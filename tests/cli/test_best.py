"""The winner, as `study best` prints it."""

from __future__ import annotations

import io
import tomllib

from rich.console import Console

from tests.report.made import attempt, study, trial
from tunefast.cli.showing import best_document, show_best, trial_document
from tunefast.spec.study import StudySpec
from tunefast.store.snapshot import StudySnapshot


def printed(found: StudySnapshot) -> str:
    """What is printed of its first trial."""
    out = io.StringIO()
    show_best(Console(file=out, width=80, force_terminal=False), found, found.trials[0], None)
    return out.getvalue()


def test_the_seed_is_told() -> None:
    """The one that its attempts had, in the text's head and in JSON; all that is printed can be pasted into a spec."""
    seeds = [(0, 11), (0, 12), (1, 13)]
    attempts = [{**attempt(number, "w1", 0, 1), "seed": seed} for number, seed in seeds]
    found = study(trial(0.5), attempts=attempts)
    text = printed(found)
    assert "# for the same random draws add to the recipe: seed = 12\n" in text
    assert tomllib.loads(text)["recipe"] == {"objective": "nobody:calls_it", "epochs": 10, "params": {}}
    assert best_document(found, found.trials[0], None)["seed"] == 12


def test_of_a_trial_of_others_no_seed_is_known() -> None:
    """What stock Optuna trained, or comes from another study, had no attempt here."""
    assert "seed" not in printed(study(trial(0.5)))


def test_no_epochs_are_claimed_where_nobody_said_them() -> None:
    """The recipe of own training that has no `epochs` in its spec has none when it is printed, or given as JSON."""
    told = {"study": {"name": "s", "metric": "score"}, "budget": {"trials": 1}, "recipe": {"objective": "my:own"}}
    found = study(trial(0.5), spec=StudySpec.model_validate(told))
    assert tomllib.loads(printed(found))["recipe"] == {"objective": "my:own", "params": {}}
    assert "epochs" not in best_document(found, found.trials[0], None)["recipe"]
    assert "epochs" not in trial_document(found, 0)["recipe"]
