"""Which checkpoints stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna

from tests.search.playing import claimed, finish, live_study, play, report
from tests.store.databases import STUDY, stock
from tunefast.run.retention import KEPT_PAUSED, Retention
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import CHECKPOINTS, Ending, Verdict
from tunefast.store.database import Database
from tunefast.store.ownership import StateDirectory
from tunefast.store.rows import enqueued


def at_once(act: Callable[[], None]) -> None:
    """What a disk does that all was on already."""
    act()


def _live(database: Database) -> tuple[LiveStudy, StateDirectory]:
    live = live_study(database)
    trial = live.spec.trial.model_copy(update={"kept_checkpoints": 2})
    live.spec = live.spec.model_copy(update={"trial": trial})
    return live, StateDirectory(database.path)


def _place(live: LiveStudy, state: StateDirectory, number: int) -> Path:
    return state.trials(live.uuid) / str(number) / CHECKPOINTS


def _save(live: LiveStudy, state: StateDirectory, number: int) -> None:
    place = _place(live, state, number)
    place.mkdir(parents=True)
    (place / "model").write_text("weights")


def _left(live: LiveStudy, state: StateDirectory) -> list[int]:
    return sorted(int(place.parent.name) for place in state.trials(live.uuid).glob(f"*/{CHECKPOINTS}"))


def test_the_best_stay(database: Database) -> None:
    """Of the trials that ended the best two keep theirs; those that run keep theirs anyway, logs stay in any case."""
    live, state = _live(database)
    retention = Retention(live, state, at_once)
    running = claimed(live)
    _save(live, state, running.number)
    left = []
    for value in (0.3, 0.1, 0.5, 0.4):
        trial = claimed(live)
        _save(live, state, trial.number)
        (_place(live, state, trial.number).parent / "log.txt").write_text("said")
        play(live, [value], trial)
        retention.tidy()
        left.append(_left(live, state))
    assert left == [[0, 1], [0, 1, 2], [0, 1, 3], [0, 3, 4]]
    finish(live, running, Ending.FAILED, error="bad")
    retention.close(wait=True)
    assert _left(live, state) == [3, 4]
    assert len(list(state.trials(live.uuid).glob("*/log.txt"))) == 4
    assert not list(state.trials(live.uuid).glob("*/.*"))


def test_what_a_variant_starts_from(database: Database) -> None:
    """A loser keeps its checkpoints until the variant that starts from them has ended."""
    live, state = _live(database)
    retention = Retention(live, state, at_once)
    for value in (0.1, 0.3):
        _save(live, state, play(live, [value]).number)
    retention.tidy()
    with stock(database.path) as storage:
        study_id = storage.get_study_id_from_name(STUDY)
        storage.create_new_trial(study_id, enqueued({"params.x": 0.5}, 0, continues=True))
    live.reconcile()
    variant = claimed(live)
    _save(live, state, play(live, [0.4]).number)
    retention.tidy()
    assert _left(live, state) == [0, 1, 3]
    play(live, [0.2], variant)
    retention.close(wait=True)
    assert _left(live, state) == [1, 3]


def test_what_a_killed_coordinator_left(database: Database) -> None:
    """The next coordinator deletes what the last one had not got to; trials that still run keep theirs."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    live, state = _live(database)
    for value in (0.1, 0.3, 0.2):
        _save(live, state, play(live, [value]).number)
    _save(live, state, claimed(live).number)
    live.flush()
    half = _place(live, state, 1).with_name(".checkpoints-gone-1")
    half.mkdir()
    (half / "model").write_text("weights")
    again = LiveStudy(database, STUDY)
    again.spec = live.spec
    Retention(again, state, at_once).close(wait=True)
    assert _left(again, state) == [1, 2, 3]
    assert not half.exists()


