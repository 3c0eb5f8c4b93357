"""What a program has said when its worker is killed."""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.processes import wait_until
from tests.run.script.test_drive import Project, judge
from tunefast.recipe.own_training import CommandRecipe
from tunefast.run.driver import drive
from tunefast.run.line import Line
from tunefast.run.script.epochs import Epochs
from tunefast.run.script.following import follow
from tunefast.run.script.unread import FOLLOWED, PRINTED, note_start, open_printed, unread
from tunefast.spec.progress import Answer, Assignment, Ending, EpochReport, Outcome, Verdict

GOING_ON = """
    import json, pathlib, sys, time
    kept, rows = pathlib.Path(sys.argv[1], "epoch"), pathlib.Path(sys.argv[1], "m.jsonl")
    start = int(kept.read_text()) if kept.exists() else 0
    for epoch in range(start, 5):
        if epoch == 3 and not start:
            time.sleep(600)
        line = json.dumps({"epoch": epoch, "acc": epoch / 10})
        with open(rows, "a") as file:
            file.write(line + "\\n")
        print(line, flush=True)
        kept.write_text(str(epoch + 1))
"""
"""Says an epoch before it keeps it; does not get beyond its third one unless it goes on from there."""
WORKER = """
    import json, sys
    from pathlib import Path
    from tests.run.script.test_drive import Project
    from tests.run.script.test_unread import GOING_ON, answer_one

    Project(Path(sys.argv[1]), GOING_ON).run(answer_one, **json.loads(sys.argv[2]))
"""


def answer_one(report: EpochReport) -> Answer:
    """An answer to the first epoch, and none to the next."""
    if report.epoch > 1:
        threading.Event().wait()
    return Answer(verdict=Verdict.CONTINUE)


@pytest.mark.parametrize("follow", [{}, {"follow": "{checkpoints}/m.jsonl"}])
def test_what_a_killed_worker_had_not_read(tmp_path: Path, follow: dict[str, str]) -> None:
    """Epochs that were said before the kill stand, since the program goes on after them; each is told once."""
    options = {"command": f"{sys.executable} train.py {{checkpoints}}", **follow}
    _, assignment = Project(tmp_path, GOING_ON).trial(**options)
    state = Path(assignment.directory)
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(tmp_path), json.dumps(options)]
    with subprocess.Popen(command) as worker:
        epoch = state / "checkpoints" / "epoch"
        wait_until(lambda: epoch.exists() and epoch.read_text() == "3", "three epochs are said and kept")
        worker.send_signal(signal.SIGKILL)
    first = EpochReport(epoch=1, metrics={"acc": 0.0}, details={"said_epoch": 0.0})
    recalled: list[EpochReport] = []
    answer, told = judge()
    again = assignment.model_copy(update={"attempt": 2, "earlier": [first]})
    outcome = drive(again, Line(answer, recall=recalled.extend))
    assert outcome == Outcome(ending=Ending.COMPLETE, kept_epoch=5)
    assert [(report.epoch, report.metrics) for report in recalled] == [(2, {"acc": 0.1}), (3, {"acc": 0.2})]
    assert [report.epoch for report in told] == [4, 5]
    assert not (state / PRINTED).exists()
    assert not (state / FOLLOWED).exists()


def test_found_once_is_found_for_good(tmp_path: Path) -> None:
    """What an attempt found is known to the next one too, though its own program begins the file anew."""
    made = Project(tmp_path, """import os, signal\nos.kill(os.getpid(), signal.SIGKILL)""")
    _, assignment = made.trial()
    path = Path(assignment.directory) / PRINTED
    _write(path.parent, [(0.5, {"epoch": 1, "acc": 0.5})])
    for attempt in (2, 3):
        recalled: list[EpochReport] = []
        drive(assignment.model_copy(update={"attempt": attempt}), Line(judge()[0], recall=recalled.extend))
        assert [report.epoch for report in recalled] == [1]
        assert not path.exists()


