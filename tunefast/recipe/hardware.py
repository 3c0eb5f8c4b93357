"""Hardware: how the same computation is laid out on the device. Changes seconds, and no result beyond rounding."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunefast.recipe.part import Part

COMPILE_FLOPS = {"cpu": 2e13, "cuda": 2e16}
"""Floating-point operations of a whole training from which compilation pays: some ten minutes of eager work.

Compiling a small network took 20 s on a CPU core and bought 1.5x, on work done at about 30 GFLOP/s.
"""


class Hardware(Part):
    """How the training is laid out on the device.

    Each option buys speed where the device is made for it; none changes what is computed, beyond the last bits.
    Source: PyTorch's performance tuning guide.
    """

    channels_last: bool = True
    """Keep images with their channels innermost, as convolutions on CPUs and tensor cores read them."""
    cudnn_benchmark: bool = True
    """Let cuDNN time its algorithms once a shape; costs the first steps, and bit-equality between runs on GPUs."""
    compile: Literal["off", "on", "auto"] = "off"
    """Compile the model with torch.compile, once a shape in each worker; auto does it where the training is long enough
    to earn it back."""
    loading: Literal["auto", "resident", "loader"] = "auto"
    """Where samples wait: resident on the training device, or in a DataLoader that fetches ahead; auto keeps what
    fits into half of the device's free memory."""
    loader_workers: int = Field(2, ge=0)
    """Processes that fetch ahead, where a DataLoader is used; 0 fetches in the training process."""

    def compiles(self, training_flops: float, device_type: str) -> bool:
        """Whether to compile a model whose whole training takes so many floating-point operations."""
        if self.compile != "auto":
            return self.compile == "on"
        return training_flops >= COMPILE_FLOPS.get(device_type, float("inf"))
