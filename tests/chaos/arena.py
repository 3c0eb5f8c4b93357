"""The arena: a directory with a study in it, and the command that works on that."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tunefast.errors import TunefastError
from tunefast.run.commands import list_workers
from tunefast.store.ownership import StateDirectory
from tunefast.store.snapshot import StudySnapshot, snapshot

NAME = "chaos"
EPOCHS = 8
PACE_SECONDS = 0.1
LEASE_SECONDS = 2.0
SPEC = """
[study]
name = "chaos"
metric = "val_loss"
sampler = {{ name = "random" }}
pruner = {{ name = "none" }}
[budget]
trials = {trials}
[trial]
checkpoint_seconds = 0.05
lease_seconds = {lease}
[recipe]
epochs = {epochs}
data = {{ name = "digits", fraction = 0.3 }}
model = {{ name = "mlp", width = 16, depth = 1, dropout = 0.1 }}
optimizer = {{ name = "adamw" }}
metrics = [{{ path = "tests.chaos.parts:paced", options = {{ seconds = {pace} }} }}]
[space]
"optimizer.lr" = {{ low = 1e-4, high = 1e-1, log = true }}
batch_size = {{ choices = [16, 32, 64] }}
"""


@dataclass
class Arena:
    """Where a study is run under faults."""

    directory: Path
    trials: int
    workers: int
    environment: dict[str, str] = field(default_factory=dict)
    pace: float = PACE_SECONDS
    """Seconds that an epoch lasts, at least."""

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "run").mkdir(mode=0o700, exist_ok=True)
        text = SPEC.format(trials=self.trials, epochs=EPOCHS, pace=self.pace, lease=LEASE_SECONDS)
        (self.directory / "chaos.toml").write_text(text, encoding="utf-8")

    @property
    def database(self) -> Path:
        """The study's database."""
        return self.directory / "tunefast.db"

    @property
    def state(self) -> StateDirectory:
        """What lies beside it."""
        return StateDirectory(self.database)

    def started(self, *, workers: int | None = None) -> subprocess.Popen[bytes]:
        """The command that works on the study, in the background; what it says goes to ``said.txt``."""
        command = [sys.executable, "-m", "tunefast", "study", "run", "chaos.toml", "-n", str(workers or self.workers)]
        path = os.pathsep.join(filter(None, [self.environment.get("PYTHONPATH"), str(REPOSITORY)]))
        runtime = {"XDG_RUNTIME_DIR": str(self.directory / "run"), "PYTHONPATH": path, "COLUMNS": "80"}
        with (self.directory / "said.txt").open("ab") as said:
            return subprocess.Popen(
                command,
                cwd=self.directory,
                env={**os.environ, **self.environment, **runtime},
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def study(self) -> StudySnapshot:
        """The study as it is now."""
        return snapshot(self.database, NAME)

    def states(self) -> dict[str, int]:
        """Trials by Optuna's states; none while there is no study, or somebody locks it."""
        url = f"file:{self.database}?mode=ro"
        try:
            with closing(sqlite3.connect(url, uri=True, timeout=0.1)) as connection:
                return dict(connection.execute("SELECT state, count(*) FROM trials GROUP BY state"))
        except sqlite3.Error:
            return {}

    def num_ended(self) -> int:
        """Trials that have ended, however."""
        states = self.states()
        return sum(states.values()) - states.get("RUNNING", 0) - states.get("WAITING", 0)

    def processes(self) -> dict[str, Any]:
        """The coordinator and its workers, as they say themselves; none where nobody answers."""
        try:
            return list_workers(self.database)
        except (TunefastError, OSError):
            return {"coordinator": None, "workers": []}

    def checkpoints(self, trial: int) -> list[Path]:
        """A trial's checkpoints, oldest first."""
        return sorted(self.state.path.glob(f"trials/*/{trial}/checkpoints/epoch-*.safetensors"))

    def logs(self) -> dict[int, str]:
        """What each trial's attempts wrote, one after the other."""
        places = self.state.path.glob("trials/*/*/log.txt")
        return {int(place.parent.name): place.read_text(encoding="utf-8", errors="replace") for place in places}

    def left_behind(self) -> list[str]:
        """Processes and temporary files of the study that are still there."""
        places = *self.state.path.rglob(".*"), *(self.directory / "run").rglob("*.sock")
        found = [str(path) for path in places]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                here = (process / "cwd").readlink() == self.directory
            except OSError:
                continue
            if here and b"-m" in words and any(word.startswith(b"tunefast") for word in words):
                found.append(b" ".join(words).decode())
        return found
