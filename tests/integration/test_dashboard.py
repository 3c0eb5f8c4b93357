"""`tunefast dashboard`: the real optuna-dashboard, behind its guard, in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import Terminal, ended, listen, wait_until
from tests.integration.specs import objective
from tunefast.store.ownership import StateDirectory


class Browser:
    """Somebody's browser: it keeps cookies and follows redirects."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, url: str, method: str = "GET", data: Any = None, **headers: str) -> tuple[int, str, bytes]:
        """The status, the address it ended at, and the page."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=30) as page:
                return page.status, page.url, page.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.url, error.read()


@contextmanager
def served(terminal: Terminal, *options: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A dashboard: its process, its address and its login link."""
    with terminal.started("dashboard", *options) as server:
        first = listen(server, "http://")
        link = listen(server, "Log in")
        found = re.search(r"http://\S+/login\?key=\S+", link)
        assert found is not None, link
        url = found.group().partition("/login")[0]
        assert f"{url}/ " in first
        yield server, url, found.group()


@pytest.fixture
def shown(terminal: Terminal) -> Terminal:
    """A terminal in whose database stands a study with two trials."""
    terminal.tunefast("study", "run", str(terminal.write("s.toml", objective("shown", "paced", 2))), "-n", "1")
    return terminal


def test_it_shows_the_studies_to_who_opens_the_link_and_changes_nothing(shown: Terminal) -> None:
    """The link leads to the page, without its key; a request to delete a study fails and changes nothing."""
    before = shown.study("shown")
    with served(shown, "--port", "0") as (server, url, link):
        browser = Browser()
        assert browser.open(f"{url}/api/studies")[0] == 401
        status, where, page = browser.open(link)
        assert (status, where) == (200, f"{url}/tunefast/")
        assert b"/tunefast/studies/shown/overview" in page
        assert b"tunefast-link" in browser.open(f"{url}/")[2]
        studies = json.loads(browser.open(f"{url}/api/studies")[2])["study_summaries"]
        assert [study["study_name"] for study in studies] == ["shown"]
        study = f"{url}/api/studies/{studies[0]['study_id']}"
        assert len(json.loads(browser.open(study)[2])["trials"]) == 2
        assert browser.open(study, "DELETE", {}, Origin=url, **{"Content-Type": "application/json"})[0] == 405
        assert browser.open(f"{url}/api/studies", Host="evil.example")[0] == 421
        assert Browser().open(link)[0] == 401
        assert "with another browser" in listen(server, "/login?key=")
    assert shown.study("shown") == before


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_scripts_read_the_token_from_its_file(shown: Terminal, signum: int) -> None:
    """The printed file lets a script of the same user in, and goes when the dashboard ends, by Ctrl-C or by SIGTERM."""
    with served(shown, "--port", "0") as (server, url, _):
        token = Path(listen(server, "Authorization").rpartition(" ")[2].strip())
        assert token.parent == StateDirectory(shown.database).path
        bearer = f"Bearer {token.read_text()}"
        assert Browser().open(f"{url}/api/studies", Authorization=bearer)[0] == 200
        assert Browser().open(f"{url}/api/studies", Authorization=f"{bearer}x")[0] == 401
        server.send_signal(signum)
        assert server.wait(timeout=30) == 0
        assert not token.exists()


def test_with_allow_edits_the_browser_changes_studies(shown: Terminal) -> None:
    """A note, and then the study's end."""
    with served(shown, "--port", "0", "--allow-edits") as (_, url, link):
        browser = Browser()
        browser.open(link)
        (study,) = json.loads(browser.open(f"{url}/api/studies")[2])["study_summaries"]
        where = f"{url}/api/studies/{study['study_id']}"
        ours = {"Origin": url, "Content-Type": "application/json"}
        version = json.loads(browser.open(where)[2])["note"]["version"] + 1
        assert browser.open(f"{where}/note", "PUT", {"version": version, "body": "seen"}, **ours)[0] == 204
        assert json.loads(browser.open(where)[2])["note"]["body"] == "seen"
        assert browser.open(where, "DELETE", {}, **ours | {"Origin": "http://evil.example"})[0] == 403
        assert browser.open(where, "DELETE", {}, **ours)[0] == 204
        assert json.loads(browser.open(f"{url}/api/studies")[2])["study_summaries"] == []


def test_a_running_study_is_seen_and_not_disturbed(terminal: Terminal) -> None:
    """The page's own requests show trials that run, then others that are complete; the study ends as it should."""
    spec = terminal.write("s.toml", objective("shown", "paced", 12, pause=0.3))
    terminal.tunefast("study", "create", str(spec))
    with served(terminal, "--port", "0") as (_, url, link):
        browser = Browser()
        browser.open(link)

        def states() -> list[str]:
            return [trial["state"] for trial in json.loads(browser.open(f"{url}/api/studies/1")[2])["trials"]]

        with terminal.started("study", "run", "shown", "-n", "1") as running:
            wait_until(lambda: "Running" in states(), "a trial is seen running")
            complete = states().count("Complete")
            wait_until(lambda: states().count("Complete") > complete, "another trial is seen complete")
            ended(running, 0)
    assert terminal.counts("shown") == {"complete": 12}


def test_no_secret_is_logged(shown: Terminal) -> None:
    """Beside the links to log in with, a dashboard prints no key and no cookie, also when asked wrongly."""
    with served(shown, "--port", "0") as (server, url, link):
        browser = Browser()
        browser.open(link)
        browser.open(f"{url}/api/studies/nobody?hushed=1")
        browser.open(f"{url}/api/studies/1?after=nothing&hushed=1")
        browser.open(f"{url}/login?key=hushed")
        server.send_signal(2)
        printed = server.communicate(timeout=30)[0]
    assert "hushed" not in printed
    assert link.partition("key=")[2] not in printed


def test_over_ssh_it_says_how_to_forward_the_port(shown: Terminal) -> None:
    """The line to type on one's own machine stands beside the link."""
    shown.environment["SSH_CONNECTION"] = "10.0.0.1 50000 10.0.0.2 2222"
    with shown.started("dashboard", "--port", "0") as server:
        line = listen(server, "ssh -N -L")
        port = re.search(r":(\d+)/login", listen(server, "/login?key="))
    assert port is not None
    assert re.search(rf"ssh -N -L {port[1]}:127\.0\.0\.1:{port[1]} -p 2222 \S+@10\.0\.0\.2\n", line)


def test_listening_beyond_loopback_needs_a_proxy(shown: Terminal) -> None:
    """One message that says why, exit code 2; behind a proxy its address is the link's."""
    done = shown.tunefast("dashboard", "--listen", "0.0.0.0", code=2)  # noqa: S104
    assert "--behind-proxy" in done.stderr
    proxied = ("--listen", "127.0.0.1", "--behind-proxy", "https://tune.example")
    with shown.started("dashboard", "--port", "0", *proxied) as server:
        assert "https://tune.example/login?key=" in listen(server, "Log in")


def test_a_port_that_is_taken_is_replaced_by_a_free_one(terminal: Terminal) -> None:
    """The asked port is taken: the command says so and serves on another."""
    terminal.tunefast("study", "create", str(terminal.write("s.toml", objective("shown", "paced", 2))))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with served(terminal, "--port", str(port)) as (_, url, _):
            assert not url.endswith(f":{port}")


def test_no_database_is_one_message(terminal: Terminal) -> None:
    """Without a database there is nothing to serve, and none is made."""
    for options in ([], ["--allow-edits"]):
        done = terminal.tunefast("dashboard", *options, code=2)
        assert "no such database" in done.stderr
        assert not terminal.database.exists()
