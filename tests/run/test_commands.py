"""Commands: carried out by a coordinator where one is at work, else by the command line itself."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.store.databases import STUDY, execute, study_spec
from tunefast import errors
from tunefast.errors import CoordinatorLost, StorageError, StudyExists, StudyNotFound, TunefastError, UserError
from tunefast.run import commands
from tunefast.run.commands import create_study, delete_study, extend_study, list_workers, refusal
from tunefast.run.messages import Command, Dismiss, Done, Message, Refused, decode, encode
from tunefast.spec.sections import Budget
from tunefast.store.database import Database
from tunefast.store.ownership import StateDirectory
from tunefast.store.snapshot import snapshot, study_names

pytestmark = pytest.mark.usefixtures("runtime")


@contextmanager
def coordinator(path: Path, answer: Message | None) -> Iterator[list[Message]]:
    """A coordinator that gives one answer to one command, or none and leaves; and what it was asked."""
    asked: list[Message] = []
    with socket.socket(socket.AF_UNIX) as listener:
        address = StateDirectory(path).make_socket_path()
        StateDirectory(path).announce(address)
        listener.bind(str(address))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                asked.append(decode(lines.readline()))
                if answer is not None:
                    connection.sendall(encode(answer))

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


@contextmanager
def hanging_up(path: Path, times: int) -> Iterator[None]:
    """A coordinator that so often hangs up when it is asked, the last time since it ends."""
    address = StateDirectory(path).make_socket_path()
    StateDirectory(path).announce(address)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen()

    def serve() -> None:
        for left in reversed(range(times)):
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                lines.readline()
                if not left:
                    listener.close()
                    address.unlink()

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    thread.join()


def test_without_a_coordinator(tmp_path: Path) -> None:
    """Where nobody works on the database, the command line owns it for a moment, and makes it if need be."""
    path = tmp_path / "a.db"
    create_study(path, study_spec())
    with pytest.raises(StudyExists):
        create_study(path, study_spec())
    extend_study(path, STUDY, Budget(minutes=5))
    assert snapshot(path, STUDY).spec.budget == Budget(trials=10, minutes=5)
    delete_study(path, STUDY)
    with pytest.raises(StudyNotFound):
        delete_study(path, STUDY)
    assert study_names(path) == {}


@pytest.mark.parametrize("name", [f"{STUDY}.confirm", ".confirm", "-n"])
def test_names_that_mean_something_else_are_refused(tmp_path: Path, name: str) -> None:
    """No new study is called like a confirmation, or like an option; the database is not even made."""
    path = tmp_path / "a.db"
    with pytest.raises(UserError, match=re.escape(f"study name {name!r}: ")):
        create_study(path, study_spec(name))
    assert not path.exists()


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    """A command on another program's database is refused before anything is made beside it."""
    path = tmp_path / "a.db"
    execute(path, "CREATE TABLE bookmarks (x)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="another program"):
        create_study(path, study_spec())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


def test_through_a_coordinator(tmp_path: Path) -> None:
    """Where one is at work it is asked, with all that it needs, and the command line writes nothing."""
    path = tmp_path / "a.db"
    with coordinator(path, Done()) as asked:
        create_study(path, study_spec())
    assert asked == [Command(verb="create", study=STUDY, argument=study_spec().model_dump(mode="json"))]
    StateDirectory(path).make_socket_path().unlink()
    with coordinator(path, Done()) as asked:
        extend_study(path, STUDY, Budget(trials=3))
    assert asked == [Command(verb="extend", study=STUDY, argument={"trials": 3})]
    assert not path.exists()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Refused(error="UserError", message="not now"), UserError("not now")),
        (Refused(error="StudyNotFound", message="which?"), StudyNotFound("which?")),
        (Dismiss(), CoordinatorLost(storage="", problem="it ended while it was asked")),
        (None, CoordinatorLost(storage="", problem="it ended while it was asked")),
    ],
)
def test_what_a_coordinator_refuses(tmp_path: Path, answer: Message | None, error: TunefastError) -> None:
    """A refusal is raised here as it was there; a coordinator that leaves in the middle is lost."""
    path = tmp_path / "a.db"
    with (
        coordinator(path, answer),
        pytest.raises(type(error), match=str(error).rpartition(": ")[2].replace("?", r"\?")),
    ):
        delete_study(path, STUDY)


def test_listing_workers(tmp_path: Path) -> None:
    """Who works on a database is known by its coordinator; where there is none, nobody does."""
    path = tmp_path / "a.db"
    nobody: dict[str, Any] = {"coordinator": None, "workers": []}
    assert list_workers(path) == nobody
    create_study(path, study_spec())
    assert list_workers(path) == nobody
    with coordinator(path, Done(result={"coordinator": 3, "workers": []})):
        assert list_workers(path) == {"coordinator": 3, "workers": []}
    assert list_workers(path) == nobody, "a socket that was left behind is nobody"
    StateDirectory(path).make_socket_path().unlink()
    with hanging_up(path, 1):
        assert list_workers(path) == nobody, "a coordinator that ends while it is asked is none"
    with hanging_up(path, 2), pytest.raises(CoordinatorLost, match="it ended while it was asked"):
        list_workers(path)


def test_every_error_survives_the_way() -> None:
    """Whichever error a coordinator refuses with, its class and words arrive; an unknown one is a plain one."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TunefastError)]
    for kind in kinds:
        error = refusal(Refused(error=kind.__name__, message="some {words}"))
        assert (type(error), str(error)) == (kind, "some {words}")
    assert type(refusal(Refused(error="ErrorOfTomorrow", message="x"))) is TunefastError
    with pytest.raises(TypeError, match="dismiss"):
        refusal(Dismiss())


def test_an_unknown_verb(database: Database) -> None:
    """A command that only a coordinator can carry out is refused by who is none."""
    with pytest.raises(UserError, match="unknown command 'workers'"):
        commands.execute(database, Command(verb="workers"), {})
