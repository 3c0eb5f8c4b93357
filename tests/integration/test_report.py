"""`tunefast report`: a file about a study."""

from __future__ import annotations

from tests.integration.processes import Terminal
from tests.integration.specs import objective
from tests.report.test_png import CAN_DRAW


def test_a_study_becomes_a_file(terminal: Terminal) -> None:
    """The HTML and the Markdown of a study that ran stand where they were wanted; the database is as it was."""
    terminal.tunefast("study", "run", str(terminal.write("s.toml", objective("shown", "paced", 2))), "-n", "1")
    before = terminal.study("shown")
    assert "Wrote shown.html" in terminal.tunefast("report", "shown").stdout
    terminal.tunefast("report", "shown", "--page", "speed", "--format", "md", "-o", "speed.md")
    assert "<h1>shown</h1>" in (terminal.directory / "shown.html").read_text()
    assert "| worker |" in (terminal.directory / "speed.md").read_text()
    if CAN_DRAW:
        assert (
            "Wrote figures/curves.png"
            in terminal.tunefast("report", "shown", "--format", "png", "-o", "figures").stdout
        )
        assert (terminal.directory / "figures" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert terminal.study("shown") == before


def test_mistakes_are_told_and_write_nothing(terminal: Terminal) -> None:
    """A page, a study or a folder that is not there: one message, exit code 2, no file."""
    terminal.tunefast("study", "create", str(terminal.write("s.toml", objective("shown", "paced", 2))))
    for arguments, message in (
        (("shown", "--page", "overveiw"), "there is no such page. Did you mean 'overview'?"),
        (("hidden",), "There is no study 'hidden'"),
        (("shown", "-o", "missing/report.html"), "missing/report.html: cannot be written: No such file or directory"),
    ):
        done = terminal.tunefast("report", *arguments, code=2)
        assert message in done.stderr
    assert not list(terminal.directory.glob("**/*.html*"))
    assert "has no figure yet" in terminal.tunefast("report", "shown", "--format", "png", "-o", "made", code=2).stderr
    assert not (terminal.directory / "made").exists()
