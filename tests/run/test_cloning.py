"""From where a variant of a trial starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import create_trial

from tests.search.playing import play
from tests.spec.specs import spec as checked
from tests.store.databases import STUDY, prepared, study_spec
from tunefast.errors import UserError
from tunefast.run.cloning import clone_trial, variant
from tunefast.search import importing
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import CHECKPOINTS
from tunefast.store import studies
from tunefast.store.ownership import StateDirectory
from tunefast.store.rows import IMPORTED
from tunefast.store.snapshot import snapshot


@pytest.mark.parametrize(("limit", "start", "why"), [(14, "checkpoint", ""), (13, "beginning", "does not fit")])
def test_a_copy_of_the_checkpoints_has_to_fit(tmp_path: Path, limit: int, start: str, why: str) -> None:
    """A variant starts from the beginning, and says so, where its copy would exceed the room of all checkpoints."""
    path = tmp_path / "tunefast.db"
    database = prepared(path)
    spec = study_spec()
    trial = spec.trial.model_copy(update={"checkpoint_bytes": limit})
    studies.create(database, spec.model_copy(update={"trial": trial}))
    live = LiveStudy(database, STUDY)
    play(live, [0.1, 0.2])
    place = StateDirectory(path).trials(live.uuid) / "0" / CHECKPOINTS
    database.close()
    place.mkdir(parents=True)
    (place / "model").write_text("weights")
    made = clone_trial(path, snapshot(path, STUDY), 0, {"params.x": 0.5})
    assert made.start == start
    assert why in made.why
    assert [(copy / "model").is_file() for copy in place.parents[1].glob(f"1/{CHECKPOINTS}")] == [True] * (not why)


def test_imported_trials_are_in_no_budget(tmp_path: Path) -> None:
    """Beside trials that came from another study a variant needs room for one more trial than were trained here."""
    path = tmp_path / "tunefast.db"
    database = prepared(path)
    studies.create(database, study_spec(budget={"trials": 2}))
    imported = create_trial(
        params={"params.x": 0.5},
        distributions={"params.x": FloatDistribution(0.0, 1.0)},
        value=0.7,
        user_attrs={IMPORTED: "elsewhere"},
    )
    importing.add(path, STUDY, [imported])
    live = LiveStudy(database, STUDY)
    play(live, [0.1])
    database.close()
    made = [clone_trial(path, snapshot(path, STUDY), 0, {"params.x": 0.5 / each}) for each in (1, 2)]
    assert [(each.trial, each.needs_trials, each.is_in_budget) for each in made] == [(2, 2, True), (3, 3, False)]


def test_a_variant_that_makes_no_recipe_says_which_setting() -> None:
    """Where settings do not go together the message names the one that is wrong, as that of a spec does."""
    spec = checked('[space]\nbatch_size = { low = 0, high = 4 }\n"optimizer.lr" = { low = 0.1, high = 0.2 }')
    trial = create_trial(
        params={"batch_size": 2, "optimizer.lr": 0.1},
        distributions={"batch_size": IntDistribution(0, 4), "optimizer.lr": FloatDistribution(0.1, 0.2)},
        value=1.0,
    )
    with pytest.raises(UserError) as caught:
        variant(spec, trial, {"batch_size": 0})
    assert str(caught.value) == 'that makes no recipe: [space] "batch_size" = 0: should be at least 1'
