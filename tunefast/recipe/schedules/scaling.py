"""How the learning rate follows the batch size."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from tunefast.recipe.part import Part


class LrScaling(Part):
    """A learning rate that grows with the effective batch size: samples a step, over all accumulated batches.

    Costs nothing; buys one rate that fits many batch sizes, so that the two can be searched apart; hurts at very large
    batches, where no rate keeps up, and at the start of training, for which a warm-up of about 5 epochs is advised.
    Source: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, for linear; Krizhevsky,
    "One weird trick for parallelizing convolutional neural networks", 2014, and Hoffer et al., "Train longer,
    generalize better", NIPS 2017, for sqrt, which also suits Adam.
    """

    rule: Literal["linear", "sqrt"] = "linear"
    """Whether the rate grows as the batch size (the step per sample stays) or as its root (the noise stays)."""
    base_batch_size: int = Field(256, ge=1)
    """The effective batch size at which the optimizer's learning rate is used as it is."""

    def factor(self, effective_batch_size: int) -> float:
        """What the learning rate is multiplied with at `effective_batch_size` samples an optimizer step."""
        ratio = effective_batch_size / self.base_batch_size
        return ratio if self.rule == "linear" else math.sqrt(ratio)
