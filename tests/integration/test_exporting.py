"""`tunefast study export` in real processes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys

from tests.integration.processes import Terminal, ended, wait_until
from tests.integration.specs import objective
from tunefast.run.commands import list_workers


def test_a_study_is_exported_while_it_runs(terminal: Terminal) -> None:
    """Rows of trials that have ended and of those that run; the study goes on as if nobody had looked."""
    spec = str(terminal.write("s.toml", objective("s", "paced", 6, pause=0.3)))
    with terminal.started("study", "run", spec, "-n", "1") as run:
        wait_until(lambda: terminal.counts("s").get("complete", 0) >= 1, "a trial is complete")
        (worker,) = list_workers(terminal.database)["workers"]
        os.kill(worker["pid"], signal.SIGSTOP)  # so that it is not through before the command has started
        rows = list(csv.DictReader(io.StringIO(terminal.tunefast("study", "export", "s").stdout)))
        os.kill(worker["pid"], signal.SIGCONT)
        ended(run, 0)
    assert rows[0]["state"] == "complete"
    assert len(rows) < 6
    assert terminal.counts("s") == {"complete": 6}

    said = terminal.tunefast("study", "export", "s", "--epochs", "-o", "epochs.json").stdout
    assert said == "Wrote 18 epochs to epochs.json.\n"
    epochs = json.loads((terminal.directory / "epochs.json").read_text())
    study = terminal.study("s")
    assert [(row["trial"], row["epoch"]) for row in epochs] == [(row["trial"], row["epoch"]) for row in study.epochs]
    assert "--force" in terminal.tunefast("study", "export", "s", "-o", "epochs.json", code=2).stderr
    terminal.tunefast("study", "export", "s", "-o", "epochs.json", "--force")
    assert len(json.loads((terminal.directory / "epochs.json").read_text())) == 6

    refused = terminal.tunefast("study", "export", "s", "--format", "parquet", code=2)
    assert (refused.stdout, "-o FILE" in refused.stderr) == ("", True)
    assert "no study 'other'" in terminal.tunefast("study", "export", "other", "-o", "x.csv", code=2).stderr
    assert not (terminal.directory / "x.csv").exists()


def test_a_reader_that_leaves_is_no_error_of_ours(terminal: Terminal) -> None:
    """As `| head -1` does: no traceback."""
    terminal.tunefast("study", "create", str(terminal.write("s.toml", objective("s", "paced", 6))))
    command = [sys.executable, "-m", "tunefast", "study", "export", "s"]
    environment = terminal._environment()
    with subprocess.Popen(
        command, cwd=terminal.directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
