"""Orders: what people want of a study at work, on disk before they are told so."""

from __future__ import annotations

from tests.search.playing import claimed, live_study, report
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import BY_HAND
from tunefast.store.database import Database
from tunefast.store.studies import Orders


def again(live: LiveStudy, database: Database) -> LiveStudy:
    """The study as another coordinator finds it, when the one before was killed."""
    return LiveStudy(database, live.name)


def test_a_pause_is_found_again(database: Database) -> None:
    """A paused study hands out nothing, whoever works on it, until it is told to go on."""
    live = live_study(database)
    assert not live.held
    live.keep_orders(live.orders._replace(held=True))
    found = again(live, database)
    assert found.held
    assert found.claim() is None
    found.keep_orders(found.orders._replace(held=False))
    assert not again(found, database).held
    assert claimed(found).number == 0


def test_a_trial_that_was_to_end_has_ended(database: Database) -> None:
    """What trained and was to end is not handed out again: it ends when the study is taken up; others go on."""
    live = live_study(database)
    first, second = claimed(live), claimed(live)
    for running in (first, second):
        report(live, running, 1, 0.5)
    live.flush()
    assert live.stop_trial(first.number)
    found = again(live, database)
    ended = found.storage.all_trials()[first.number]
    assert ended.state.is_finished()
    assert ended.user_attrs["reason"] == BY_HAND
    assert claimed(found).number == second.number


def test_orders_end_with_the_work(database: Database) -> None:
    """What was wanted is forgotten when it is said to be, and a study without orders has none."""
    live = live_study(database)
    live.keep_orders(Orders(held=True, stopped=(3,)))
    assert again(live, database).orders == Orders(held=True, stopped=(3,))
    live.keep_orders(Orders())
    assert again(live, database).orders == Orders()
