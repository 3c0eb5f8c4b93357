"""A network that torch.compile made faster, which knows how long that took."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn

from tunefast.nn.trees import Tree

COMPILED_SHAPES = 256
"""Shapes and models for which a worker keeps compiled code; torch's own limit is 8, and the ninth runs uncompiled."""


class Compiled:
    """`module`, compiled when it is first called, and again for shapes that its code does not take."""

    def __init__(self, module: nn.Module) -> None:
        torch._dynamo.config.recompile_limit = COMPILED_SHAPES  # noqa: SLF001  its documented place
        self._module = torch.compile(module)
        self.seconds = 0.0
        """Spent in calls during which something was compiled."""

    def __call__(self, inputs: Tree) -> Any:
        """The module's outputs."""
        before, started = _num_graphs(), time.perf_counter()
        outputs = self._module(inputs)
        if _num_graphs() != before:
            self.seconds += time.perf_counter() - started
        return outputs


def _num_graphs() -> int:
    """How many graphs this process has compiled."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])  # noqa: SLF001  what torch's own tests count by
