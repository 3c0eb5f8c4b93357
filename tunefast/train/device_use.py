"""How busy a GPU is."""

from __future__ import annotations

import sys

_SILENT: set[str] = set()
"""Devices that did not tell: they are asked once in a process, not again at each beat."""


def device_use(device: str) -> float | None:
    """The share of the last moments in which a GPU computed, whoever's work that was.

    None for other devices, where torch is not loaded, and where the driver's library or Python's way to it, the extra
    ``gpu``, is missing.
    """
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda") or device in _SILENT:
        return None
    try:
        return float(torch.cuda.utilization(torch.device(device))) / 100
    except Exception:  # noqa: BLE001  each library on the way has errors of its own, and none is worth a trial
        _SILENT.add(device)
        return None
