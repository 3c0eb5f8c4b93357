"""How busy a GPU is, as far as somebody can tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tunefast.train import device_use as module
from tunefast.train.device_use import device_use


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """The devices that were asked, from a fresh process's start."""
    seen: list[torch.device] = []
    monkeypatch.setattr(module, "_SILENT", set())
    return seen


def answering(seen: list[torch.device], answer: Callable[[], int]) -> Callable[[torch.device], int]:
    """What torch has in this place."""

    def utilization(device: torch.device) -> int:
        seen.append(device)
        return answer()

    return utilization


def test_a_device_that_does_not_tell_is_asked_once(monkeypatch: pytest.MonkeyPatch, asked: list[torch.device]) -> None:
    """Without nvidia-ml-py, or without a driver, no later beat tries again."""

    def missing() -> int:
        raise ModuleNotFoundError("pynvml does not seem to be installed")

    monkeypatch.setattr(torch.cuda, "utilization", answering(asked, missing))
    assert [device_use("cuda:0") for _ in range(3)] == [None] * 3
    assert asked == [torch.device("cuda:0")]


def test_a_device_that_tells_is_asked_at_each_beat(monkeypatch: pytest.MonkeyPatch, asked: list[torch.device]) -> None:
    """Its use is a share; a CPU is never asked."""
    shares = iter([50, 100])
    monkeypatch.setattr(torch.cuda, "utilization", answering(asked, lambda: next(shares)))
    assert [device_use("cuda:1"), device_use("cuda:1"), device_use("cpu")] == [0.5, 1.0, None]
    assert asked == [torch.device("cuda:1")] * 2
