"""What users see of the project is frozen here: names, commands, options, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import tunefast
from tunefast.cli.app import app
from tunefast.cli.live import COLUMNS, FIGURES, terminal_page
from tunefast.cli.report import pages
from tunefast.run.specs import shipped

REPOSITORY = Path(__file__).parents[2]
EVERYWHERE = {"--verbose", "--help"}
OPTIONS = {
    "doctor": {"--device", "--threads", "--seconds", "--apply", "-o", "--json"},
    "init": {"--reporter"},
    "report": {"-o", "--page", "--format", "--storage"},
    "dashboard": {"--port", "--listen", "--behind-proxy", "--allow-edits", "--storage"},
    "explain": {"--json"},
    "schema": set(),
    "train": {"--study", "--trial", "-o", "--export", "--device", "--storage", "--json"},
    "study check": {"-n", "--device", "--seconds", "--json"},
    "study confirm": {"--top", "--seeds", "-n", "--device", "--storage", "--grace", "--detach", "--json"},
    "study edit": {"--set", "--storage", "--json"},
    "trial clone": {"--study", "--set", "--storage", "--json"},
    "study create": {"--name", "--skip-check", "--storage", "--json"},
    "study run": {"-n", "--device", "--name", "--storage", "--grace", "--confirm", "--seeds", "--detach", "--json"},
    "study watch": {"--storage", "--json"},
    "study logs": {"--trial", "-f", "--storage"},
    "study export": {"--format", "-o", "--epochs", "--force", "--storage"},
    "study import": {"--study", "--into", "--map", "--storage", "--json"},
    "study list": {"--storage", "--json"},
    "study show": {"--trial", "--storage", "--json"},
    "study best": {"--storage", "--json"},
    "study extend": {"--trials", "--minutes", "--target", "--storage", "--json"},
    "study delete": {"--yes", "--storage", "--json"},
    "study retry": {"--trial", "--storage", "--json"},
    "worker start": {"-n", "--device", "--storage", "--grace", "--confirm", "--seeds", "--detach", "--json"},
    "study pause": {"--storage", "--json"},
    "study resume": {"--storage", "--json"},
    "study stop": {"--trial", "--storage", "--json"},
    "worker stop": {"--storage", "--json"},
    "worker list": {"--storage", "--json"},
}
PUBLIC = [
    "Context",
    "EarlyStopping",
    "EpochReport",
    "Study",
    "StudySnapshot",
    "StudySpec",
    "TunefastError",
    "UserError",
    "Verdict",
    "create_study",
    "load_model",
    "load_spec",
    "open",
    "parse_spec",
    "read_study",
    "run",
    "run_study",
    "train",
]


def commands(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its words."""
    top: Any = group or typer.main.get_command(app)
    for name, command in top.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def test_the_options_of_the_command_line_are_frozen() -> None:
    """Training options live in specs, never in flags: a new option is added here on purpose or not at all.

    Hidden ones are refused, with a hint.
    """
    found = {}
    for name, command in commands():
        shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
        options = {parameter.opts[0] for parameter in shown if parameter.opts[0].startswith("-")}
        found[name] = options - EVERYWHERE
    assert found == OPTIONS


def test_every_command_has_help_and_a_line_in_the_readme() -> None:
    """Nothing can be typed that is not explained."""
    readme = (REPOSITORY / "README.md").read_text()
    for name, command in commands():
        assert command.help, name
        assert f"tunefast {name}" in readme, name
        for parameter in command.params:
            assert parameter.help or parameter.name == "help", f"{name} {parameter.name}"


def test_the_public_names_are_frozen_and_importable() -> None:
    """``tunefast.__all__`` is the public API."""
    assert sorted(PUBLIC) == tunefast.__all__
    for name in PUBLIC:
        assert getattr(tunefast, name).__doc__, name


def test_the_terminal_page_names_what_there_is() -> None:
    """``dashboards/terminal.toml`` names columns and figures that exist."""
    page = terminal_page()
    assert set(page.columns) <= set(COLUMNS)
    assert set(page.figures) <= set(FIGURES)
    assert set(shipped("dashboards")) == {"terminal", "optuna", *pages()}


@pytest.mark.parametrize(
    "path", [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")], ids=lambda path: path.name
)
def test_no_link_is_dead(path: Path) -> None:
    """Every relative link in the documentation leads to a file, and every anchor to a heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name) if name else path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


def test_files_stay_small() -> None:
    """No file of the package passes 300 lines."""
    long = {str(path): len(path.read_text().splitlines()) for path in (REPOSITORY / "tunefast").rglob("*.py")}
    assert {path: lines for path, lines in long.items() if lines > 300} == {}
