"""The format of an exported file."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.store.databases import prepared, study_spec
from tunefast.cli.app import app
from tunefast.errors import UserError
from tunefast.store import studies


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command, in a directory with a study."""
    monkeypatch.chdir(tmp_path)
    database = prepared(tmp_path / "tunefast.db")
    studies.create(database, study_spec())
    database.close()
    return ["study", "export", "study", "-o"]


def test_an_end_that_says_another_format_is_refused(export: list[str], tmp_path: Path) -> None:
    """No program that opens such a file would find in it what its name says."""
    known = r"^-o a\.xlsx: its name ends in none of \.csv, \.json, \.parquet; use one of them, or give --format$"
    with pytest.raises(UserError, match=known):
        CliRunner().invoke(app, [*export, "a.xlsx"], catch_exceptions=False)
    assert not (tmp_path / "a.xlsx").exists()


@pytest.mark.parametrize("words", [["a.xlsx", "--format", "csv"], ["a"], ["a.CSV"]])
def test_csv_where_it_is_asked_for_or_nothing_is(export: list[str], words: list[str]) -> None:
    """A format that is given counts, and a name without an end says none."""
    assert CliRunner().invoke(app, [*export, *words], catch_exceptions=False).exit_code == 0
    assert Path(words[0]).read_text().startswith("trial,")


def test_a_dash_is_standard_output(export: list[str], tmp_path: Path) -> None:
    """As in other programs, no file of that name is written, and what is no text is refused."""
    for words, start in (
        ([*export, "-"], "trial,"),
        (["report", "study", "--format", "md", "-o", "-"], "# study"),
        (["report", "study", "-o", "-"], "<!doctype html>"),
    ):
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.stdout.lower().startswith(start)
        assert "Wrote" not in done.output
    for words in ([*export, "-", "--format", "parquet"], ["report", "study", "--format", "png", "-o", "-"]):
        with pytest.raises(UserError, match="is no text to print; name a"):
            CliRunner().invoke(app, words, catch_exceptions=False)
    assert not (tmp_path / "-").exists()
