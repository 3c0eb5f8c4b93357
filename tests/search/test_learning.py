"""Every sampler in a live study: over restarts, with trials of every ending, on spaces of every kind."""

from __future__ import annotations

import statistics
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from tests.search.playing import claimed, finish, live_study, report
from tests.store.databases import STUDY, stock_trials, study_spec
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import OUT_OF_MEMORY, Ending
from tunefast.store.database import Database
from tunefast.store.rows import SYSTEM_ATTRS

SAMPLERS: list[dict[str, Any]] = [
    {"name": "random"},
    {"name": "tpe"},
    {"name": "gp", "startup_trials": 5},
    {"name": "cmaes", "population": 4, "learn_from_pruned": True},
    {"name": "qmc"},
    {"name": "nsga2", "population": 6},
]
MIXED = {
    "params.x": {"low": -1.0, "high": 1.0},
    "params.y": {"low": 1, "high": 64, "log": True},
    "params.kind": {"choices": ["a", "b"]},
    "params.z": {"low": 0.0, "high": 1.0, "when": {"params.kind": "b"}},
}
PLAIN = {"params.x": {"low": -1.0, "high": 1.0}, "params.y": {"low": -1.0, "high": 1.0}}


def _name(sampler: dict[str, Any]) -> str:
    return str(sampler["name"])


@pytest.mark.parametrize("sampler", SAMPLERS, ids=_name)
def test_trials_of_every_ending(database: Database, sampler: dict[str, Any]) -> None:
    """It draws within the space, two trials at a time, after trials that ended in any way, and after a restart."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    live = live_study(database, sampler=sampler, space=MIXED, budget={"trials": 24})
    endings = [Ending.COMPLETE, Ending.PRUNED, Ending.COMPLETE, Ending.INFEASIBLE, Ending.COMPLETE, Ending.FAILED]
    waits = claimed(live)
    for index in range(23):
        if index == 11:
            live.flush()
            live = LiveStudy(database, STUDY)
            again = claimed(live)
            assert again.number == waits.number
        running = claimed(live)
        report(live, running, 1, float(running.number % 5))
        ending = endings[index % len(endings)]
        reason = OUT_OF_MEMORY if ending is Ending.INFEASIBLE else ""
        finish(live, running, ending, reason=reason, kept_epoch=1, error="bad" if ending is Ending.FAILED else None)
    for trial in live.storage.all_trials():
        inactive = {"params.z"} if trial.params["params.kind"] == "a" else set()
        assert trial.params.keys() == MIXED.keys() - inactive
        assert all(live.spec.space[path].contains(value) for path, value in trial.params.items())
    assert len({tuple(trial.params.values()) for trial in live.storage.all_trials()}) == 24
    assert [trial.params for trial in stock_trials(database.path)] == [t.params for t in live.storage.all_trials()]


def _played(database: Database, sampler: dict[str, Any], trials: int) -> list[float]:
    """Values of a study whose best recipe is x = 0.6, y = -0.3."""
    live = live_study(database, sampler=sampler, space=PLAIN, budget={"trials": trials}, seed=1)
    values = []
    for _ in range(trials):
        running = claimed(live)
        params = live.storage.get_trial(running.trial_id).params
        values.append(-((params["params.x"] - 0.6) ** 2) - (params["params.y"] + 0.3) ** 2)
        report(live, running, 1, values[-1])
        finish(live, running, kept_epoch=1)
    return values


LEARNING = list(zip(SAMPLERS[1:4] + SAMPLERS[5:], [40, 25, 60, 90], strict=True))


@pytest.mark.parametrize(("sampler", "trials"), LEARNING, ids=[sampler["name"] for sampler, _ in LEARNING])
def test_what_learns_gets_better(database: Database, sampler: dict[str, Any], trials: int) -> None:
    """Half of the last third of the trials are better than half of the first third were."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    values = _played(database, sampler, trials)
    first, last = values[: trials // 3], values[-trials // 3 :]
    assert statistics.median(last) > statistics.median(first)


def test_cma_es_leaves_no_pickle(database: Database) -> None:
    """What Optuna would unpickle stays in memory; one that somebody put into the database is not read."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _played(database, {"name": "cmaes", "population": 4}, 12)
    with database.transaction() as connection:
        kept = connection.execute(sa.select(SYSTEM_ATTRS.c.key)).scalars().all()
        assert not [key for key in kept if "cma" in key]
        row = {"trial_id": 3, "key": "cma:optimizer:0", "value_json": '"80049"'}
        connection.execute(sa.insert(SYSTEM_ATTRS).values(row))
    live = LiveStudy(database, STUDY)
    assert not [key for trial in live.storage.all_trials() for key in trial.system_attrs if "cma" in key]


def test_a_quasi_random_sequence_goes_on(database: Database) -> None:
    """A restart does not begin the sequence anew; of the first sixteen every quarter of a range has four."""
    live = live_study(database, sampler={"name": "qmc", "scramble": False}, space=PLAIN, budget={"trials": 17})
    for index in range(17):
        if index == 9:
            live = LiveStudy(database, STUDY)
        finish(live, claimed(live), Ending.PRUNED)
    drawn = [trial.params["params.x"] for trial in live.storage.all_trials()[1:]]
    assert sorted(int((value + 1) * 2) for value in drawn) == [quarter for quarter in range(4) for _ in range(4)]


CHOICES = {"params.a": {"choices": [1, 2, 3]}, "params.b": {"choices": [1, 2], "when": {"params.a": [1, 2]}}}
"""Five recipes."""


@pytest.mark.parametrize(
    "sampler", [{"name": "random"}, {"name": "tpe", "startup_trials": 2}, {"name": "gp"}], ids=_name
)
def test_no_recipe_twice(database: Database, sampler: dict[str, Any]) -> None:
    """As long as there are others, no trial repeats another, also one from before a restart; then they do."""
    live = live_study(database, sampler=sampler, space=CHOICES, budget={"trials": 7})
    for index in range(7):
        if index == 3:
            live = LiveStudy(database, STUDY)
        running = claimed(live)
        report(live, running, 1, 0.5)
        finish(live, running, kept_epoch=1)
    drawn = [tuple(sorted(trial.params.items())) for trial in stock_trials(database.path)]
    assert len(set(drawn[:5])) == 5
    assert len(drawn) == 7


def test_cma_es_needs_numbers() -> None:
    """A space of choices, where it would draw at random, is refused."""
    with pytest.raises(ValidationError, match="here are 1"):
        study_spec(
            sampler={"name": "cmaes"}, space={"params.x": {"low": 0.0, "high": 1.0}, "params.k": {"choices": [1, 2]}}
        )
