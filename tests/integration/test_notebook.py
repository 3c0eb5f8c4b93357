"""Studies from Python, as in a notebook: in a process in which an event loop runs already."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys

import pytest

from tests.integration.processes import REPOSITORY, Terminal, wait_until
from tests.integration.specs import objective

NOTEBOOK = REPOSITORY / "examples" / "notebook.ipynb"
KERNEL = """
import ast, asyncio, json, sys

async def main():
    names = {"__name__": "__main__"}
    for cell in json.loads(sys.stdin.read()):
        *body, last = ast.parse(cell).body
        if not isinstance(last, ast.Expr):
            body.append(last)
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            print(shown._repr_html_() if hasattr(shown, "_repr_html_") else repr(shown), flush=True)

asyncio.run(main())
"""
"""Runs cells in order in one namespace under a running loop, and shows the value of a last expression: like Jupyter."""


def kernel(terminal: Terminal, *cells: str) -> subprocess.Popen[str]:
    """A process that runs these cells."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", KERNEL],
        cwd=terminal.directory,
        env=terminal._environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(cells))
    process.stdin.close()
    process.stdin = None
    return process


def run(terminal: Terminal, *cells: str) -> str:
    """What these cells show; none may fail."""
    with kernel(terminal, *cells) as process:
        output, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    return output


def test_a_study_runs_under_a_running_loop(terminal: Terminal) -> None:
    """From plain data, a file and a name; what was begun goes on, and the result shows itself."""
    terminal.write("s.toml", objective("s", "paced", 3))
    shown = run(
        terminal,
        "import tomllib, tunefast",
        "tunefast.run(tomllib.load(open('s.toml', 'rb')), workers=1)",
        "from pathlib import Path; tunefast.run(Path('s.toml'), workers=1).best.trial",
        "tunefast.run('s', workers=1).best.value == tunefast.open('s').best.value",
    )
    assert "<th>trials</th><td>3 complete</td>" in shown
    assert shown.endswith("True\n")
    assert terminal.counts("s") == {"complete": 3}


def test_another_spec_of_the_same_name_is_refused(terminal: Terminal) -> None:
    """But for the budget, of which the stored one counts, with a warning."""
    terminal.write("s.toml", objective("s", "paced", 2))
    terminal.write("more.toml", objective("s", "paced", 4))
    terminal.write("other.toml", objective("s", "paced", 2, epochs=5))
    shown = run(
        terminal,
        "import tunefast, warnings; warnings.simplefilter('always')",
        "tunefast.run('s.toml', workers=1).snapshot.counts",
        "with warnings.catch_warnings(record=True) as said:\n    tunefast.run('more.toml', workers=1)",
        "str(said[0].message), said[0].filename",
        "try:\n    tunefast.run('other.toml')\nexcept tunefast.UserError as error:\n    said = error",
        "str(said)",
    )
    assert "the stored budget counts (budget.trials: stored 2, file 4)" in shown
    assert "'cell'" in shown
    assert "exists already with another spec" in shown
    assert terminal.counts("s") == {"complete": 2}


def test_stopping_a_cell_lets_trials_end_their_epoch(terminal: Terminal) -> None:
    """The cell raises KeyboardInterrupt once the workers have left; no trial fails, and the same call goes on."""
    terminal.write("s.toml", objective("s", "paced", 6, pause=0.2))
    cell = "try:\n    tunefast.run('s.toml', workers=1)\nexcept KeyboardInterrupt:\n    print('stopped')"
    with kernel(terminal, "import tunefast", cell, "'next cell'") as process:
        wait_until(lambda: terminal.counts("s").get("complete", 0) >= 1, "a trial is complete")
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=60)
    assert output == "stopped\n'next cell'\n", error
    assert "stopping at the next epoch end" in error
    assert terminal.json("worker", "list")["workers"] == []
    assert set(terminal.counts("s")) <= {"complete", "waiting"}
    run(terminal, "import tunefast", "tunefast.run('s', workers=1)")
    assert terminal.counts("s") == {"complete": 6}


def test_packages_are_called_like_functions(terminal: Terminal) -> None:
    """`tunefast.run` and `tunefast.train` stay what they are, whichever module was imported before."""
    shown = run(
        terminal,
        "import inspect, tunefast, tunefast.run.host, tunefast.train.loop",
        "import tunefast.api as api",
        "assert inspect.signature(tunefast.run) == inspect.signature(api.run)",
        "inspect.isgenerator(tunefast.train(None, 0, None)), tunefast.run is tunefast.run",
    )
    assert shown == "(True, True)\n"


@pytest.mark.slow
def test_the_example_notebook(terminal: Terminal) -> None:
    """Its cells run in order, and the accuracy is good."""
    if importlib.util.find_spec("pandas") is None:
        pytest.skip("pandas is not installed")
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    shown = run(terminal, *("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
    assert "<th>study</th><td>notebook</td>" in shown
    assert "notebook: Learning curves" in shown
    best = terminal.study("notebook").best
    assert best is not None
    assert best.value is not None
    assert best.value > 0.9


def test_the_example_notebook_holds_no_output() -> None:
    """It is kept as it was written: no result of somebody's machine."""
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
