"""The command line starts fast: what it does not need it does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "torchvision", "plotly", "sklearn", "scipy", "pandas", "pyarrow", "optuna_dashboard")
PROBE = """
import sys
from tunefast.cli.app import main
sys.argv = ["tunefast", *{arguments!r}]
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
print("LOADED", [name for name in {heavy!r} if name in sys.modules])
"""
CREATE = '[budget]\ntrials = 1\n[recipe]\nepochs = 1\ndata = { name = "digits" }\n'


@pytest.mark.parametrize(
    "arguments", [["--help"], ["study", "list"], ["study", "show", "s"], ["explain"], ["schema"], ["study", "--help"]]
)
def test_commands_that_train_nothing_load_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    """Neither torch nor plotly nor scikit-learn is imported."""
    (tmp_path / "s.toml").write_text(CREATE)
    create = [sys.executable, "-m", "tunefast", "study", "create", "s.toml"]
    subprocess.run(create, cwd=tmp_path, check=True, capture_output=True)
    probe = PROBE.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("LOADED []")
