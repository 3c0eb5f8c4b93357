"""What a device can do: the least that a step must take there."""

from __future__ import annotations

import time

import torch

from tunefast.doctor.findings import Rates
from tunefast.recipe.precision import Precision, autocast

SIDES = {"cpu": 1024, "cuda": 8192}
"""Rows and columns of the matrices that are multiplied to find the rate."""
COPY_BYTES = {"cpu": 2**27, "cuda": 2**30}
ROUNDS = 5


def measure_rates(precision: Precision, device: torch.device) -> Rates:
    """Multiply large matrices and copy memory, a few times each."""
    side = SIDES.get(device.type, SIDES["cpu"])
    left, right = (torch.randn(side, side, device=device) for _ in range(2))
    block = torch.zeros(COPY_BYTES.get(device.type, COPY_BYTES["cpu"]) // 4, device=device)
    other = torch.empty_like(block)
    with torch.inference_mode(), autocast(precision, device):
        product = min(_seconds(lambda: left @ right, device) for _ in range(ROUNDS))
        copy = min(_seconds(lambda: other.copy_(block), device) for _ in range(ROUNDS))
    return Rates(2 * side**3 / product, 2 * block.nbytes / copy)


def _seconds(run: object, device: torch.device) -> float:
    if not callable(run):
        raise TypeError(run)
    started = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
