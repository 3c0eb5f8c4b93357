"""Commands that people are told to type."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path
from typing import cast

import optuna
import pytest
from rich.console import Console
from typer.testing import CliRunner

import tunefast
from tests.integration.specs import objective
from tunefast.cli.app import app
from tunefast.cli.output import show_typed
from tunefast.errors import TunefastError
from tunefast.shell import command

NAME = "my study's 2nd"
STORAGE = "sqlite:///my trials.db"
WRITTEN_OUT = re.compile(r"tunefast (study|worker|train|trial|report|dashboard)[a-z -]* ?\{")
COMMAND = re.compile(r"(?:^| )(tunefast (?:study|worker|train) .*?)(?:  .*)?$", re.MULTILINE)
QUOTES_ITSELF = {"report/words.py"}


def typed(*words: str) -> str:
    """What a command says, also where it is refused."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=True)
    assert done.exception is None or isinstance(done.exception, TunefastError | SystemExit), done.output
    return f"{done.output}\n{done.exception}"


def told(text: str) -> list[list[str]]:
    """The commands in a text, each as the words that a shell makes of it."""
    return [shlex.split(each) for each in COMMAND.findall(text)]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a spec."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(objective(NAME, "paced", 3), encoding="utf-8")
    return tmp_path


def test_a_command_is_one_that_a_shell_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words and the storage are quoted, and the storage is left out where no command needs it."""
    monkeypatch.chdir(tmp_path)
    assert command("study", "show", "s", "--trial", 3) == "tunefast study show s --trial 3"
    assert command("study", "run", "a b") == "tunefast study run 'a b'"
    assert command("study", "run", "s", storage="sqlite:///tunefast.db") == "tunefast study run s"
    assert command("study", "run", "s", storage=Path.cwd() / "tunefast.db") == "tunefast study run s"
    assert command("study", "run", "s", storage=Path.cwd() / "b.db") == "tunefast study run s --storage sqlite:///b.db"
    assert command("dashboard", storage=Path("/a b/c.db")) == "tunefast dashboard --storage 'sqlite:////a b/c.db'"


def test_no_command_is_put_together_by_hand() -> None:
    """A name stands quoted in every command, since one function makes them."""
    package = Path(tunefast.__file__).parent
    files = {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    assert {name for name, text in files.items() if WRITTEN_OUT.search(text)} <= QUOTES_ITSELF


def test_every_command_that_is_shown_names_study_and_storage(directory: Path) -> None:
    """With spaces and a quote in the study's name and in the database's, what is shown can be pasted."""
    flag = ("--storage", STORAGE)
    said = {
        "created": typed("study", "create", "s.toml", "--skip-check", *flag),
        "exists": typed("study", "create", "s.toml", "--skip-check", *flag),
        "extended": typed("study", "extend", NAME, "--trials", "5", *flag),
        "edited": typed("study", "edit", NAME, "--set", "budget.trials=6", *flag),
        "watched": typed("study", "watch", NAME, *flag),
    }
    (directory / "s.toml").write_text(objective(NAME, "paced", 3, epochs=4), encoding="utf-8")
    said["changed"] = typed("study", "run", "s.toml", "-n", "1", *flag)
    for case, text in said.items():
        commands = told(text)
        assert commands, (case, text)
        for words in commands:
            assert words[-2:] == ["--storage", STORAGE], (case, words)
            assert NAME in words or "FILE" in words, (case, words)


def test_a_study_of_others_is_named_in_what_to_type(directory: Path) -> None:
    """What brings its trials here names it, and both databases."""
    optuna.create_study(study_name=NAME, storage=STORAGE)
    commands = told(typed("study", "show", NAME, "--storage", STORAGE))
    assert commands == [
        ["tunefast", "study", "create", "FILE", "--storage", STORAGE],
        [
            *("tunefast", "study", "import", f"sqlite:///{directory.resolve() / 'my trials.db'}"),
            *("--study", NAME, "--into", "ANOTHER", "--storage", STORAGE),
        ],
    ]


@pytest.mark.parametrize(("width", "lines"), [(60, 3), (40, 6)])
def test_commands_that_are_too_wide_have_lines_of_their_own(width: int, lines: int) -> None:
    """Beside its command stands what it is for, and below it where not all of them fit in columns."""
    out = Console(file=io.StringIO(), width=width, force_terminal=False)
    shown = [("tunefast dashboard", "browse it"), (command("study", "extend", "s", "--trials", 6), "search on")]
    show_typed(out, [*shown, ("kill 7", "stop it")])
    text = cast("io.StringIO", out.file).getvalue()
    assert len(text.splitlines()) == lines
    assert max(map(len, text.splitlines())) <= width
    assert [line.split("  ")[1] for line in text.splitlines() if line[2] != " "] == [
        "tunefast dashboard",
        "tunefast study extend s --trials 6",
        "kill 7",
    ]
