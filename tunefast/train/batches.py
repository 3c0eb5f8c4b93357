"""In which order samples are seen, and how they are grouped into optimizer steps."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tunefast.recipe.seed import derive_seed


def epoch_order(num_samples: int, seed: int, epoch: int) -> Tensor:
    """A permutation of the training samples [num_samples], a function of the trial's seed and the epoch alone."""
    generator = torch.Generator().manual_seed(derive_seed(seed, epoch, "order"))
    return torch.randperm(num_samples, generator=generator)


def step_groups(order: Tensor, batch_size: int, accumulation_steps: int) -> Iterator[tuple[Tensor, ...]]:
    """Groups of `accumulation_steps` batches, one group per optimizer step; each sample stands in exactly one batch.

    The last batch and the last group may be smaller. A lone last sample joins the batch before it, because batch
    normalisation has no statistics over one sample.
    """
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1 and batch_size > 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    for start in range(0, len(batches), accumulation_steps):
        yield tuple(batches[start : start + accumulation_steps])


def num_steps(num_samples: int, batch_size: int, accumulation_steps: int) -> int:
    """Optimizer steps in an epoch."""
    return sum(1 for _ in step_groups(torch.arange(num_samples), batch_size, accumulation_steps))