@pytest.mark.parametrize("verdict", [Verdict.CONTINUE, Verdict.PRUNE, Verdict.PAUSE])
def test_kept_until_the_trial_ends(tmp_path: Path, verdict: Verdict) -> None:
    """A trial that is to be gone on with may have printed more than was judged."""
    Project(tmp_path, """print('{"acc": 1}')""").run(judge(verdict)[0])
    assert (tmp_path / "state" / "3" / PRINTED).exists() == (verdict is Verdict.PAUSE)


def test_a_program_that_reports(tmp_path: Path) -> None:
    """What it prints besides is no report, and not kept either."""
    script = """
        from tunefast_report import report
        for epoch in (1, 2):
            report(epoch=epoch, acc=0.5)
            print('{"epoch": 7, "acc": 0.75}', flush=True)
    """
    Project(tmp_path, script).run(judge(Verdict.CONTINUE, Verdict.PAUSE)[0])
    assert unread(*_trial(tmp_path / "state" / "3"), []) == []


def test_epochs_that_nobody_judged(tmp_path: Path) -> None:
    """Where they were the last ones, the next attempt, which has nothing to say, has them judged."""
    _, assignment = Project(tmp_path, "").trial()
    _write(
        Path(assignment.directory),
        [(1.0, {"epoch": 1, "acc": 0.5}), (2.0, {"epoch": 2, "acc": 0.75}), (3.0, {"epoch": 3, "acc": 1})],
    )
    answer, told = judge(Verdict.CONTINUE, Verdict.PRUNE)
    outcome = drive(assignment.model_copy(update={"attempt": 2}), Line(answer))
    assert [report.epoch for report in told] == [1, 2]
    assert outcome == Outcome(ending=Ending.PRUNED, kept_epoch=2)


def test_an_attempt_that_said_other_values(tmp_path: Path) -> None:
    """Epochs that it trained again take the place of those of the attempt before it, though they have their numbers."""
    trial = _trial(tmp_path)
    known = [_report(epoch, 0.5) for epoch in (1, 2, 3)]
    _write(
        tmp_path, [(1.0, {"epoch": 2, "acc": 0.6}), (2.0, {"epoch": 3, "acc": 0.5}), (3.0, {"epoch": 4, "acc": 0.7})]
    )
    assert [(report.epoch, report.metrics["acc"]) for report in unread(*trial, known)] == [(2, 0.6), (3, 0.5), (4, 0.7)]
    again = [_report(1, 0.5), _report(2, 0.6), _report(3, math.nan)]
    _write(
        tmp_path, [(1.0, {"epoch": 2, "acc": 0.6}), (2.0, {"epoch": 3, "acc": math.nan}), (3.0, {"epoch": 4, "acc": 1})]
    )
    assert [report.epoch for report in unread(*trial, again)] == [4]


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl"])
def test_a_followed_file_that_is_begun_anew(tmp_path: Path, name: str) -> None:
    """Its rows count from the first on, and the time from the program's start on is theirs."""
    recipe, assignment = _trial(tmp_path)
    recipe = recipe.model_copy(update={"follow": name, "run_in": "trial"})
    path = tmp_path / name
    path.write_text(_file(name, [0.1, 0.2, 0.3]))
    note_start(tmp_path, follow(path))
    path.write_text(_file(name, [0.4, 0.5, 0.6, 0.7]))
    os.utime(tmp_path / FOLLOWED, (1000.0, 1000.0))
    os.utime(path, (1010.0, 1010.0))
    reports = unread(recipe, assignment, [])
    assert [(report.metrics["acc"], report.train_seconds) for report in reports] == [
        (0.4, 2.5),
        (0.5, 2.5),
        (0.6, 2.5),
        (0.7, 2.5),
    ]
    (tmp_path / FOLLOWED).write_text("[[")
    assert unread(recipe, assignment, []) == []


