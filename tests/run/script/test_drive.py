"""Programs as trials: real processes, in every way that they may report and end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunefast.recipe.own_training import CommandRecipe
from tunefast.reporter import tunefast_report
from tunefast.run.script import drive as drive_module
from tunefast.run.script import process as process_module
from tunefast.run.script.drive import ProgramError, run_program
from tunefast.spec.progress import Answer, Assignment, EpochReport, Verdict

REPORTING = """
    from tunefast_report import report
    for epoch in range(5):
        verdict = report(epoch=epoch, acc=epoch / 10)
        print("answered", verdict)
        if verdict != "continue":
            break
"""
PRINTING = """
    import json, time
    for epoch in range(1, 100):
        print("epoch", epoch)
        print(json.dumps({"epoch": epoch, "acc": epoch / 10}))
        time.sleep(0.05)
"""


def judge(*verdicts: Verdict | Exception) -> tuple[Callable[[EpochReport], Answer], list[EpochReport]]:
    """Answers so, one after the other, and then to continue; and what it was told."""
    told: list[EpochReport] = []

    def answer(report: EpochReport) -> Answer:
        told.append(report)
        verdict = verdicts[len(told) - 1] if len(told) <= len(verdicts) else Verdict.CONTINUE
        if isinstance(verdict, Exception):
            raise verdict
        return Answer(verdict=verdict)

    return answer, told


class Project:
    """A directory with a script in it."""

    def __init__(self, root: Path, script: str) -> None:
        self.root = root
        (root / "train.py").write_text(textwrap.dedent(script))
        shutil.copy(tunefast_report.__file__, root)
        self.said: list[str] = []

    def run(self, judge: Callable[[EpochReport], Answer], **options: Any) -> None:
        """Run its script as trial 3."""
        recipe, assignment = self.trial(**options)
        run_program(recipe, assignment, judge, self.said.append)

    def trial(self, **options: Any) -> tuple[CommandRecipe, Assignment]:
        """Its script as trial 3."""
        command = options.pop("command", f"{sys.executable} train.py")
        recipe = CommandRecipe.model_validate({"command": command, "root": str(self.root), **options})
        assignment = Assignment(
            study="s",
            trial=3,
            token=1,
            attempt=1,
            recipe=recipe.table(),
            seed=42,
            threads=1,
            device="cpu",
            metrics=["acc"],
            directory=str(self.root / "state" / "3"),
        )
        return recipe, assignment


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Project]:
    """Makes a project of a script."""
    return lambda script: Project(tmp_path, script)


def test_reporter(project: Callable[[str], Project], capfd: pytest.CaptureFixture[str]) -> None:
    """The copied file reports, in order, and the script sees the answers."""
    answer, told = judge(Verdict.CONTINUE, Verdict.PRUNE)
    project(REPORTING).run(answer)
    assert [(report.epoch, report.metrics) for report in told] == [(1, {"acc": 0.0}), (2, {"acc": 0.1})]
    assert capfd.readouterr().out == "answered continue\nanswered prune\n"


def test_reporter_alone(project: Callable[[str], Project], tmp_path: Path) -> None:
    """Without tunefast the script runs as it does, to its end."""
    project(REPORTING)
    outside = {name: value for name, value in os.environ.items() if not name.startswith("TUNEFAST_")}
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, env=outside, capture_output=True, text=True, check=True
    )
    assert done.stdout == "answered continue\n" * 5


def test_a_script_that_does_not_ask_is_ended(project: Callable[[str], Project]) -> None:
    """Printed JSON lines are reports, and SIGTERM comes with the verdict; that is no failure."""
    answer, told = judge(Verdict.CONTINUE, Verdict.CONTINUE, Verdict.STOP)
    started = time.monotonic()
    project(PRINTING).run(answer)
    assert [report.epoch for report in told] == [1, 2, 3]
    assert time.monotonic() - started < 4  # its own end is at 5 s


def test_a_script_that_asks_and_goes_on_is_ended(project: Callable[[str], Project]) -> None:
    """The next report after a verdict is its last."""
    answer, told = judge(Verdict.PRUNE)
    project(REPORTING.replace("break", "continue").replace("range(5)", "range(10**9)")).run(answer)
    assert len(told) == 1


def test_a_script_that_ignores_sigterm_is_killed(
    project: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a time, with all that it has started."""
    monkeypatch.setattr(process_module, "KILL_SECONDS", 0.3)
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + textwrap.dedent(PRINTING)
    project(stubborn.replace("100", "10000")).run(judge(Verdict.PRUNE)[0])


