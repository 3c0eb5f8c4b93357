"""The winner, as `study best` prints it."""

from __future__ import annotations

import io
import tomllib

from rich.console import Console

from tests.report.made import study, trial
from tests.store.databases import study_spec
from tunefast.cli.showing import best_document, show_best
from tunefast.store.rows import IMPORTED
from tunefast.store.snapshot import StudySnapshot


def printed(found: StudySnapshot) -> str:
    """What is printed of its first trial."""
    out = io.StringIO()
    show_best(Console(file=out, width=80, force_terminal=False), found, found.trials[0], None)
    return out.getvalue()


def test_the_seed_is_told() -> None:
    """The one that its attempts had, in the text's head and in JSON; all that is printed can be pasted into a spec."""
    found = study(trial(0.5))
    text, seed = printed(found), found.spec.trial_seed(0)
    assert f"# seed {seed}\n" in text
    assert tomllib.loads(text)["recipe"] == {"objective": "nobody:calls_it", "epochs": 10, "params": {}}
    assert best_document(found, found.trials[0], None)["seed"] == seed


def test_a_seed_of_the_recipe_counts() -> None:
    """A recipe may have one for all trials; of a trial from another study nobody knows."""
    spec = study_spec(direction="maximize", recipe={"seed": 7})
    assert "# seed 7\n" in printed(study(trial(0.5), spec=spec))
    imported = trial(0.5)
    imported.set_user_attr(IMPORTED, "other 3")
    assert "# seed" not in printed(study(imported))
