"""Looking: who works on a study, asked of its coordinator."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run.test_commands import coordinator
from tests.store.databases import STUDY, prepared, study_spec
from tests.store.strangers import shut_out_of
from tunefast.run import looking
from tunefast.run.messages import Done
from tunefast.store import studies
from tunefast.store.ownership import StateDirectory

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a study that somebody paused."""
    database = prepared(tmp_path / "s.db")
    studies.create(database, study_spec())
    with database.transaction() as connection:
        uuid = studies.find(connection, STUDY, database.path).uuid
    studies.keep_orders(database, uuid, studies.Orders(held=True))
    database.close()
    return database.path


def test_nobody_works_where_no_coordinator_is(path: Path) -> None:
    """Who looks is told so at once, and leaves nothing beside the database."""
    before = set(path.parent.iterdir())
    found = looking.look(path, STUDY)
    assert (looking.workers(path), found.num_workers, found.is_paused) == ({}, 0, False)
    assert set(path.parent.iterdir()) <= before | set(path.parent.glob("s.db-*"))


def test_a_coordinator_says_who_works(path: Path) -> None:
    """Workers of other studies are not this one's."""
    rows = [{"study": STUDY}, {"study": "other"}, {"study": STUDY}]
    with coordinator(path, Done(result={"workers": rows})):
        found = looking.look(path, STUDY)
    assert (found.num_workers, found.is_paused) == (2, True)


def test_workers_of_other_hosts_are_told_apart(path: Path) -> None:
    """Who leaves is told who works besides."""
    rows = [{"study": STUDY, "host": 7}, {"study": STUDY, "host": 8}]
    with coordinator(path, Done(result={"workers": rows})):
        assert looking.workers(path, besides=7) == {STUDY: 1}


def test_who_does_not_answer_may_work(path: Path) -> None:
    """Nothing is claimed of workers where a coordinator is too busy to say, or ends while it is asked."""
    with coordinator(path, None):
        assert looking.workers(path) is None


def test_who_works_is_not_known_to_other_users(path: Path) -> None:
    """Whoever may read a database, but not talk to its coordinator, may look at its studies all the same."""
    state = StateDirectory(path)
    state.announce(path.with_name("socket"))
    assert looking.workers(path) == {}
    with shut_out_of(state.path):
        assert looking.workers(path) is None
