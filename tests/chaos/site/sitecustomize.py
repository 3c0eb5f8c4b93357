"""Switches safeguards of tunefast off in every process that has this directory in its path: is the checker awake?

``CHAOS_SWITCHED_OFF`` names them: kill, fencing, hashes, lock.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any


def _kill(module: Any) -> None:
    """A coordinator does not kill workers that are silent."""
    if b"tunefast.run.server" in Path("/proc/self/cmdline").read_bytes().split(b"\0"):
        module.kill_group = lambda _pid: None


def _fencing(module: Any) -> None:
    """Whoever speaks for a trial is believed."""
    module.Leases.held = lambda self, study, trial, _token: self._held.get((study, trial))


def _hashes(module: Any) -> None:
    """A checkpoint is believed to be what was written."""
    if module.__name__.endswith("sealed"):
        module._digest = lambda _tensors, _text: "the same"
    else:
        module.Checkpoints._compare = lambda _self, _epoch, _path: None


def _lock(module: Any) -> None:
    """Any number of coordinators may own a database."""
    module.StateDirectory.owning = lambda _self: nullcontext()


SWITCHES: dict[str, dict[str, Callable[[Any], None]]] = {
    "kill": {"tunefast.run.launch.local": _kill},
    "fencing": {"tunefast.run.leases": _fencing},
    "hashes": {"tunefast.train.sealed": _hashes, "tunefast.train.checkpoint": _hashes},
    "lock": {"tunefast.store.ownership": _lock},
}


class _Patching(importlib.abc.MetaPathFinder):
    """Finds modules as everybody does, and patches some when they have been loaded."""

    def __init__(self, patches: dict[str, Callable[[Any], None]]) -> None:
        self._patches = patches

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self._patches:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load, patch = spec.loader.exec_module, self._patches[name]

            def exec_module(module: ModuleType) -> None:
                load(module)
                patch(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


_chosen = [SWITCHES[switch] for switch in os.environ.get("CHAOS_SWITCHED_OFF", "").split(",") if switch]
if _chosen:
    sys.meta_path.insert(0, _Patching({name: patch for patches in _chosen for name, patch in patches.items()}))
