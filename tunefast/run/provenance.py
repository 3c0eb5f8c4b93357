"""Where a trial's numbers come from: versions, machine, commit."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("tunefast", "torch", "torchvision", "optuna", "numpy")


def provenance() -> dict[str, Any]:
    """What is kept with every attempt: package versions, Python, host, the git commit of the working directory."""
    commit = _git("rev-parse", "HEAD")
    return {
        "versions": {package: _version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "host": platform.node(),
        "commit": commit,
        "dirty": bool(_git("status", "--porcelain")) if commit else None,
    }


def in_words(provenance: Mapping[str, Any]) -> str:
    """A line for people: host, commit, versions."""
    host, tree, *versions = facts(provenance)
    return f"{host}; {tree}; {', '.join(versions)}"


def facts(provenance: Mapping[str, Any]) -> list[str]:
    """For people: host, commit, versions."""
    versions = [f"{name} {version}" for name, version in provenance.get("versions", {}).items() if version]
    commit = provenance.get("commit")
    tree = f"commit {commit[:10]}{' with changes' if provenance.get('dirty') else ''}" if commit else "no git"
    return [str(provenance.get("host", "?")), tree, *versions, f"Python {provenance.get('python', '?')}"]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """What git says, or None where there is no git or no repository."""
    try:
        result = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
