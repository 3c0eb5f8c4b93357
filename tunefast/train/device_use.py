"""How busy a GPU is."""

from __future__ import annotations

import sys


def device_use(device: str) -> float | None:
    """The share of the last moments in which a GPU computed, whoever's work that was.

    None for other devices, where torch is not loaded, and where the driver's library or Python's way to it is missing.
    """
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda"):
        return None
    try:
        return float(torch.cuda.utilization(torch.device(device))) / 100
    except Exception:  # noqa: BLE001  each library on the way has errors of its own, and none is worth a trial
        return None
