"""The user's own words: create a study, start workers in two terminals, browse stock optuna-dashboard meanwhile."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.integration.processes import Terminal, ended, wait_until
from tests.integration.specs import digits


@contextmanager
def stock_dashboard(database: Path) -> Iterator[str]:
    """Stock ``optuna-dashboard sqlite:///tunefast.db``, as its user starts it; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "optuna-dashboard"), f"sqlite:///{database}", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def asked(url: str) -> Any:
    """The JSON at `url`, or None where nobody answers yet."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310
            return json.load(response)
    except OSError:
        return None


@pytest.mark.parametrize(("sampler", "trials", "epochs"), [("grid", 24, 120), ("tpe", 12, 120)])
def test_two_terminals_train_while_stock_dashboard_shows_the_study_grow(
    terminal: Terminal, sampler: str, trials: int, epochs: int
) -> None:
    """Two `worker start -n 1` share a study exactly, and stock optuna-dashboard shows it growing meanwhile."""
    created = terminal.tunefast(
        "study", "create", str(terminal.write("s.toml", digits("mine", sampler, trials, epochs)))
    )
    assert "tunefast worker start mine -n 1" in created.stdout
    seen: set[int] = set()
    with ExitStack() as stack:
        url = stack.enter_context(stock_dashboard(terminal.database))
        wait_until(lambda: asked(f"{url}/api/studies") is not None, "stock optuna-dashboard answers")
        hosts = [stack.enter_context(terminal.started("worker", "start", "mine", "-n", "1")) for _ in range(2)]

        def all_trials_seen() -> bool:
            page = asked(f"{url}/api/studies/1?after=0")
            seen.add(sum(trial["state"] in ("Complete", "Pruned") for trial in page["trials"]) if page else 0)
            return max(seen) == trials

        wait_until(all_trials_seen, "stock optuna-dashboard shows every trial ended")
        outputs = [ended(host, 0) for host in hosts]
    assert any(0 < count < trials for count in seen), f"the study did not grow before the dashboard's eyes: {seen}"
    assert all("Best val_accuracy" in output for output in outputs)
    study = terminal.study("mine")
    assert len(study.trials) == trials
    assert {row["worker"] for row in study.attempts} == {"w1", "w2"}
    stock = optuna.load_study(study_name="mine", storage=f"sqlite:///{terminal.database}")
    assert study.best is not None
    assert stock.best_value == study.best.value
    if sampler == "grid":
        assert len({tuple(sorted(trial.params.items())) for trial in stock.trials}) == trials
