"""A study whose space was edited: what samplers see of it."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.search_space import intersection_search_space

from tests.search.playing import claimed, live_study, play
from tests.store.databases import STUDY, stock_study
from tunefast.search.live import LiveStudy
from tunefast.search.samplers import covering
from tunefast.spec.editing import difference, edited
from tunefast.store import studies
from tunefast.store.database import Database

SPACE: dict[str, Any] = {
    "params.rate": {"low": 0.0, "high": 1.0},
    "params.width": {"low": 1, "high": 64, "log": True},
    "params.kind": {"choices": ["a", "b"]},
}
NARROWER: dict[str, Any] = {
    "space.params.rate.low": 0.4,
    "space.params.rate.high": 0.6,
    "space.params.kind.choices": ["a", "b", "c"],
}


def _trained(live: LiveStudy, count: int) -> None:
    for _ in range(count):
        running = claimed(live)
        rate = live.storage.get_trial(running.trial_id).params["params.rate"]
        play(live, [1 - abs(rate - 0.5)], running)


@pytest.mark.parametrize("restarted", [False, True])
def test_tpe_draws_jointly_from_the_narrower_space(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, restarted: bool
) -> None:
    """No setting is drawn for itself; all are within the new space; the database has one distribution for each."""
    live = live_study(
        database, space=SPACE, sampler={"name": "tpe", "startup_trials": 2}, direction="maximize", budget={"trials": 99}
    )
    _trained(live, 30)
    narrowed = edited(live.spec, NARROWER)
    note = studies.Edit("2026-11-21T00:00:00", 30, difference(live.spec, narrowed))
    studies.edit(database, STUDY, narrowed, note, covering(narrowed.space, live.storage.all_trials()))
    live.change(narrowed)
    if restarted:
        live = LiveStudy(database, STUDY)
    alone: list[str] = []
    draw = optuna.samplers.TPESampler.sample_independent

    def noted(self: Any, study: Any, trial: Any, name: str, kind: Any) -> Any:
        alone.append(name)
        return draw(self, study, trial, name, kind)

    monkeypatch.setattr(optuna.samplers.TPESampler, "sample_independent", noted)
    seen = live.storage.get_all_trials(live.storage.study_id)
    assert 2 < len(seen) < 30
    assert all(0.4 <= trial.params["params.rate"] <= 0.6 for trial in seen)
    _trained(live, 10)
    assert alone == []
    later = live.storage.all_trials()[30:]
    assert len(later) == 10
    assert all(0.4 <= trial.params["params.rate"] <= 0.6 for trial in later)
    with stock_study(database.path) as stock:
        trials = stock.trials
    assert intersection_search_space(trials) == covering(narrowed.space, trials)
    assert trials[0].distributions["params.rate"] == FloatDistribution(0.0, 1.0)
