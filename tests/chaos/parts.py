"""A metric that makes an epoch last, so that something can happen in it."""

from __future__ import annotations

import time

from torch import Tensor


def paced(outputs: Tensor, targets: Tensor, seconds: float = 0.0) -> Tensor:
    """The accuracy, after some time."""
    time.sleep(seconds)
    return (outputs.argmax(dim=1) == targets).float().mean()
