"""What others do to the database with stock Optuna while it is worked on."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import optuna
import sqlalchemy as sa

from tests.integration.processes import Terminal, ended, wait_until
from tests.integration.specs import objective
from tunefast.store import tables


def test_a_trial_failed_from_outside_stays_failed_and_stops_nothing_else(terminal: Terminal) -> None:
    """Stock Optuna fails a running trial: it stays failed, its worker goes on with the next, the budget is exact."""
    spec = str(terminal.write("s.toml", objective("out", "paced", 8, pause=0.3)))
    with terminal.started("study", "run", spec, "-n", "2") as run:
        wait_until(lambda: "running" in terminal.counts("out"), "a trial runs")
        stock = optuna.load_study(study_name="out", storage=f"sqlite:///{terminal.database}")
        victim = _failed(stock)
        ended(run, 0)
    study = terminal.study("out")
    assert study.trials[victim].state == optuna.trial.TrialState.FAIL
    assert study.trials[victim].value is None
    assert study.counts == {"complete": 7, "failed": 1}


def _failed(stock: optuna.Study) -> int:
    """The number of a running trial that stock Optuna has failed; on a busy machine one may end before that."""
    while True:
        victim = next(trial.number for trial in stock.get_trials() if not trial.state.is_finished())
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            stock.tell(victim, state=optuna.trial.TrialState.FAIL)
            return victim


def test_a_study_deleted_from_outside_ends_its_run_and_leaves_nothing_of_ours(terminal: Terminal) -> None:
    """Stock Optuna deletes a running study: the run says so and leaves with 1; our rows are gone at the next start."""
    spec = str(terminal.write("s.toml", objective("gone", "paced", 20, pause=0.2)))
    url = f"sqlite:///{terminal.database}"
    with terminal.started("study", "run", spec, "-n", "1") as run:
        wait_until(lambda: "running" in terminal.counts("gone"), "a trial runs")
        optuna.delete_study(study_name="gone", storage=url)
        assert "was deleted meanwhile" in ended(run, 1)
    terminal.tunefast("study", "create", str(terminal.write("n.toml", objective("next", "paced", 1))))
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.studies)).scalar() == 1
        for table in tables.KEYED:
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
        for table_name in ("trials", "trial_params", "trial_intermediate_values", "trial_values"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table_name}").scalar() == 0, table_name  # noqa: S608
    engine.dispose()


def test_stock_command_line_reads_a_running_study(terminal: Terminal) -> None:
    """`optuna trials` lists the trials of a study while tunefast works on it."""
    spec = str(terminal.write("s.toml", objective("stock", "paced", 1, epochs=1000, pause=0.2)))
    command = [str(Path(sys.executable).parent / "optuna"), "trials", "--study-name", "stock", "-f", "json"]
    with terminal.started("study", "run", spec, "-n", "1") as run:
        wait_until(lambda: "running" in terminal.counts("stock"), "a trial runs")
        url = f"sqlite:///{terminal.database}"
        listed = subprocess.run([*command, "--storage", url], capture_output=True, text=True, check=True)
        run.terminate()
        ended(run, 143)
    assert "RUNNING" in listed.stdout


def test_a_trial_enqueued_from_outside_is_trained(terminal: Terminal) -> None:
    """What stock Optuna enqueues is the next trial, with the parameters given."""
    spec = str(terminal.write("s.toml", objective("queue", "paced", 3)))
    terminal.tunefast("study", "create", spec)
    stock = optuna.load_study(study_name="queue", storage=f"sqlite:///{terminal.database}")
    stock.enqueue_trial({"params.x": 0.125})
    terminal.tunefast("study", "run", "queue", "-n", "1")
    study = terminal.study("queue")
    assert study.trials[0].params == {"params.x": 0.125}
    assert study.counts == {"complete": 3}
