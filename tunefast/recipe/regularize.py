"""Regularisation that acts on weights and gradients: penalties, clipping, averaging.

Weight decay is an option of the optimizer, dropout and batch norm are options of the model, label smoothing is one of
the loss, mixup and cutmix are options of the augmentation.
"""

from __future__ import annotations

from pydantic import Field

from tunefast.recipe.part import Part


class Penalty(Part):
    """Costs of large weights, added to the loss once an optimizer step.

    L2 pulls all weights towards zero in proportion to their size, L1 by a constant, so that many end there. Costs a
    pass over the weights; buys generalisation with optimizers that have no decoupled weight decay, and sparsity (L1);
    hurts beside weight decay, which does the same again. The reported loss is without it, so that trials can be
    compared.
    Source: Goodfellow et al., "Deep learning", 2016, section 7.1.
    """

    l1: float = Field(0.0, ge=0)
    """Times the sum of the weights' absolute values."""
    l2: float = Field(0.0, ge=0)
    """Times half the sum of the weights' squares, so that its gradient is l2 x weight."""


class Clipping(Part):
    """Limits on the gradient, applied once an optimizer step, after accumulation and unscaling.

    Costs a pass over the gradients; buys survival of single bad batches at large learning rates; hurts when it is so
    tight that every step is cut, since the learning rate then means something else.
    Source: Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013.
    """

    norm: float | None = Field(None, gt=0)
    """Largest norm of the whole gradient; longer ones are scaled down to it."""
    value: float | None = Field(None, gt=0)
    """Largest size of each single entry, applied before `norm`."""


class Averaging(Part):
    """An exponential moving average of the weights, which is what is evaluated and kept.

    Costs a copy of the weights and a pass over them a step; buys the accuracy of a lower learning rate without waiting
    for it; hurts when training is so short that the average lags behind. Source: Polyak and Juditsky, "Acceleration of
    stochastic approximation by averaging", 1992; Tarvainen and Valpola, "Mean teachers", NIPS 2017.
    """

    decay: float = Field(0.99, gt=0, lt=1)
    """Share of the old average that a step keeps; about 1 / (1 - decay) steps are averaged."""

    def decay_at(self, step: int) -> float:
        """The share kept at `step`, counted from 0: smaller at first, so that the untrained weights are forgotten."""
        return min(self.decay, (1 + step) / (10 + step))
