"""`tunefast dashboard`: the real optuna-dashboard, on loopback, unable to change anything."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.integration.processes import Terminal, listen
from tests.integration.specs import objective


def address(process: subprocess.Popen[str]) -> str:
    """The address that the command prints."""
    found = re.search(r"http://127\.0\.0\.1:\d+", listen(process, "http://"))
    assert found is not None
    return found.group()


def test_it_shows_the_studies_and_changes_nothing(terminal: Terminal) -> None:
    """The page and the studies are served; a request to delete a study fails and leaves the database as it was."""
    terminal.tunefast("study", "run", str(terminal.write("s.toml", objective("shown", "paced", 2))), "-n", "1")
    before = terminal.study("shown")
    with terminal.started("dashboard", "--port", "0") as server:
        url = address(server)
        with urllib.request.urlopen(f"{url}/dashboard/", timeout=30) as page:  # noqa: S310
            assert b"<html" in page.read().lower()
        with urllib.request.urlopen(f"{url}/api/studies", timeout=30) as answer:  # noqa: S310
            studies = json.load(answer)["study_summaries"]
        assert [study["study_name"] for study in studies] == ["shown"]
        request = urllib.request.Request(f"{url}/api/studies/{studies[0]['study_id']}", method="DELETE")  # noqa: S310
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=30)  # noqa: S310
    assert terminal.study("shown") == before


def test_a_port_that_is_taken_is_replaced_by_a_free_one(terminal: Terminal) -> None:
    """The asked port is taken: the command says so and serves on another."""
    terminal.tunefast("study", "create", str(terminal.write("s.toml", objective("shown", "paced", 2))))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with terminal.started("dashboard", "--port", str(port)) as server:
            assert not address(server).endswith(f":{port}")


def test_no_database_is_one_message(terminal: Terminal) -> None:
    """Without a database there is nothing to serve, and none is made."""
    done = terminal.tunefast("dashboard", code=2)
    assert "no such database" in done.stderr
    assert not terminal.database.exists()
