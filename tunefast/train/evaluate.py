"""Loss and metrics of a model over samples it does not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tunefast.nn.trees import Tree
from tunefast.recipe.losses import LossPart
from tunefast.recipe.metrics import Metric, OwnMetric, compute
from tunefast.recipe.precision import Precision, autocast, fp32_products
from tunefast.train.datasets import Batch, Samples
from tunefast.train.outputs import as_float
from tunefast.train.preparing import Preparation
from tunefast.train.pulse import PULSE

EVAL_BATCH_SIZE = 1000
EVAL_BATCH_VALUES = 2**22
"""Numbers in one batch of evaluation at most: 1,000 small images, or some 28 of 224 pixels."""


def eval_batch_size(samples: Samples, preparation: Preparation) -> int:
    """Samples that are evaluated at once, by the size that they are prepared to."""
    num_values = math.prod(preparation.prepared_shape(samples.inputs.shape[1:]))
    return max(1, min(EVAL_BATCH_SIZE, EVAL_BATCH_VALUES // max(1, num_values)))


def chunks(samples: Samples, preparation: Preparation, device: torch.device) -> list[Callable[[], Batch]]:
    """The samples in order, as batches that are made when they are called for; `preparation` is what follows."""
    batch_size = eval_batch_size(samples, preparation)
    positions = torch.split(torch.arange(len(samples), device=samples.rows.device), batch_size)

    def make(chunk: Tensor) -> Batch:
        PULSE.beat()
        return samples.take(chunk).to(device)

    return [partial(make, chunk) for chunk in positions]


@torch.inference_mode()
def evaluate(
    forward: Callable[[Tree], Any],
    samples: Samples,
    preparation: Preparation,
    loss: LossPart,
    metrics: Sequence[Metric],
    precision: Precision,
    device: torch.device,
) -> dict[str, float]:
    """``{"loss": ..., name: ...}``: the mean plain loss and the `metrics` over `samples`.

    `forward` maps prepared inputs to outputs and must be in evaluation mode. Synchronises the device once, but for what
    metrics of the user's own do.
    """
    plain = loss.plain()
    names = [metric for metric in metrics if isinstance(metric, str)]
    own = {metric.title: metric.gathering() for metric in metrics if isinstance(metric, OwnMetric)}
    outputs, targets, losses = [], [], []
    for batch in (make() for make in chunks(samples, preparation, device)):
        with fp32_products(precision, device), autocast(precision, device):
            output = forward(preparation.inputs(batch.inputs))
        output = as_float(output)
        if names:
            outputs.append(output)
            targets.append(batch.targets)
        for gathering in own.values():
            gathering.update(output, batch.targets, len(batch.rows))
        losses.append(plain.per_sample(output, plain.encode(batch.targets, preparation.target_kind), None))
    values = {"loss": torch.cat(losses).double().mean()}
    if names:
        values |= compute(names, torch.cat(outputs), torch.cat(targets), loss, preparation.target_kind)
    values |= {title: gathering.compute(device) for title, gathering in own.items()}
    return dict(zip(values, torch.stack([value.double() for value in values.values()]).tolist(), strict=True))
