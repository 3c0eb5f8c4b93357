"""Trials of tunefast's own loop go on from their checkpoints, whatever happened to their worker."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.integration.processes import Terminal, ended, kill, wait_until
from tests.integration.zygote import Zygote
from tunefast.run.commands import list_workers
from tunefast.store.snapshot import StudySnapshot

SPEC = """
[study]
name = "s"
sampler = {{ name = "random" }}
pruner = {{ name = "none" }}
[budget]
trials = {trials}
[trial]
checkpoint_seconds = 0.2
kept_checkpoints = {kept}
[recipe]
epochs = {epochs}
data = {{ name = "digits" }}
model = {{ name = "mlp", width = 512, depth = 2 }}
optimizer = {{ name = "adamw" }}
batch_size = 16
[space]
"optimizer.lr" = {{ low = 1e-4, high = 1e-2, log = true }}
"""
RUN = ("study", "run", "s.toml", "-n", "1")


def write(terminal: Terminal, *, trials: int = 2, epochs: int = 12, kept: int = 3) -> None:
    """The spec, in the working directory."""
    terminal.write("s.toml", SPEC.format(trials=trials, epochs=epochs, kept=kept))


def checkpoints(terminal: Terminal, number: int) -> list[Path]:
    """The files of a trial's checkpoints, oldest first."""
    directory = terminal.database.with_name(terminal.database.name + ".tunefast")
    return sorted(directory.glob(f"trials/*/{number}/checkpoints/epoch-*.safetensors"))


def curves(study: StudySnapshot) -> list[dict[int, float]]:
    """What every trial reported, epoch -> value."""
    return [trial.intermediate_values for trial in study.trials]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> list[dict[int, float]]:
    """The curves of the study when nothing happens to it."""
    terminal = Terminal(tmp_path_factory.mktemp("quiet"), {}, zygote)
    write(terminal)
    terminal.tunefast(*RUN)
    return curves(terminal.study("s"))


def worker(terminal: Terminal) -> int:
    """The process that trains, asked for without a command, which might take as long as a trial."""
    return int(list_workers(terminal.database)["workers"][0]["pid"])


def _has_one(terminal: Terminal, number: int) -> bool:
    """The second one may be long in coming: checkpoints take 2 % of the time, and the disk may be busy."""
    return bool(checkpoints(terminal, number))


def test_a_killed_worker_loses_little(terminal: Terminal, quiet: list[dict[int, float]]) -> None:
    """After SIGKILL the same trial goes on from its checkpoint, and every epoch is as if nothing had happened."""
    write(terminal)
    with terminal.started(*RUN) as run:
        for number in (0, 1):
            wait_until(partial(_has_one, terminal, number), "a trial has a checkpoint")
            kill(worker(terminal))
        ended(run, 0)
    study = terminal.study("s")
    assert curves(study) == quiet
    assert study.counts == {"complete": 2}
    last_attempts = [row for row in study.attempts if row["attempt"] == 2]
    assert [row["trial"] for row in last_attempts] == [0, 1]
    for trial in (0, 1):
        first = min(row["epoch"] for row in study.epochs if row["trial"] == trial and row["attempt"] == 2)
        assert first > 1


def test_a_signal_loses_no_epoch(terminal: Terminal, quiet: list[dict[int, float]]) -> None:
    """Ctrl-C leaves a checkpoint of the epoch that has just ended; the same command goes on after it."""
    write(terminal)
    with terminal.started(*RUN) as run:
        wait_until(lambda: bool(terminal.counts("s")) and len(terminal.study("s").epochs) >= 2, "two epochs ended")
        os.kill(run.pid, signal.SIGINT)
        ended(run, 130)
    before = terminal.study("s").epochs
    terminal.tunefast(*RUN)
    study = terminal.study("s")
    assert curves(study) == quiet
    assert [row for row in study.epochs if row["attempt"] == 1 and row["trial"] == 0] == before


