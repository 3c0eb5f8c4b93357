"""How a process that trains is set up, before torch is imported."""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import os
import sys

from tunefast.loading import loading

SPIN_COUNT = "2000"
"""How often GNU's OpenMP looks whether the other threads are done before it lets the core go."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT_BYTES = 2**30
_LARGEST_INT = 2**31 - 1


def prepare_process() -> None:
    """Set this process up for training: memory that it frees stays its own, and threads that wait yield soon."""
    yield_soon()
    keep_freed_memory()


def load_torch() -> None:
    """Import torch and what trains with it; nothing where that was done before."""
    if "torch" not in sys.modules:
        with loading():
            importlib.import_module("tunefast.train.loop")
        atexit.register(gc.unfreeze)  # libraries in there print a complaint if their objects outlive the process


def yield_soon() -> None:
    """Let threads of OpenMP that wait for each other give up their core after a few looks.

    By default they look for milliseconds, and where another process wants the core too, training with two threads took
    up to a hundred times as long; so few looks cost next to nothing on idle cores. Works until torch, or another
    library with OpenMP, is imported. What the environment says already stands.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)


def keep_freed_memory() -> bool:
    """Let this process keep freed memory for its next request; returns whether it does now.

    glibc hands large freed blocks back to the kernel, and pays a page fault for every page of the next one. Training
    steps free and request the same large blocks over and over: for a small network on CPU cores that was a third to a
    half of a step. Costs resident memory: the process stays as large as it ever was. Does nothing without glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES) and mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT))
