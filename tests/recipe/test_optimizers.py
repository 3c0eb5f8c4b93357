"""Optimizers against their torch twins."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from tunefast.recipe.optimizers import SGD, Adam, AdamW

Build = Callable[[nn.Module], torch.optim.Optimizer]

TWINS: dict[str, tuple[SGD | Adam | AdamW, Build]] = {
    "sgd": (SGD(lr=0.05), lambda model: torch.optim.SGD(model.parameters(), lr=0.05)),
    "sgd momentum": (
        SGD(lr=0.05, momentum=0.9, weight_decay=1e-3),
        lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3),
    ),
    "sgd nesterov": (
        SGD(lr=0.05, momentum=0.8, nesterov=True),
        lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.8, nesterov=True),
    ),
    "adam": (
        Adam(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
        lambda model: torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    ),
    "adamw": (
        AdamW(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
        lambda model: torch.optim.AdamW(model.parameters(), lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    ),
}


def _trained(build: Build) -> nn.Module:
    """A small network after 20 steps on noise."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    optimizer = build(model)
    for _ in range(20):
        inputs = torch.randn(16, 5, generator=generator)
        labels = torch.randint(3, (16,), generator=generator)
        torch.autograd.backward(nn.functional.cross_entropy(model(inputs), labels))
        optimizer.step()
        optimizer.zero_grad()
    return model


@pytest.mark.parametrize("twin", TWINS)
def test_equals_its_torch_twin(twin: str) -> None:
    """Twenty steps lead where torch's plain implementation leads, every option included."""
    part, build = TWINS[twin]
    ours, theirs = _trained(lambda model: part.build(model.parameters())), _trained(build)
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("part", [SGD(), Adam(), AdamW()])
def test_defaults_are_those_of_torch(part: SGD | Adam | AdamW) -> None:
    """Leaving an option out means what it means in torch; torch's SGD has no default rate of ours."""
    theirs = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[part.name]
    weight = nn.Parameter(torch.zeros(1))
    ours, reference = part.build([weight]).defaults, theirs([weight]).defaults
    skipped = {"fused", "foreach"} | ({"lr"} if part.name == "sgd" else set())
    assert {key: ours[key] for key in ours if key not in skipped} == {
        key: reference[key] for key in reference if key not in skipped
    }


def test_nesterov_needs_momentum() -> None:
    """Torch's own rule is said before the training starts."""
    with pytest.raises(ValidationError, match="nesterov = true needs momentum > 0"):
        SGD(nesterov=True)


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"lr": -1.0}, {"weight_decay": -0.1}, {"momentum": 1.0}])
def test_out_of_range(options: dict[str, float]) -> None:
    """A setting that cannot train is refused."""
    with pytest.raises(ValidationError):
        SGD.model_validate(options)


@pytest.mark.parametrize("betas", [["0.9", 0.99], [0.9], [0.9, 0.99, 0.999], [0.9, 1.0], 0.9])
def test_betas_are_two_numbers_below_one(betas: object) -> None:
    """A list is how TOML writes the pair; anything else about it is checked."""
    assert Adam.model_validate({"betas": [0.8, 0.9]}).betas == (0.8, 0.9)
    with pytest.raises(ValidationError):
        Adam.model_validate({"betas": betas})