def test_settings_and_facts(project: Callable[[str], Project], capfd: pytest.CaptureFixture[str]) -> None:
    """Values stand where the command names them, and everything is in the environment."""
    script = """
        import json, os, sys
        print(sys.argv[1:])
        print(os.environ["TUNEFAST_SEED"], os.environ["TUNEFAST_THREADS"], os.environ["CUDA_VISIBLE_DEVICES"] == "")
        print(json.loads(os.environ["TUNEFAST_SETTINGS"])["optimizer"]["lr"], os.path.isdir(sys.argv[-1]))
        print('{"acc": 1}')
    """
    options = "--lr {optimizer.lr} --nesterov {n} --trial={trial} '{name}' {{}} {checkpoints}"
    command = f"{sys.executable} train.py {options}"
    project(script).run(judge()[0], command=command, optimizer={"lr": 1e-4}, n=True, name="a b")
    out = capfd.readouterr().out.splitlines()
    assert out[0].startswith("['--lr', '0.0001', '--nesterov', 'true', '--trial=3', 'a b', '{}', '/")
    assert out[1:3] == ["42 1 True", "0.0001 True"]


def test_csv_in_a_directory_of_its_own(project: Callable[[str], Project], tmp_path: Path) -> None:
    """A script that writes to the same relative path in every trial is run elsewhere, and finds its own modules."""
    (tmp_path / "mine.py").write_text("VALUE = 0.5\n")
    script = """
        import mine
        with open("metrics.csv", "w") as file:
            file.write(f"epoch,acc\\n0,{mine.VALUE}\\n1,0.75\\n")
    """
    answer, told = judge()
    project(script).run(answer, follow="metrics.csv", run_in="trial")
    assert [(report.epoch, report.metrics["acc"]) for report in told] == [(1, 0.5), (2, 0.75)]
    assert not (tmp_path / "metrics.csv").exists()


def test_a_first_epoch_that_is_printed_and_reported(project: Callable[[str], Project]) -> None:
    """Printed before anybody knew that the script reports, it is the same epoch all the same."""
    script = """
        import json, time
        from tunefast_report import report
        for epoch in range(3):
            print(json.dumps({"epoch": epoch, "acc": epoch / 10}), flush=True)
            time.sleep(0.3)
            print(report(epoch=epoch, acc=epoch / 10))
    """
    answer, told = judge()
    project(script).run(answer)
    assert [(report.epoch, report.metrics) for report in told] == [
        (1, {"acc": 0.0}),
        (2, {"acc": 0.1}),
        (3, {"acc": 0.2}),
    ]


def test_a_followed_file_alone_counts(project: Callable[[str], Project]) -> None:
    """An epoch that is printed as well is one epoch."""
    script = """
        for line in ('{"epoch": 1, "acc": 0.5}', '{"epoch": 2, "acc": 0.75}'):
            print(line, flush=True)
            print(line, file=open("m.jsonl", "a"), flush=True)
    """
    answer, told = judge()
    project(script).run(answer, follow="m.jsonl", run_in="trial")
    assert [report.epoch for report in told] == [1, 2]


def test_a_failure_keeps_the_traceback(project: Callable[[str], Project]) -> None:
    """The last lines say what happened, and not what we did."""
    script = """
        import json
        print(json.dumps({"acc": 0.5}))
        raise ValueError("the data has no legs")
    """
    with pytest.raises(ProgramError) as caught:
        project(script).run(judge()[0])
    text = str(caught.value)
    assert text.startswith("the program left with exit code 1:\n")
    assert text.endswith("ValueError: the data has no legs")
    assert "tunefast" not in text


