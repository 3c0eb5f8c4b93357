"""Scripts of people's own as trials, in real workers."""

from __future__ import annotations

import os
import shutil
import signal
import textwrap
from pathlib import Path

import pytest

from tests.integration.processes import REPOSITORY, Terminal, ended, wait_until
from tunefast.run.commands import list_workers

SLOW = """
import json, os, sys, time
path = os.path.join(sys.argv[2], "epoch")
start = int(open(path).read()) if os.path.exists(path) else 0
print("starting after", start, flush=True)
for epoch in range(start, 6):
    time.sleep(0.2)
    print(json.dumps({"epoch": epoch, "score": float(sys.argv[1]) * (epoch + 1)}), flush=True)
    with open(path + ".new", "w") as file:
        file.write(str(epoch + 1))
    os.replace(path + ".new", path)
"""


def spec(name: str, command: str, trials: int, *, metric: str = "score", extra: str = "") -> str:
    """A study of a command over x."""
    return f"""
[study]
name = "{name}"
metric = "{metric}"
direction = "maximize"
sampler = {{ name = "random" }}
pruner = {{ name = "none" }}
[budget]
trials = {trials}
[recipe]
epochs = 6
command = "{command}"
{extra}
[space]
x = {{ low = 0.1, high = 1.0 }}
"""


def test_an_argparse_script_unchanged(terminal: Terminal) -> None:
    """The example's script runs in parallel, trials are pruned on the way, and stock values come of what it printed."""
    for path in (REPOSITORY / "examples" / "pytorch_script").iterdir():
        shutil.copy(path, terminal.directory)
    spec = terminal.directory / "study.toml"
    spec.write_text(spec.read_text().replace("trials = 16", "trials = 8"))  # each loads torch anew
    terminal.tunefast("study", "run", "study.toml", "-n", "2")
    study = terminal.study("pytorch_script")
    assert sum(study.counts.values()) == 8
    assert study.counts["pruned"] >= 1
    assert study.counts.get("failed", 0) == 0
    best = study.best
    assert best is not None
    assert best.value is not None
    assert best.value > 0.9
    (pruned, *_) = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert max(pruned.intermediate_values) < 10


def test_a_killed_worker_and_a_script_with_checkpoints(terminal: Terminal) -> None:
    """After a SIGKILL the script finds its checkpoints again and goes on there; earlier epochs still stand."""
    terminal.write("slow.py", SLOW)
    terminal.write("s.toml", spec("slow", "python slow.py {x} {checkpoints}", 1))
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: _num_epochs(terminal, "slow") >= 2, "two epochs are there")
        (worker,) = list_workers(terminal.database)["workers"]
        os.kill(worker["pid"], signal.SIGKILL)
        ended(run, 0)
    study = terminal.study("slow")
    (trial,) = study.trials
    assert [attempt["ending"] for attempt in study.attempts] == ["lost", "complete"]
    by_attempt = [row["attempt"] for row in study.epochs]
    assert by_attempt == sorted(by_attempt)
    assert set(by_attempt) == {1, 2}
    assert sorted(trial.intermediate_values) == [1, 2, 3, 4, 5, 6]
    assert trial.value == pytest.approx(6 * trial.params["x"])


def test_ctrl_c_pauses_a_script(terminal: Terminal) -> None:
    """The script is ended at its next report, is no failure, and goes on from its checkpoint with the next run."""
    terminal.write("slow.py", SLOW)
    terminal.write("s.toml", spec("slow", "python slow.py {x} {checkpoints}", 1))
    with terminal.started("study", "run", "s.toml", "-n", "1") as run:
        wait_until(lambda: _num_epochs(terminal, "slow") >= 1, "an epoch is there")
        os.kill(run.pid, signal.SIGINT)
        ended(run, 130)
    assert terminal.counts("slow") == {"waiting": 1}
    before = _num_epochs(terminal, "slow")
    assert before < 6
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    assert terminal.counts("slow") == {"complete": 1}
    assert [row["attempt"] for row in terminal.study("slow").epochs] == [1] * before + [2] * (6 - before)


