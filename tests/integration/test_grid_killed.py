"""A grid under fire."""

from __future__ import annotations

from tests.integration.processes import Terminal, ended, kill, wait_until, worker_pids
from tests.integration.specs import digits


def test_each_cell_is_trained_exactly_once_though_a_worker_is_killed(terminal: Terminal) -> None:
    """24 cells, 4 workers, one killed at work: 24 ended trials, 24 different cells, none twice, none failed."""
    spec = terminal.write("grid.toml", digits("grid", "grid", 24, epochs=12))
    with terminal.started("study", "run", str(spec), "-n", "4") as run:
        victims: list[int] = []

        def someone_trains() -> bool:
            victims.extend(pid for pid, trial in worker_pids(terminal).items() if trial is not None)
            return bool(victims)

        wait_until(lambda: "running" in terminal.counts("grid"), "a trial runs")
        wait_until(someone_trains, "a worker trains")
        kill(victims[0])
        output = ended(run, 0)
    assert "it is replaced" in output
    study = terminal.study("grid")
    assert len(study.trials) == 24
    assert {trial.state.name for trial in study.trials} <= {"COMPLETE", "PRUNED"}
    assert len({tuple(sorted(trial.params.items())) for trial in study.trials}) == 24
    lost = [row for row in study.attempts if row["ending"] == "lost"]
    assert len(lost) == 1
    assert [row["attempt"] for row in study.attempts if row["trial"] == lost[0]["trial"]] == [1, 2]
