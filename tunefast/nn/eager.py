"""torch's optimizers without torch's compiler.

They import it when they are made, and ask for it again with every step, to tell it to leave them alone: a second of
processor time, and memory, in each process that trains, most of which compile nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import torch
from torch.optim import Optimizer


def eager(make: Callable[[], Optimizer]) -> Optimizer:
    """What `make` returns, made, stepped, saved and restored by the same code, without what torch puts around it.

    That is: notes for the compiler, which is not imported, for the profiler, and hooks of steps. Where a release of
    torch wraps these functions in another way, it imports its compiler as ever.
    """
    wrapped = Optimizer.add_param_group
    Optimizer.add_param_group = inspect.unwrap(wrapped)  # type: ignore[method-assign]
    try:
        optimizer = make()
    finally:
        Optimizer.add_param_group = wrapped  # type: ignore[method-assign]
    optimizer.__class__ = _plain(type(optimizer))  # type: ignore[arg-type]
    return optimizer


@functools.cache
def _plain(kind: type[Optimizer]) -> type[Optimizer]:
    """The class of the same name whose methods are those of `kind`, with nothing around them.

    Methods of a class, since functions bound to an optimizer would keep it, and its parameters, in memory.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in ("state_dict", "load_state_dict", "zero_grad")}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)
