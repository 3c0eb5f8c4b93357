"""Importing much, fast."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import modules in the block, of which nothing is garbage: nobody looks for any meanwhile, nor among them later.

    With the last look, as the process ends, that was a quarter to a third of a short command, and of importing torch; a
    look among torch's modules in the midst of training takes 60 ms. What else is there at the block's end, garbage
    too, is kept as well, so that this is for processes of our own, once.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
