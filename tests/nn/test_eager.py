"""Optimizers without torch's compiler around them."""

from __future__ import annotations

import gc
import weakref
from functools import partial

import torch
from torch import nn

from tunefast.nn.eager import eager


def test_an_optimizer_goes_with_its_last_user() -> None:
    """Nothing keeps an optimizer, and the weights that it moves, until garbage is collected."""
    layer = nn.Linear(2, 2)
    optimizer = eager(partial(torch.optim.AdamW, list(layer.parameters())))
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    gone = weakref.ref(optimizer), weakref.ref(layer.weight)
    gc.disable()
    try:
        del optimizer, layer
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()


def test_it_is_one_of_its_kind() -> None:
    """Its class has the name of torch's and descends from it; two optimizers of a kind have one class."""
    one, other = (eager(lambda: torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)) for _ in range(2))
    assert isinstance(one, torch.optim.SGD)
    assert type(one) is type(other)
    assert type(one).__name__ == "SGD"
    assert type(torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)) is torch.optim.SGD