def test_nothing_is_deleted_before_the_disk_has_the_outcomes(database: Database) -> None:
    """Those of the last coordinator, of this one, and of a variant, which would start from its trial again."""
    live, state = _live(database)
    for value in (0.1, 0.3, 0.2):
        _save(live, state, play(live, [value]).number)
    on_disk: list[Callable[[], None]] = []
    retention = Retention(live, state, on_disk.append)
    assert _left(live, state) == [0, 1, 2]
    on_disk.pop()()
    assert _left(live, state) == [1, 2]
    with stock(database.path) as storage:
        study_id = storage.get_study_id_from_name(STUDY)
        storage.create_new_trial(study_id, enqueued({"params.x": 0.5}, 2, continues=True))
    live.reconcile()
    play(live, [0.5])
    retention.tidy()
    _save(live, state, play(live, [0.4]).number)
    retention.tidy()
    variant, other = on_disk
    other()
    assert _left(live, state) == [2, 4]
    variant()
    assert _left(live, state) == [4]
    retention.close(wait=True)


def test_what_is_on_disk_too_late(database: Database) -> None:
    """A study that was put away is not touched any more: another coordinator may have taken it up."""
    live, state = _live(database)
    live.spec = live.spec.model_copy(update={"trial": live.spec.trial.model_copy(update={"kept_checkpoints": 0})})
    on_disk: list[Callable[[], None]] = []
    retention = Retention(live, state, on_disk.append)
    _save(live, state, play(live, [0.5]).number)
    retention.tidy()
    retention.close(on_disk=False, wait=True)
    on_disk.pop()()
    assert _left(live, state) == [0]


def test_room_for_the_best(database: Database) -> None:
    """Of the best trials as many keep their checkpoints as half of the room has space for, the best first."""
    live, state = _live(database)
    trial = live.spec.trial.model_copy(update={"kept_checkpoints": 3, "checkpoint_bytes": 30})
    live.spec = live.spec.model_copy(update={"trial": trial})
    retention = Retention(live, state, at_once)
    for value in (0.1, 0.3, 0.2):
        _save(live, state, play(live, [value]).number)
    assert [retention.room(claimed(live).number, slots) for slots in (1, 3)] == [15, 5]
    retention.close(wait=True)
    assert _left(live, state) == [1]
    assert Retention(LiveStudy(database, STUDY), state, at_once).room(0, 2) is None


def test_no_byte_is_given_away_twice(database: Database) -> None:
    """Whatever joins later, all the rooms fit into the study's; what trials that wait have written counts too."""
    live, state = _live(database)
    trial = live.spec.trial.model_copy(update={"checkpoint_bytes": 40})
    live.spec = live.spec.model_copy(update={"trial": trial})
    retention = Retention(live, state, at_once)
    waiting = claimed(live)
    _save(live, state, waiting.number)
    live.release(waiting.number, "left", paused=True)
    second = live.asker.new()
    assert retention.room(second.number, 1) == 20
    rooms = [retention.room(live.asker.new().number, slots) for slots in (2, 3)]
    assert rooms == [10, 3], "33 and the 7 bytes of the trial that waits are all"
    assert retention.room(second.number, 1) == 20
    play(live, [0.5])
    retention.close(wait=True)


def test_trials_that_wait_far_from_going_on_begin_anew(database: Database) -> None:
    """Of the trials that wait at a rung, those nearest to going on keep theirs; a promoted one goes on in any case."""
    pruner = {"name": "asha", "min_epochs": 1, "reduction": 100, "promote": True}
    live, state = live_study(database, pruner=pruner, budget={"trials": 90}), StateDirectory(database.path)
    retention = Retention(live, state, at_once)
    for index in range(KEPT_PAUSED + 5):
        running = claimed(live)
        _save(live, state, running.number)
        assert report(live, running, 1, index / 100).verdict is Verdict.PAUSE
        live.release(running.number, "paused", paused=True)
        retention.tidy()
    retention.close(wait=True)
    assert _left(live, state) == list(range(5, KEPT_PAUSED + 5))
