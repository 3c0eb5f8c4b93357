"""What --help says of the commands."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tunefast.cli.app import app


@pytest.mark.parametrize("words", [[], ["study"], ["worker"], ["trial"]])
def test_no_text_is_cut(words: list[str]) -> None:
    """Each command's first sentence is there to its full stop, within 80 columns."""
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    commands = result.stdout.partition("Commands:\n")[2].rstrip().splitlines()
    assert commands
    assert max(map(len, commands)) <= 80
    begins = [index for index, line in enumerate(commands) if not line.startswith("   ")]
    for begin, following in zip(begins, [*begins[1:], len(commands)], strict=True):
        text = " ".join(commands[begin:following])
        assert text.endswith("."), text
        assert not text.endswith("..."), text


@pytest.mark.parametrize(
    "words", [("study", "export", "s", "--format", "optuna"), ("report", "s", "--format", "optuna")]
)
def test_a_value_that_is_none_of_those_known_is_told_plainly(words: tuple[str, ...]) -> None:
    """What was typed and what could have been, and nothing of the library that found it."""
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == 2
    assert "Invalid value for '--format': 'optuna' is not one of" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("study", "run", "s", "-n", "1.5"), "'-n': '1.5' should be a whole number"),
        (("study", "extend", "s", "--minutes", "abc"), "'--minutes': 'abc' should be a number"),
        (("dashboard", "--port", "99999"), "'--port': '99999' should be at most 65535"),
    ],
)
def test_a_number_that_is_none_is_told_as_in_a_spec(words: tuple[str, ...], message: str) -> None:
    """What was typed and what it should be, in the words of a spec's mistakes."""
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == 2
    assert " ".join(result.stderr.split()).endswith(f"Error: Invalid value for {message}")
