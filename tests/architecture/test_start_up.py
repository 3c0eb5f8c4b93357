"""The command line starts fast: what it does not need it does not load."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from tunefast.loading import loading

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


LOADED = """
import gc
looks = []
gc.callbacks.append(lambda phase, info: looks.append(phase))
import tunefast.loading
{before}
gc.set_threshold(10_000)  # so that what is compiled before the block begins makes no look due; the block has far more
gc.collect()
looks.clear()
{load}
assert not looks, looks
assert gc.isenabled()
assert gc.get_freeze_count() > 50_000
"""


@pytest.mark.parametrize(
    ("before", "load"),
    [("", "import tunefast.__main__"), ("from tunefast.train.process import load_torch", "load_torch()")],
)
def test_nobody_looks_for_garbage_among_modules(before: str, load: str) -> None:
    """Not while the command line is loaded, or torch for a training, and not later; for other garbage again."""
    program = LOADED.format(before=before, load=load)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_import_that_fails() -> None:
    """Garbage is looked for again."""
    was = gc.get_freeze_count()
    try:
        with pytest.raises(ImportError), loading():
            raise ImportError("none")
        assert gc.isenabled()
    finally:
        if not was:
            gc.unfreeze()