def test_a_damaged_checkpoint(terminal: Terminal, quiet: list[dict[int, float]]) -> None:
    """One flipped bit in the newest file is noticed and said; the trial goes on from the one before."""
    write(terminal)
    with terminal.started(*RUN) as run:
        wait_until(partial(_has_one, terminal, 0), "a trial has a checkpoint")
        os.kill(run.pid, signal.SIGINT)
        ended(run, 130)
    older, newest = (int(path.stem.partition("-")[2]) for path in checkpoints(terminal, 0))
    path = checkpoints(terminal, 0)[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    said = terminal.tunefast(*RUN)
    assert f"the checkpoint of epoch {newest} cannot be used" in said.stdout + said.stderr
    study = terminal.study("s")
    assert curves(study) == quiet
    assert min(row["epoch"] for row in study.epochs if row["trial"] == 0 and row["attempt"] == 2) == older + 1


def test_losers_leave_none(terminal: Terminal) -> None:
    """When the study has ended the checkpoints of the best trial are there, and nobody else's."""
    write(terminal, trials=4, epochs=8, kept=1)
    terminal.tunefast(*RUN)
    study = terminal.study("s")
    best = max(study.trials, key=lambda trial: trial.value or 0).number
    assert [number for number in range(4) if checkpoints(terminal, number)] == [best]


def test_a_variant_goes_on_from_a_checkpoint(terminal: Terminal) -> None:
    """A variant of a trial that has epochs left takes over its weights and its curve, but not its lost patience.

    One with another model begins anew.
    """
    stop = 'early_stopping = { monitor = "val_loss", patience = 1, min_delta = 9.0, restore_best_weights = false }'
    write(terminal, trials=1, epochs=20)
    path = terminal.directory / "s.toml"
    text = path.read_text().replace("batch_size = 16\n", f"batch_size = 16\n{stop}\n")
    text = text.replace("[space]\n", '[space]\n"model.width" = { choices = [512, 1024] }\n')
    path.write_text(text.replace("epochs = 20", "epochs = 20\n").replace("patience = 1", "patience = 7"))
    terminal.tunefast(*RUN)
    source = terminal.study("s").trial(0)
    assert max(source.intermediate_values) == 8
    assert checkpoints(terminal, 0)
    width = source.params["model.width"]
    clone = ("trial", "clone", "0", "--study", "s")
    assert terminal.json(*clone, "--set", "optimizer.lr=0.0002")["start"] == "checkpoint"
    assert terminal.json(*clone, "--set", f"model.width={1536 - width}")["start"] == "beginning"
    terminal.tunefast("study", "extend", "s", "--trials", "3")
    terminal.tunefast("study", "run", "s", "-n", "1")
    study = terminal.study("s")
    reached = max(int(path.stem.partition("-")[2]) for path in checkpoints(terminal, 0))
    first, second, third = curves(study)
    assert {epoch: second[epoch] for epoch in range(1, reached + 1)} == {
        epoch: first[epoch] for epoch in range(1, reached + 1)
    }
    assert len(second) >= reached + 7
    assert third[1] != first[1]


def test_a_variant_of_a_running_trial_forks_it(terminal: Terminal) -> None:
    """It starts from the checkpoint that there was when it was asked for, however far the trial gets meanwhile."""
    write(terminal, trials=2, epochs=30)
    with terminal.started(*RUN) as run:
        wait_until(partial(_has_one, terminal, 0), "a trial has a checkpoint")
        made = terminal.json("trial", "clone", "0", "--study", "s", "--set", "optimizer.lr=0.0005")
        forked = [path.name for path in checkpoints(terminal, made["trial"])]
        assert made["start"] == "checkpoint"
        assert forked
        ended(run, 0)
    rows = terminal.study("s").epochs
    first, second = ({row["epoch"]: row["metrics"]["loss"] for row in rows if row["trial"] == n} for n in (0, 1))
    reached = int(forked[-1].removesuffix(".safetensors").partition("-")[2])
    assert reached < 30
    assert second[reached] == first[reached]
    assert second[reached + 1] != first[reached + 1]
