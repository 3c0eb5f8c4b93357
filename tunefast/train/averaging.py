"""Averaged weights: a second network that follows the first."""

from __future__ import annotations

import copy
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tunefast.nn.network import Network
from tunefast.recipe.regularize import Averaging


class Average:
    """An exponential moving average of a network's weights, and of its batch statistics.

    torch's own `AveragedModel` asks the device for its count at every step; here it is the step's number. With
    `head_only` the two networks share the backbone, which stays as it is.
    """

    def __init__(self, network: Network, settings: Averaging, *, head_only: bool = False) -> None:
        frozen = {id(network.backbone): network.backbone} if head_only else {}
        self.network = copy.deepcopy(network, frozen)
        self._settings = settings
        mine, yours = (self.network.head, network.head) if head_only else (self.network, network)
        mine.requires_grad_(requires_grad=False)
        self._pairs = list(zip(_tensors(mine), _tensors(yours), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the network after optimizer step `step`, counted from 0 over the whole training."""
        blend = get_ema_multi_avg_fn(self._settings.decay_at(step))  # type: ignore[no-untyped-call]
        moving = [pair for pair in self._pairs if pair[0].is_floating_point()]
        blend([mine for mine, _ in moving], [yours for _, yours in moving], step)
        for mine, yours in self._pairs:
            if not mine.is_floating_point():
                mine.copy_(yours)


def _tensors(network: nn.Module) -> list[Tensor]:
    return list(chain(network.parameters(), network.buffers()))
