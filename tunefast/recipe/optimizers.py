"""Optimizers: how a step is taken once the gradients are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from tunefast.recipe.own import OwnPart
from tunefast.recipe.part import Part

if TYPE_CHECKING:
    import torch

Betas = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]], Field(strict=False)]
FUSED_DEVICES = frozenset({"cpu", "cuda"})
"""Where torch has all fused kernels that are asked for here; elsewhere it chooses itself."""
_OURS = ("name", "decay_norm_and_bias")
"""Options that torch's optimizers do not know."""


class OptimizerPart(Part):
    """Options that all optimizers share."""

    lr: float = Field(gt=0)
    """Learning rate: the step size at the top of the schedule."""
    weight_decay: float = Field(0.0, ge=0)
    """Pull of every weight towards zero; decoupled from the gradient in adamw and muon, added to it in the others."""
    decay_norm_and_bias: bool = True
    """Whether biases and the scales of normalisation layers decay too; recipes for large image models exempt them."""

    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """The torch optimizer over `groups`, with fused kernels where torch has them for the parameters' device.

        Each group has "params", a list of parameters, and may have an "lr" and a "weight_decay" of its own. Each group
        of the result has its rate at the top of the schedule as "initial_lr". The given groups are left as they are.
        """
        optimizer = self._made([dict(group) for group in groups])
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

    def _made(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        from tunefast.nn.eager import eager

        return eager(lambda: self._over(groups))

    def _over(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        raise NotImplementedError

    def _options(self) -> dict[str, Any]:
        """What torch's optimizer is told, under its own names."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in _OURS}


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

    def _over(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(groups, **self._options(), fused=_fused(groups))


class Adagrad(OptimizerPart):
    """Adagrad: a step size per weight that shrinks with the sum of all its squared gradients.

    Buys large steps for weights that seldom get a gradient, for one buffer per weight; hurts in long training, since
    the sum only grows, and with it every step shrinks towards nothing.
    Source: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    JMLR 2011.
    """

    name: Literal["adagrad"] = "adagrad"
    lr: float = Field(0.01, gt=0)
    """Learning rate: the step size at the top of the schedule."""
    initial_accumulator_value: float = Field(0.0, ge=0)
    """What the sum of squares starts with; above 0 it tempers the first steps."""
    eps: float = Field(1e-10, gt=0)
    """Added to the denominator."""

    def _over(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adagrad(groups, **self._options(), fused=_fused(groups))


class RMSprop(OptimizerPart):
    """RMSprop: a step size per weight from the running mean of its squared gradient.

    Buys progress on badly scaled problems for one buffer per weight (momentum and centring take one more each); costs
    what Adam's bias correction saves, unsteady first steps. Source: Tieleman and Hinton, "Lecture 6.5 - RMSProp", 2012;
    centred: Graves, "Generating sequences with recurrent neural networks", 2013.
    """

    name: Literal["rmsprop"] = "rmsprop"
    lr: float = Field(0.01, gt=0)
    """Learning rate: the step size at the top of the schedule."""
    alpha: float = Field(0.99, ge=0, lt=1)
    """Decay of the running mean of the squared gradient."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Share of the last step that is taken again."""
    centered: bool = False
    """Divide by the gradient's estimated deviation rather than by its size."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""

    def _over(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.RMSprop(groups, **self._options())


class AdamPart(OptimizerPart):
    """Options that Adam and AdamW share."""

    lr: float = Field(1e-3, gt=0)
    """Learning rate: the step size at the top of the schedule."""
    betas: Betas = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""
    amsgrad: bool = False
    """Divide by the largest mean square so far, which mends cases where Adam does not converge, for a third buffer."""


class Adam(AdamPart):
    """Adam: a step size per weight from running means of the gradient and its square.

    Buys fast progress with little tuning; costs two buffers per weight, and weight decay that is scaled away.
    Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; amsgrad: Reddi, Kale and Kumar, "On
    the convergence of Adam and beyond", ICLR 2018.
    """

    name: Literal["adam"] = "adam"

    def _over(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adam(groups, **self._options(), fused=_fused(groups))


class AdamW(AdamPart):
    """Adam with weight decay apart from the gradient.

    Buys a weight decay that means the same at every learning rate; costs what Adam costs.
    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    name: Literal["adamw"] = "adamw"
    weight_decay: float = Field(0.01, ge=0)
    """Pull of every weight towards zero, per step and times the learning rate."""

    def _over(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(groups, **self._options(), fused=_fused(groups))


class Muon(OptimizerPart):
    """Muon: momentum made orthogonal for the hidden weights, with AdamW for biases, norms and the last layer.

    Buys fewer epochs to the same accuracy than SGD or AdamW, for one buffer per hidden weight; costs about 15 products
    of matrices per weight and step, which is little beside a large batch and much beside a small one, and a second rate
    to tune; hurts where most weights are in embeddings or the last layer.
    Source: Keller Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    """

    name: Literal["muon"] = "muon"
    lr: float = Field(0.02, gt=0)
    """Learning rate of the hidden weights: the step size at the top of the schedule."""
    momentum: float = Field(0.95, ge=0, lt=1)
    """Decay of the running mean of the gradient."""
    nesterov: bool = True
    """Mix the gradient once more into the running mean before it is made orthogonal."""
    ns_steps: int = Field(5, ge=1, lt=100)
    """Steps of the Newton-Schulz iteration that makes a matrix orthogonal."""
    adjust_lr: Literal["original", "match_rms_adamw", "spectral_unclamped"] = "original"
    """How the rate follows a matrix's shape: sqrt(max(1, rows / columns)), 0.2 sqrt(max(rows, columns)) for rates that
    are as large as AdamW's (Liu et al., "Muon is scalable for LLM training", 2025), or sqrt(rows / columns).
    """
    adamw_lr: float = Field(3e-4, gt=0)
    """Learning rate of all other parameters at the top of the schedule, which moves both."""
    betas: Betas = (0.9, 0.999)
    """AdamW's decay of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to AdamW's denominator."""

    def _over(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Groups with "head" = true are the last layer's; an "lr" of a group's own scales `adamw_lr` alike."""
        from tunefast.nn import muon

        return muon.Muon(groups, **self._options())


class OwnOptimizer(OwnPart, OptimizerPart):
    """An optimizer of your own: a class like torch's at ``package.module:name``.

    It is called with groups of parameters, each with its "lr" and "weight_decay", which is 0 unless `weight_decay` says
    otherwise, and with `lr` and `options`; schedules move the groups' rates, and their "momentum" or "betas" where they
    have them.
    """

    name: Literal["own"] = "own"
    path: str = OwnPart.at("torch.optim:NAdam")
    """Dotted path of the class, ``my_package.my_module:MyOptimizer``."""
    lr: float = Field(1e-3, gt=0)
    """Learning rate: the step size at the top of the schedule."""

    @model_validator(mode="after")
    def _groups_have_it(self) -> OwnOptimizer:
        for name in ("lr", "weight_decay"):
            if name in self.options:
                raise ValueError(f"options.{name}: set optimizer.{name}, which every group of parameters gets")
        return self

    def _made(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """With all that torch puts around its steps: hooks may be among it."""
        import torch

        optimizer = self.made(groups, lr=self.lr)
        if not isinstance(optimizer, torch.optim.Optimizer):
            kind = type(optimizer).__name__
            raise ValueError(f"optimizer {self.path!r} made {kind}, not a torch.optim.Optimizer")  # noqa: TRY004
        return optimizer


def _fused(groups: list[dict[str, Any]]) -> bool | None:
    """Whether to ask for fused kernels; None leaves the choice between foreach and a loop to torch."""
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    return True if devices <= FUSED_DEVICES else None


Optimizer = Annotated[SGD | Adagrad | RMSprop | Adam | AdamW | Muon | OwnOptimizer, Field(discriminator="name")]
