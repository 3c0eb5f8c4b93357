"""Provenance: where a trial's numbers come from."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest

from tunefast.run.provenance import PACKAGES, in_words, provenance


def git(*arguments: str) -> str:
    """What git says in the working directory."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_and_dirt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The commit of the working directory is kept, and whether anything in it differs."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    assert (provenance()["commit"], provenance()["dirty"]) == (None, None)
    (tmp_path / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-qm", "one")
    clean = provenance()
    assert (clean["commit"], clean["dirty"]) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "code.py").write_text("2")
    assert provenance()["dirty"] is True


def test_without_a_repository_or_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no commit, there is none to keep, and nothing fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance()["commit"] is None
    monkeypatch.setenv("PATH", str(tmp_path))
    kept = provenance()
    assert (kept["commit"], kept["dirty"]) == (None, None)


def test_versions_and_machine() -> None:
    """Versions of what computes, the Python and the host are kept, as plain JSON data; what is missing is None."""
    kept = provenance()
    assert json.loads(json.dumps(kept)) == kept
    assert kept["versions"].keys() == set(PACKAGES)
    assert kept["versions"]["torch"][0].isdigit()
    assert (kept["python"], kept["host"]) == (platform.python_version(), platform.node())


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not installed has no version."""
    monkeypatch.setattr("tunefast.run.provenance.PACKAGES", ("no-such-package",))
    assert provenance()["versions"] == {"no-such-package": None}


def test_in_words() -> None:
    """People read where a trial ran, from which commit and with what; what is not known is left out."""
    whole = {
        "host": "box",
        "commit": "0123456789abcdef",
        "dirty": True,
        "versions": {"tunefast": "0.1.0", "torch": None, "optuna": "5.0.0"},
        "python": "3.12.1",
    }
    assert in_words(whole) == "box; commit 0123456789 with changes; tunefast 0.1.0, optuna 5.0.0, Python 3.12.1"
    assert in_words({**whole, "dirty": False}).startswith("box; commit 0123456789; ")
    assert "no git" in in_words({**whole, "commit": None})
    assert in_words(provenance()).count(";") >= 2
