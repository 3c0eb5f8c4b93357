"""Transfer learning: which part of a network trains, from when on, and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from tunefast.recipe.part import Part

if TYPE_CHECKING:
    from torch import nn

    from tunefast.nn.network import Network


class Transfer(Part):
    """Keeps pretrained layers as they are, for all of the training or its beginning.

    Buys most of the time of a training: a frozen backbone needs no backward pass, and without random augmentation its
    features are computed once. Helps on small data sets that look like those of the weights; loses where they do not,
    the more the later layers are frozen (Yosinski et al. 2014, How transferable are features in deep neural networks?,
    arXiv 1411.1792), and makes no sense with random weights. Frozen batch norm keeps its statistics.
    """

    freeze: Literal["none", "backbone", "blocks"] = "none"
    """What does not train: nothing, all but the head ("backbone"), or all but the head and the last `train_blocks`
    blocks of the backbone ("blocks")."""
    train_blocks: int = Field(0, ge=0)
    """With freeze = "blocks": blocks at the backbone's end that train, such as the stages of a ResNet."""
    unfreeze_epoch: int | None = Field(None, ge=2)
    """The epoch, counted from 1, from which on everything trains; by default what is frozen stays so. The head has
    learnt by then, and its first errors cannot spoil the backbone (Kumar et al. 2022, arXiv 2202.10054)."""
    backbone_lr_factor: float = Field(1.0, gt=0)
    """Learning rate of the backbone as a share of the head's; below 1 pretrained layers change less (Howard and Ruder
    2018, arXiv 1801.06146)."""

    @model_validator(mode="after")
    def _nothing_is_set_in_vain(self) -> Transfer:
        if self.train_blocks > 0 and self.freeze != "blocks":
            raise ValueError(
                f'train_blocks = {self.train_blocks} goes with freeze = "blocks", and it is {self.freeze!r}'
            )
        if self.unfreeze_epoch is not None and self.freeze == "none":
            raise ValueError(f'unfreeze_epoch = {self.unfreeze_epoch}: nothing is frozen, freeze is "none"')
        return self

    @property
    def caches_features(self) -> bool:
        """Whether the whole backbone is frozen for the whole training, so that features never change."""
        whole = self.freeze == "backbone" or (self.freeze == "blocks" and self.train_blocks == 0)
        return whole and self.unfreeze_epoch is None

    def check(self, network: Network) -> None:
        """Raise `ValueError` where `network` has not more blocks than are to train, or no head that would train."""
        if self.freeze != "none" and next(network.head.parameters(), None) is None:
            problem = "the model does not tell its head: return a tunefast.nn.network.Network(backbone, head)"
            raise ValueError(f"transfer.freeze = {self.freeze!r}: {problem}")
        num_blocks = len(network.blocks())
        if self.train_blocks >= max(num_blocks, 1):
            problem = f"the model has {num_blocks} blocks, so nothing of its backbone would be frozen"
            raise ValueError(f"transfer.train_blocks = {self.train_blocks}: {problem}")

    def frozen_modules(self, network: Network, epoch: int) -> list[nn.Module]:
        """The parts of `network` that do not train in `epoch`, counted from 1: the backbone, or its first blocks."""
        if self.freeze == "none" or (self.unfreeze_epoch is not None and epoch >= self.unfreeze_epoch):
            return []
        if self.freeze == "backbone" or self.train_blocks == 0:
            return [network.backbone]
        return network.blocks()[: -self.train_blocks]

    def apply(self, network: Network, epoch: int) -> None:
        """Freeze what does not train in `epoch`, and let the rest train.

        Frozen parameters need no gradient, and frozen modules are in evaluation mode: batch norm keeps its statistics,
        dropout is off. `network.train()` undoes the latter, so this has to follow it in each epoch. An optimizer leaves
        a frozen parameter bit for bit as it is, weight decay included, as long as its gradient is None.
        """
        frozen = self.frozen_modules(network, epoch)
        trained = set(network.parameters())
        if frozen:
            trained = set(network.head.parameters())
            if frozen[0] is not network.backbone:
                for block in network.blocks()[-self.train_blocks :]:
                    trained.update(block.parameters())
        for parameter in network.parameters():
            parameter.requires_grad_(parameter in trained)
        for module in frozen:
            module.eval()
