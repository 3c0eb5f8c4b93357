"""The C library's allocator, told to keep what training frees."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT_BYTES = 2**30
_LARGEST_INT = 2**31 - 1


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
