"""Being a user who may read a database, but not work on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
"""The user without rights."""


@contextmanager
def shut_out_of(directory: Path) -> Iterator[None]:
    """Be a user who may not enter a directory: another one, or who is no superuser without the right to."""
    me = os.geteuid()
    if me:
        directory.chmod(0)
    else:
        for above in directory.parents:
            above.chmod(above.stat().st_mode | 0o011)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)
        directory.chmod(0o700)
