"""Memory: what a training takes, and the largest batch that fits."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import torch

from tunefast.doctor.findings import Largest, Memory
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.loop import open_lane
from tunefast.train.memory import forget_peak

EXACT = 16
"""The largest batch is found to one part in so many."""
STEPS = 2
"""After the first of them an optimizer has its buffers."""
_MEMINFO = Path("/proc/meminfo")


def largest_fitting(
    fits: Callable[[int], bool], known: int, most: int, goes_on: Callable[[], bool] = lambda: True
) -> Largest:
    """The largest batch of at most `most` samples that `fits`; no batch does that is larger than one which does not.

    Doubles (or halves) from `known`, then bisects until good and bad are within one part in `EXACT`. Leaves off with
    what it knows when it does not `goes_on`.
    """
    good, bad = 0, None
    size = min(known, most)
    while size > good and (bad is None or bad - good > max(1, good // EXACT)) and goes_on():
        if fits(size):
            good = size
            size = min(most, 2 * good) if bad is None else (good + bad) // 2
        else:
            bad = size
            size = bad // 2 if good == 0 else (good + bad) // 2
    return Largest(good, bad)


def measured(
    recipe: TrainingRecipe,
    seed: int,
    device: torch.device,
    peak_bytes: int,
    num_train: int,
    goes_on: Callable[[], bool] = lambda: True,
) -> Memory:
    """What `recipe` takes, which is known to be `peak_bytes`; on a GPU with the largest batch, of one epoch at most."""
    if device.type != "cuda":
        return Memory(peak_bytes, available_bytes(), None, None)
    _, total = torch.cuda.mem_get_info(device)
    largest = largest_fitting(lambda size: _fits(recipe, seed, device, size), recipe.batch_size, num_train, goes_on)
    return Memory(peak_bytes, None, total, largest)


def _fits(recipe: TrainingRecipe, seed: int, device: torch.device, batch_size: int) -> bool:
    """Whether a few steps over batches of that size end well; compiled code would take minutes for each size."""
    hardware = recipe.hardware.model_copy(update={"compile": "off"})
    changed = recipe.model_copy(update={"batch_size": batch_size, "accumulation_steps": 1, "hardware": hardware})
    lane = None
    try:
        lane = open_lane(changed, seed, device)
        lane.train_epoch(1, STEPS)
        lane.train_epoch(1, 1)
    except RuntimeError as error:  # near the limit libraries raise errors of their own, which tell no memory
        if batch_size <= recipe.batch_size and not isinstance(error, torch.OutOfMemoryError):
            raise
        return False
    else:
        return True
    finally:
        del lane
        gc.collect()
        forget_peak(device)


def available_bytes() -> int | None:
    """Memory of the machine that a process could still get."""
    try:
        rows = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
        return int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