def test_lines_that_were_torn(tmp_path: Path) -> None:
    """By a disk that was full: what is whole counts."""
    (tmp_path / PRINTED).write_text('\n0.5 {"acc": 0.5}\n0.7 {"acc": 0.\n0.9 {"acc": 0.75}\n1.0')
    assert [report.metrics["acc"] for report in unread(*_trial(tmp_path), [])] == [0.5, 0.75]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial does not end as if its program had said no more: it is to be gone on with."""
    script = """
        import time
        print('{"epoch": 1, "acc": 0.5}', flush=True)
        time.sleep(600)
    """
    answer, told = judge()
    with io.FileIO("/dev/full", "w") as raw, io.TextIOWrapper(raw, write_through=True) as full:
        monkeypatch.setattr("sys.stdout", full)
        with pytest.raises(OSError, match="No space left"):
            Project(tmp_path, script).run(answer)
        monkeypatch.undo()
    assert [report.epoch for report in told] == [1]
    assert (tmp_path / "state" / "3" / PRINTED).exists()


def test_a_program_that_is_still_being_ended(tmp_path: Path) -> None:
    """Whoever asks for what was not read waits until no one writes to the file any more."""
    found: list[EpochReport] = []
    with open_printed(tmp_path) as file:
        reader = threading.Thread(target=lambda: found.extend(unread(*_trial(tmp_path), [])))
        reader.start()
        reader.join(0.2)
        assert reader.is_alive()
        file.write(b'\n1.5 {"acc": 0.5}')
    reader.join()
    assert [(report.epoch, report.metrics, report.train_seconds) for report in found] == [(1, {"acc": 0.5}, 1.5)]


def test_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have none; what is in the file counts all the same."""

    def refuse(file: object, operation: int) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open_printed(tmp_path) as file:
        file.write(b'\n0.5 {"acc": 0.25}')
    assert [report.epoch for report in unread(*_trial(tmp_path), [])] == [1]


@given(
    counts=st.sampled_from([{}, {"epoch": 0}, {"epoch": 1}, {"epoch": 7}, {"step": 100}]),
    before=st.integers(0, 3),
    read=st.integers(0, 6),
    torn=st.integers(0, 20),
)
def test_what_was_read_is_not_found_again(counts: dict[str, int], before: int, read: int, torn: int) -> None:
    """However a program counts, and wherever it went on: what was read and what is found are what it printed."""
    if not counts:
        before = 0  # it counts from 1 again, in the place of what was
    names = {name: [start + 10 * index for index in range(before + 6)] for name, start in counts.items()}
    found = [{**{name: said[index] for name, said in names.items()}, "acc": index / 8} for index in range(before + 6)]
    earlier = _reports(Epochs(["acc"]), found[:before])
    printed = _reports(Epochs(["acc"], earlier), found[before:])
    with tempfile.TemporaryDirectory() as place:
        _write(Path(place), [(index + 0.5, numbers) for index, numbers in enumerate(found[before:])])
        with (Path(place) / PRINTED).open("a") as file:
            file.write('\n6.5 {"epoch": 90, "acc": 1.0}'[:torn])
        unknown = unread(*_trial(Path(place)), [*earlier, *printed[:read]])
    assert [(report.epoch, report.metrics) for report in unknown] == [
        (report.epoch, report.metrics) for report in printed[read:]
    ]
    assert [report.train_seconds for report in unknown] == [1.0 if index else 0.5 for index in range(read, 6)]


def _report(epoch: int, acc: float) -> EpochReport:
    return EpochReport(epoch=epoch, metrics={"acc": acc}, details={"said_epoch": float(epoch)})


def _write(directory: Path, found: list[tuple[float, dict[str, float]]]) -> None:
    """What a guard would have kept."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f"\n{seconds} {json.dumps(numbers)}" for seconds, numbers in found]
    (directory / PRINTED).write_text("".join(lines))


def _file(name: str, values: list[float]) -> str:
    if name.endswith(".csv"):
        return "acc\n" + "".join(f"{value}\n" for value in values)
    return "".join(json.dumps({"acc": value}) + "\n" for value in values)


def _trial(directory: Path) -> tuple[CommandRecipe, Assignment]:
    """An attempt in that directory."""
    recipe, assignment = Project(directory, "").trial()
    return recipe, assignment.model_copy(update={"directory": str(directory)})


def _reports(epochs: Epochs, found: list[dict[str, float]]) -> list[EpochReport]:
    return [report for report in map(epochs.add, found) if report is not None]
