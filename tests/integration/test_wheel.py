"""What is installed from the wheel is what the checkout has."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.integration.processes import REPOSITORY, Terminal


def test_a_shipped_study_is_found_by_name_from_any_directory(terminal: Terminal, tmp_path: Path) -> None:
    """The wheel holds studies and dashboards; installed, it runs a shipped study by its name."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), "."]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    installed = tmp_path / "installed"
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(installed)
    for folder in ("studies", "dashboards"):
        shipped = {path.name for path in (REPOSITORY / folder).glob("*.toml")}
        assert {path.name for path in (installed / "tunefast" / "shipped" / folder).iterdir()} == shipped
    away = Terminal(terminal.directory, {**terminal.environment, "PYTHONPATH": str(installed)})
    away.tunefast("study", "create", "digits_grid")
    assert away.json("study", "list")[0]["study"] == "digits_grid"
