"""Loss and metrics of a model over samples it does not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tunefast.recipe.losses import LossPart
from tunefast.recipe.metrics import compute
from tunefast.recipe.precision import Precision, autocast, fp32_products
from tunefast.train.datasets import Batch, Samples
from tunefast.train.preparing import Preparation

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
    return [lambda chunk=chunk: samples.take(chunk).to(device) for chunk in positions]  # type: ignore[misc]


@torch.inference_mode()
def evaluate(
    forward: Callable[[Tensor], Tensor],
    samples: Samples,
    preparation: Preparation,
    loss: LossPart,
    names: Sequence[str],
    precision: Precision,
    device: torch.device,
) -> dict[str, float]:
    """``{"loss": ..., name: ...}``: the mean plain loss and the metrics in `names` over `samples`.

    `forward` maps prepared inputs to outputs and must be in evaluation mode. Synchronises the device once.
    """
    plain = loss.plain()
    outputs, targets, losses = [], [], []
    for batch in (make() for make in chunks(samples, preparation, device)):
        with fp32_products(precision, device), autocast(precision, device):
            output = forward(preparation.inputs(batch.inputs))
        outputs.append(output.float())
        targets.append(batch.targets)
        losses.append(plain.per_sample(outputs[-1], plain.encode(batch.targets, preparation.target_kind), None))
    values = compute(names, torch.cat(outputs), torch.cat(targets), loss, preparation.target_kind)
    named = {"loss": torch.cat(losses).double().mean(), **values}
    return dict(zip(named, torch.stack([value.double() for value in named.values()]).tolist(), strict=True))
