"""Optimizers: how a step is taken once the gradients are there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from tunefast.recipe.part import Part

if TYPE_CHECKING:
    import torch

Betas = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]], Field(strict=False)]


class OptimizerPart(Part):
    """Options that all optimizers share."""

    lr: float = Field(gt=0)
    """Learning rate: the step size at the top of the schedule."""
    weight_decay: float = Field(0.0, ge=0)
    """Pull of every weight towards zero; decoupled from the gradient in adamw, added to it in the others."""


class SGD(OptimizerPart):
    """Stochastic gradient descent, with momentum and Nesterov's look-ahead.

    Buys the best final accuracy on many image models for one buffer per weight; costs a careful learning rate.
    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
    """

    name: Literal["sgd"] = "sgd"
    lr: float = Field(0.1, gt=0)
    """Learning rate: the step size at the top of the schedule."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Share of the last step that is taken again."""
    nesterov: bool = False
    """Evaluate the momentum step before taking it; needs momentum > 0."""

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SGD:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov = true needs momentum > 0")
        return self

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimizer over `parameters`, fused where the device has it."""
        import torch

        return torch.optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=True,
        )


class Adam(OptimizerPart):
    """Adam: a step size per weight from running means of the gradient and its square.

    Buys fast progress with little tuning; costs two buffers per weight, and weight decay that is scaled away.
    Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    name: Literal["adam"] = "adam"
    lr: float = Field(1e-3, gt=0)
    """Learning rate: the step size at the top of the schedule."""
    betas: Betas = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimizer over `parameters`, fused where the device has it."""
        import torch

        return torch.optim.Adam(
            parameters, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=True
        )


class AdamW(OptimizerPart):
    """Adam with weight decay apart from the gradient.

    Buys a weight decay that means the same at every learning rate; costs what Adam costs.
    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    name: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    """Learning rate: the step size at the top of the schedule."""
    weight_decay: float = Field(0.01, ge=0)
    """Pull of every weight towards zero, per step and times the learning rate."""
    betas: Betas = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimizer over `parameters`, fused where the device has it."""
        import torch

        return torch.optim.AdamW(
            parameters, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=True
        )


Optimizer = Annotated[SGD | Adam | AdamW, Field(discriminator="name")]
