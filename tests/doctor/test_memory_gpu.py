"""The largest batch that fits into a GPU's memory."""

from __future__ import annotations

import pytest
import torch

from tests.doctor.cases import recipe
from tunefast.doctor.memory import measured

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def test_a_batch_that_does_not_fit() -> None:
    """With a hundredth of the memory some batch is too large, and the largest one that fits leaves it usable."""
    device = torch.device("cuda:0")
    torch.cuda.set_per_process_memory_fraction(0.01, device)
    try:
        wide = recipe(model={"name": "mlp", "width": 100_000}, batch_size=1)
        memory = measured(wide, 0, device, peak_bytes=1, num_train=100_000)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    assert memory.largest is not None
    assert memory.largest.batch_size > 0 or memory.largest.too_large == 1
    assert torch.zeros(1, device=device).item() == 0
