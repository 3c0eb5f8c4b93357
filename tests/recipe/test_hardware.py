"""Hardware settings."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tunefast.recipe.hardware import COMPILE_FLOPS, Hardware


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_auto_compiles_what_is_long_enough(device: str) -> None:
    """Compilation is for trainings that earn it back, which on a GPU are a thousand times as large."""
    auto, limit = Hardware(compile="auto"), COMPILE_FLOPS[device]
    assert not auto.compiles(limit * 0.99, device)
    assert auto.compiles(limit, device)
    assert COMPILE_FLOPS["cuda"] > 100 * COMPILE_FLOPS["cpu"]


def test_auto_leaves_unknown_devices_alone() -> None:
    """Where nobody measured it, nothing is compiled."""
    assert not Hardware(compile="auto").compiles(1e30, "mps")


def test_on_and_off() -> None:
    """What was asked for is done, whatever it costs."""
    for flops in (0.0, 1e30):
        assert Hardware(compile="on").compiles(flops, "cpu")
        assert not Hardware(compile="off").compiles(flops, "cuda")
        assert not Hardware().compiles(flops, "cuda")


@pytest.mark.parametrize("options", [{"compile": True}, {"loading": "disk"}, {"loader_workers": -1}, {"workers": 2}])
def test_refused(options: dict[str, Any]) -> None:
    """What cannot be laid out is no setting."""
    with pytest.raises(ValidationError):
        Hardware.model_validate(options)