BAD = {
    "unknown placeholder": (
        spec("bad", "python slow.py {y}", 2),
        "{y} is no setting of [recipe] or [space], nor of the trial. Known: checkpoints, device, directory,",
    ),
    "no program": (spec("bad", "pithon slow.py {x}", 2), "there is no program 'pithon'"),
    "no script": (spec("bad", "python slo.py {x}", 2), "there is no file 'slo.py'"),
    "quotes": (spec("bad", "python 'slow.py {x}", 2), "No closing quotation"),
    "one file for all": (
        spec("bad", "python slow.py {x} .", 2, extra='follow = "metrics.csv"'),
        'run_in = "trial"',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_commands(terminal: Terminal, case: str) -> None:
    """What cannot work is refused at creation, with one message and nothing written."""
    text, message = BAD[case]
    terminal.write("slow.py", SLOW)
    terminal.write("s.toml", text)
    said = terminal.tunefast("study", "create", "s.toml", code=2).stderr
    assert message in " ".join(said.split())
    assert not terminal.database.exists()


def test_failing_scripts(terminal: Terminal) -> None:
    """Three equal failures end the study with the script's own traceback; so does a metric that nobody reports."""
    terminal.write("raises.py", "raise ValueError('no legs')\n")
    terminal.write("s.toml", spec("raising", "python raises.py {x}", 20))
    said = terminal.tunefast("study", "run", "s.toml", "-n", "1", code=1)
    assert "ValueError: no legs" in said.stdout + said.stderr
    assert terminal.counts("raising") == {"failed": 3}
    terminal.write("other.py", """print('{"loss": 1, "acc": 0.5}')\n""")
    terminal.write("t.toml", spec("other", "python other.py {x}", 20))
    said = terminal.tunefast("study", "run", "t.toml", "-n", "1", code=1)
    assert "without a report of 'score', only of acc, loss" in " ".join((said.stdout + said.stderr).split())


def test_reporter_file(terminal: Terminal, tmp_path: Path) -> None:
    """`tunefast init --reporter` writes the file, which any script beside it can import; it is never overwritten."""
    terminal.tunefast("init", "--reporter")
    terminal.write(
        "mine.py", "import sys\nfrom tunefast_report import report\nreport(score=float(sys.argv[1]))\nreport(score=1)\n"
    )
    terminal.write("s.toml", spec("mine", "python mine.py {x}", 3))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    assert terminal.counts("mine") == {"complete": 3}
    assert "exists already" in terminal.tunefast("init", "--reporter", code=2).stderr


def _num_epochs(terminal: Terminal, name: str) -> int:
    return len(terminal.study(name).epochs) if terminal.counts(name) else 0


def test_failures_are_alike_whatever_their_numbers(terminal: Terminal) -> None:
    """Errors that differ in numbers and paths alone end the study early; a lone failure is shown with its last line."""
    terminal.write("raises.py", "import sys\nraise ValueError(f'rate {sys.argv[1]} in /data/{sys.argv[1]}')\n")
    terminal.write("s.toml", spec("alike", "python raises.py {x}", 20))
    said = terminal.tunefast("study", "run", "s.toml", "-n", "1", code=1)
    assert terminal.counts("alike") == {"failed": 3}
    assert "ValueError: rate 0." in said.stdout
    terminal.write("other.py", "import sys\nprint('value', sys.argv[1])\n")
    terminal.write("t.toml", spec("silent", "python other.py {x}", 20))
    assert "ended without a report" in terminal.tunefast("study", "run", "t.toml", "-n", "1", code=1).stdout
    assert terminal.counts("silent") == {"failed": 3}
    terminal.write("u.toml", spec("one", "python raises.py {x}", 1))
    said = terminal.tunefast("study", "run", "u.toml", "-n", "1", code=1)
    assert "Trial 0 failed: tunefast study show one --trial 0" in said.stdout
    assert "ValueError: rate 0." in said.stdout
    assert terminal.tunefast("study", "watch", "one", code=1).stdout.count("Go on") == 0


def test_settings_are_the_scripts_own(terminal: Terminal) -> None:
    """No default of tunefast's parts gets into them, and seeds are small enough for NumPy."""
    script = """
        import json, os
        settings = json.loads(os.environ["TUNEFAST_SETTINGS"])
        assert settings["optimizer"].keys() == {"lr"}, settings
        assert int(os.environ["TUNEFAST_SEED"]) < 2**32
        print('{"score": 1}')
    """
    terminal.write("mine.py", textwrap.dedent(script))
    text = spec("mine", "python mine.py {optimizer.lr} {seed}", 3).replace("x = {", '"optimizer.lr" = {')
    terminal.write("s.toml", text)
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    assert terminal.counts("mine") == {"complete": 3}
