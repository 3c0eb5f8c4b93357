"""A disk that is full pauses a study; nothing fails, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.files import fill_up
from tests.integration.processes import Terminal, ended, wait_until
from tests.integration.specs import objective
from tests.integration.test_checkpoints import RUN, curves, write


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Terminal]:
    """A working directory on a disk of 7 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk, and not everywhere")
    try:
        yield Terminal(place, {"XDG_RUNTIME_DIR": str(tmp_path)})
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def enlarge(terminal: Terminal) -> None:
    """Give the disk more room."""
    subprocess.run(["mount", "-o", "remount,size=200m", str(terminal.directory)], check=True)


def test_no_room_for_a_checkpoint(small: Terminal, tmp_path: Path) -> None:
    """The study pauses with exit code 74 and says why; with more room the same command ends it as if nothing had been.

    Nothing half-written is left, and no trial has failed.
    """
    quiet = Terminal(tmp_path / "quiet", small.environment)
    quiet.directory.mkdir()
    for terminal in (quiet, small):
        write(terminal, trials=2, epochs=10)
    quiet.tunefast(*RUN)
    said = small.tunefast(*RUN, code=74).stderr
    assert "Study 's' is paused: the disk is full" in said
    assert "tunefast study run s" in said
    assert set(small.study("s").counts) == {"waiting"}
    assert not list(small.directory.rglob(".epoch-*"))
    enlarge(small)
    small.tunefast(*RUN)
    assert curves(small.study("s")) == curves(quiet.study("s"))


def test_no_room_for_the_database(small: Terminal) -> None:
    """So does a database that cannot grow: outcomes that were told are there, the others come afterwards."""
    spec = str(small.write("s.toml", objective("full", "paced", 400, epochs=20, pause=0.01)))
    with small.started("study", "run", spec, "-n", "2") as run:
        wait_until(lambda: small.counts("full").get("complete", 0) >= 2, "two trials are complete")
        fill_up(small.directory / "ballast")
        output = ended(run, 74)
    assert "the disk is full" in output
    before = {trial.number: trial.value for trial in small.study("full").trials if trial.value is not None}
    assert len(before) >= 2
    (small.directory / "ballast").unlink()
    small.tunefast("study", "extend", "full", "--trials", str(len(small.study("full").trials) + 2))
    enlarge(small)
    small.tunefast("study", "run", "full", "-n", "2")
    study = small.study("full")
    assert set(study.counts) == {"complete"}
    assert {trial.number: trial.value for trial in study.trials if trial.number in before} == before
