"""In which order samples are seen, how they are grouped into optimizer steps, and how they get to the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from tunefast.recipe.hardware import Hardware
from tunefast.recipe.seed import derive_seed
from tunefast.train.datasets import Batch, Samples
from tunefast.train.pulse import PULSE

Group = tuple[Tensor, ...]


def epoch_order(num_samples: int, seed: int, epoch: int) -> Tensor:
    """A permutation of the training samples [num_samples], a function of the trial's seed and the epoch alone."""
    generator = torch.Generator().manual_seed(derive_seed(seed, epoch, "order"))
    return torch.randperm(num_samples, generator=generator)


def step_groups(order: Tensor, batch_size: int, accumulation_steps: int, *, drop_last: bool = False) -> Iterator[Group]:
    """Groups of `accumulation_steps` batches, one group per optimizer step; each sample stands in exactly one batch.

    The last batch and the last group may be smaller; with `drop_last` a last batch that is not full is left out. A lone
    last sample joins the batch before it, because batch normalisation has no statistics over one sample.
    """
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and drop_last and len(batches[-1]) < batch_size:
        batches.pop()
    if len(batches) > 1 and len(batches[-1]) == 1 and batch_size > 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    for start in range(0, len(batches), accumulation_steps):
        yield tuple(batches[start : start + accumulation_steps])


def fetch(
    samples: Samples, groups: Sequence[Group], device: torch.device, hardware: Hardware
) -> Iterator[tuple[Batch, ...]]:
    """The batches of each group of positions, on `device`.

    Samples that are there already are gathered there; others come from a DataLoader that fetches ahead.
    """
    for batches in _fetched(samples, groups, device, hardware):
        PULSE.beat()
        yield batches


def _fetched(
    samples: Samples, groups: Sequence[Group], device: torch.device, hardware: Hardware
) -> Iterator[tuple[Batch, ...]]:
    batches_of_positions = [positions for group in groups for positions in group]
    resident = samples.inputs.device.type == device.type
    if resident and (device.type != "cpu" or hardware.loading != "loader"):
        sizes = [len(positions) for positions in batches_of_positions]
        copied = torch.cat(batches_of_positions).to(device)  # at once, since the host waits for each copy
        order = iter(torch.split(copied, sizes))
        for group in groups:
            yield tuple(samples.take(positions) for positions in islice(order, len(group)))
        return
    batches = iter(_loader(samples, batches_of_positions, device, hardware))
    for group in groups:
        yield tuple(batch.to(device) for batch in islice(batches, len(group)))


def _loader(samples: Samples, batches: list[Tensor], device: torch.device, hardware: Hardware) -> DataLoader[Any]:
    return DataLoader(
        _Rows(samples),
        batch_sampler=[positions.tolist() for positions in batches],
        num_workers=hardware.loader_workers,
        collate_fn=_as_it_is,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # or it would draw its seed from the global one
    )


class _Rows(TorchDataset[Any]):
    """Samples that a DataLoader takes a whole batch of at once."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __getitems__(self, positions: list[int]) -> Batch:
        return self._samples.take(torch.tensor(positions))


def _as_it_is(batch: Any) -> Any:
    return batch
