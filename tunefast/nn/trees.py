"""Trees: what a batch may consist of, a tensor, or a tuple or dict of trees; all tensors have a row for each sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

Tree = Any
"""A tensor [n, ...], or a tuple or a dict of trees."""


def mapped(function: Callable[[Tensor], Any], tree: Tree) -> Any:
    """The tree of what `function` makes of each tensor."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return {name: mapped(function, branch) for name, branch in tree.items()}
    return tuple(mapped(function, branch) for branch in tree)


def first_leaf(tree: Tree) -> Tensor:
    """The first tensor of a tree; it has as many rows as the others."""
    while not isinstance(tree, Tensor):
        tree = next(iter(tree.values() if isinstance(tree, Mapping) else tree))
    return tree


def described(tree: Any) -> str:
    """Types and shapes, for people."""
    if isinstance(tree, Tensor):
        return f"{str(tree.dtype).removeprefix('torch.')} {list(tree.shape)}"
    if isinstance(tree, Mapping):
        return "{" + ", ".join(f"{name}: {described(branch)}" for name, branch in tree.items()) + "}"
    if isinstance(tree, tuple | list):
        return "(" + ", ".join(map(described, tree)) + ")"
    return type(tree).__name__


class Called(nn.Module):
    """``module(x)`` of a tensor, ``module(*x)`` of a tuple, ``module(**x)`` of a dict."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tree) -> Any:
        """What the module makes of a batch."""
        if isinstance(inputs, Tensor):
            return self.module(inputs)
        return self.module(**inputs) if isinstance(inputs, Mapping) else self.module(*inputs)
