"""What the commands print."""

from __future__ import annotations

import re
import tomllib

from tests.integration.processes import Terminal
from tests.integration.specs import digits, objective

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def test_the_main_job_from_init_to_the_best_recipe(terminal: Terminal) -> None:
    """init, run, show, best, list: each prints what people expect, at 80 columns, without control characters."""
    terminal.tunefast("init")
    spec = (
        (terminal.directory / "study.toml")
        .read_text()
        .replace("trials = 20", "trials = 6")
        .replace("epochs = 20", "epochs = 4")
    )
    terminal.write("study.toml", spec)
    run = terminal.tunefast("study", "run", "study.toml", "-n", "2").stdout
    assert re.search(r"Best val_accuracy: 0\.\d{4} \(trial \d", run)
    assert "6/6 trials" in run
    assert "tunefast study show my-study" in run
    shown = terminal.tunefast("study", "show", "my-study").stdout
    assert max(len(line) for line in shown.splitlines()) <= 80
    trial = terminal.tunefast("study", "show", "my-study", "--trial", "0").stdout
    assert "val_loss" in trial
    best = terminal.tunefast("study", "best", "my-study").stdout
    recipe = tomllib.loads(best[best.index("[recipe]") :])["recipe"]
    assert recipe["optimizer"]["lr"] == terminal.json("study", "best", "my-study")["params"]["optimizer.lr"]
    assert "my-study" in terminal.tunefast("study", "list").stdout
    for text in (run, shown, trial, best):
        assert not CONTROL.search(text)


def test_json_is_one_document_on_standard_output(terminal: Terminal) -> None:
    """Every command with --json prints one JSON document there and nothing else."""
    spec = str(terminal.write("s.toml", objective("j", "paced", 3)))
    assert terminal.json("study", "create", spec)["study"] == "j"
    assert terminal.json("study", "run", "j", "-n", "1")["trials"] == {"complete": 3}
    assert terminal.json("study", "list")[0]["trials"] == {"complete": 3}
    assert len(terminal.json("study", "show", "j")["trials"]) == 3
    assert [row["epoch"] for row in terminal.json("study", "show", "j", "--trial", "1")["epochs"]] == [1, 2, 3]
    assert terminal.json("worker", "list") == {"coordinator": None, "workers": []}
    assert terminal.json("study", "extend", "j", "--trials", "4")["budget"] == {"trials": 4}
    assert "sgd" in terminal.json("explain")["optimizer"]
    assert terminal.json("study", "delete", "j", "--yes") == {"deleted": "j"}
    assert terminal.json("study", "list") == []


def test_a_target_ends_the_study(terminal: Terminal) -> None:
    """The trial that reaches the target ends there, complete with that value, and no further trial is started."""
    text = objective("race", "paced", 50, epochs=10, extra="target = 0.3", pause=0.01)
    terminal.tunefast("study", "run", str(terminal.write("s.toml", text)), "-n", "2")
    study = terminal.study("race")
    assert len(study.trials) < 50
    assert study.best is not None
    assert study.best.value is not None
    assert study.best.value >= 0.3
    assert study.best.user_attrs["reason"] == "target"


def test_minutes_end_the_study(terminal: Terminal) -> None:
    """When the time is used up, running trials end at their next epoch and the study with them."""
    text = objective("timed", "paced", 5000, extra="minutes = 0.05", pause=0.05)
    done = terminal.tunefast("study", "run", str(terminal.write("s.toml", text)), "-n", "2")
    assert "its time is used up" in done.stdout
    study = terminal.study("timed")
    assert 3 <= study.active_seconds < 10
    assert set(study.counts) == {"complete"}


def test_early_stopping_and_pruning_save_epochs(terminal: Terminal) -> None:
    """On digits some trials are stopped, and the summary says what that saved."""
    done = terminal.tunefast(
        "study", "run", str(terminal.write("s.toml", digits("saving", "random", 14, 6))), "-n", "2"
    )
    study = terminal.study("saving")
    assert study.counts.get("pruned", 0) >= 1
    assert study.epochs_run < study.epochs_planned
    assert re.search(r"Stopping early saved \d+ of \d+ epochs", done.stdout)


def test_an_objective_that_reports_itself_runs_unchanged(terminal: Terminal) -> None:
    """A function that calls context.report works like a generator that yields."""
    terminal.tunefast("study", "run", str(terminal.write("s.toml", objective("own", "reporting", 3))), "-n", "1")
    assert terminal.study("own").counts == {"complete": 3}
