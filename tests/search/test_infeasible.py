"""What samplers learn from trials that needed too much memory."""

from __future__ import annotations

from tests.search.playing import claimed, finish, live_study, play
from tests.store.databases import stock_study
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import OUT_OF_MEMORY, Ending
from tunefast.store.database import Database

SPACE = {"params.x": {"low": 0.0, "high": 1.0}, "params.size": {"low": 1, "high": 128, "log": True}}
LIMIT, TRIALS = 32, 60


def _searched(database: Database, name: str, ending: Ending) -> tuple[LiveStudy, int]:
    """A study in which larger is better until it does not fit, which ends so; how many trials did not."""
    live = live_study(
        database, name=name, space=SPACE, sampler={"name": "tpe"}, direction="maximize", budget={"trials": TRIALS}
    )
    num_too_large = 0
    for _ in range(TRIALS):
        running = claimed(live)
        params = live.storage.get_trial(running.trial_id).params
        if params["params.size"] > LIMIT:
            num_too_large += 1
            finish(live, running, ending, reason=OUT_OF_MEMORY, error=f"no room, trial {running.number % 2}")
        else:
            play(live, [params["params.size"] / 128 + params["params.x"] / 10], running)
    return live, num_too_large


def test_tpe_keeps_away_from_what_does_not_fit(database: Database) -> None:
    """Told as infeasible, much fewer trials go where there is no room than when they were told as failed."""
    _, failed = _searched(database, "failed", Ending.FAILED)
    live, infeasible = _searched(database, "infeasible", Ending.INFEASIBLE)
    assert infeasible < 0.7 * failed
    assert live.tally.counts == {"infeasible": infeasible, "complete": TRIALS - infeasible}
    with stock_study(database.path, "infeasible") as study:
        assert study.best_trial.params["params.size"] <= LIMIT