def test_a_script_that_dies(project: Callable[[str], Project]) -> None:
    """The signal is named by its number."""
    with pytest.raises(ProgramError, match="was ended by signal 11"):
        project("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)").run(judge()[0])


def test_a_script_that_leaves_without_a_word(project: Callable[[str], Project]) -> None:
    """Where there are no last lines, that is said."""
    with pytest.raises(ProgramError, match=r"left with exit code 3, and printed nothing$"):
        project("import os\nos._exit(3)").run(judge()[0])


def test_no_report(project: Callable[[str], Project]) -> None:
    """An end without a report is a failure; what was said instead of the metric is listed."""
    with pytest.raises(ProgramError, match=r"without a report of 'acc'\. Its last lines:\nhello"):
        project("print('hello')").run(judge()[0])
    with pytest.raises(ProgramError, match=r"without a report of 'acc'\. It printed nothing$"):
        project("").run(judge()[0])
    with pytest.raises(ProgramError, match=r"without a report of 'acc', only of loss, val_acc\."):
        project("""print('{"loss": 1, "val_acc": 0.5}')""").run(judge()[0])


@pytest.mark.parametrize("way", ["printed", "followed"])
def test_the_last_report_counts(project: Callable[[str], Project], way: str) -> None:
    """A program that ends while its report is being judged has reported."""
    told: list[int] = []

    def slow(report: EpochReport) -> Answer:
        time.sleep(0.3)
        told.append(report.epoch)
        return Answer(verdict=Verdict.CONTINUE)

    if way == "printed":
        project("""print('{"acc": 1}')""").run(slow)
    else:
        project("""open("m.csv", "w").write("acc\\n1\\n")""").run(slow, follow="m.csv", run_in="trial")
    assert told == [1]


def test_a_row_that_comes_while_the_one_before_is_judged(project: Callable[[str], Project]) -> None:
    """It counts, though the program has ended before anybody looks again."""
    script = """
        import os, time
        with open("m.csv", "w") as file:
            print("acc\\n1", file=file, flush=True)
            while not os.path.exists("judging"):
                time.sleep(0.01)
            print("2", file=file, flush=True)
    """
    told: list[float] = []

    def slow(report: EpochReport) -> Answer:
        told.append(report.metrics["acc"])
        (made.root / "state" / "3" / "judging").touch()
        time.sleep(0.5)
        return Answer(verdict=Verdict.CONTINUE)

    made = project(script)
    made.run(slow, follow="m.csv", run_in="trial")
    assert told == [1.0, 2.0]


def test_a_silent_script_is_told_of(project: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first minute people are told, with its last lines."""
    monkeypatch.setattr(drive_module, "SILENT_SECONDS", 0.5)
    made = project("""import time\nprint("loading", flush=True)\ntime.sleep(1.5)\nprint('{"acc": 1}')""")
    made.run(judge()[0])
    assert made.said == ["no report after 0.5 s of 'acc'. Its last lines:\nloading"]


def test_not_a_program(project: Callable[[str], Project]) -> None:
    """A command that cannot be started is a failure that says so."""
    with pytest.raises(ProgramError, match=r"exit code 127:\nno-such-program: cannot be started"):
        project("").run(judge()[0], command="no-such-program --x")


def test_an_error_of_the_judge_ends_the_script(project: Callable[[str], Project]) -> None:
    """As a lost coordinator does: the error is passed on when the script has ended."""
    with pytest.raises(ConnectionError, match="gone"):
        project(PRINTING).run(judge(ConnectionError("gone"))[0])


def test_a_killed_worker_leaves_nothing_behind(project: Callable[[str], Project], tmp_path: Path) -> None:
    """The program ends with whoever runs it, and so does what it has started itself."""
    script = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, flush=True)
        time.sleep(600)
    """
    project(script)
    program = f"""
        from pathlib import Path
        from tests.run.script.test_drive import Project, judge
        made = Project(Path({str(tmp_path)!r}), {script!r})
        made.run(judge()[0])
    """
    worker = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with worker:
        assert worker.stdout is not None
        grandchild = int(worker.stdout.readline())
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        end = time.monotonic() + 10
        while lives(grandchild):
            assert time.monotonic() < end
            time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether that process runs."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
