"""Optimizers against their torch twins."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from tunefast.recipe.optimizers import SGD, Adagrad, Adam, AdamW, Muon, OptimizerPart, RMSprop

Build = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
Twin = Callable[..., torch.optim.Optimizer]

TORCH: dict[type[OptimizerPart], Twin] = {
    SGD: torch.optim.SGD,
    Adagrad: torch.optim.Adagrad,
    RMSprop: torch.optim.RMSprop,
    Adam: torch.optim.Adam,
    AdamW: torch.optim.AdamW,
}

SETTINGS: list[tuple[type[OptimizerPart], dict[str, Any]]] = [
    (SGD, {"lr": 0.05}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-2}),
    (SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    (Adagrad, {"lr": 0.05}),
    (Adagrad, {"lr": 0.05, "initial_accumulator_value": 0.1, "eps": 1e-6, "weight_decay": 0.1}),
    (RMSprop, {"lr": 0.01}),
    (RMSprop, {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "eps": 1e-6, "weight_decay": 0.1}),
    (RMSprop, {"lr": 0.01, "momentum": 0.5, "centered": True}),
    (Adam, {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    (Adam, {"lr": 0.01, "betas": (0.5, 0.5), "amsgrad": True, "weight_decay": 0.1}),
    (AdamW, {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    (AdamW, {"lr": 0.01, "betas": (0.5, 0.5), "amsgrad": True}),
]
ALL: list[OptimizerPart] = [SGD(momentum=0.9), Adagrad(), RMSprop(momentum=0.5, centered=True), Adam(amsgrad=True)]
ALL += [AdamW(), Muon()]

each_part = pytest.mark.parametrize("part", ALL, ids=lambda part: type(part).__name__)


def _model() -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return model


def _train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, seed: int = 1) -> None:
    """Take steps on noise, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        inputs = torch.randn(16, 5, generator=generator)
        labels = torch.randint(3, (16,), generator=generator)
        torch.autograd.backward(nn.functional.cross_entropy(model(inputs), labels))
        optimizer.step()
        optimizer.zero_grad()


def _trained(build: Build, groups: Callable[[nn.Sequential], list[dict[str, Any]]]) -> nn.Module:
    """A small network after 20 steps."""
    model = _model()
    _train(model, build(groups(model)), steps=20)
    return model


def _one_group(model: nn.Sequential) -> list[dict[str, Any]]:
    return [{"params": list(model.parameters())}]


def _own_rates(model: nn.Sequential) -> list[dict[str, Any]]:
    """Without decay on the biases, and with a rate of its own for the last layer."""
    return [
        {"params": [model[0].weight]},
        {"params": [model[0].bias, model[2].bias], "weight_decay": 0.0},
        {"params": [model[2].weight], "lr": 0.003},
    ]


@pytest.mark.parametrize("groups", [_one_group, _own_rates])
@pytest.mark.parametrize(("kind", "options"), SETTINGS)
def test_equals_its_torch_twin(
    kind: type[OptimizerPart], options: dict[str, Any], groups: Callable[[nn.Sequential], list[dict[str, Any]]]
) -> None:
    """Twenty steps lead where torch's plain implementation leads, with every option and with groups of their own."""
    defaults = {"weight_decay": kind.model_validate({}).weight_decay}
    ours = _trained(kind.model_validate(options).build, groups)
    theirs = _trained(lambda of: TORCH[kind](of, **{**defaults, **options}, foreach=False), groups)
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", TORCH)
def test_defaults_are_those_of_torch(kind: type[OptimizerPart]) -> None:
    """Leaving an option out means what it means in torch; torch's SGD has no default rate of ours."""
    weight = nn.Parameter(torch.zeros(1))
    ours = kind.model_validate({}).build([{"params": [weight]}]).defaults
    reference = TORCH[kind]([weight]).defaults
    skipped = {"fused", "foreach"} | ({"lr"} if kind is SGD else set())
    assert {key: ours[key] for key in ours if key not in skipped} == {
        key: reference[key] for key in reference if key not in skipped
    }


def test_muon_takes_its_options() -> None:
    """Hidden weights have Muon's options, biases and the head AdamW's, at the rate that is theirs."""
    model = _model()
    part = Muon(
        lr=0.01, weight_decay=0.1, momentum=0.9, nesterov=False, ns_steps=3, adjust_lr="match_rms_adamw",
        adamw_lr=0.002, betas=(0.8, 0.95), eps=1e-6,
    )  # fmt: skip
    optimizer = part.build(
        [{"params": list(model[0].parameters())}, {"params": [model[2].weight], "lr": 0.005, "head": True}]
    )
    hidden, bias, head = optimizer.param_groups
    muon = {"lr": 0.01, "momentum": 0.9, "nesterov": False, "ns_steps": 3, "adjust_lr": "match_rms_adamw"}
    adamw = {"betas": (0.8, 0.95), "eps": 1e-6}
    assert {**hidden, **muon, "weight_decay": 0.1} == hidden
    assert {**bias, **adamw, "lr": 0.002, "weight_decay": 0.1} == bias
    assert {**head, **adamw, "lr": 0.001} == head


@each_part
def test_top_of_the_schedule(part: OptimizerPart) -> None:
    """Every group of the result knows its rate at the top of the schedule; what was given is left as it was."""
    weight, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    groups: list[dict[str, Any]] = [{"params": [weight], "lr": 0.25}, {"params": [bias], "weight_decay": 0.5}]
    given = [dict(group) for group in groups]
    built = part.build(groups).param_groups
    assert [group["initial_lr"] for group in built] == [group["lr"] for group in built]
    assert built[0]["initial_lr"] == 0.25
    assert built[1]["initial_lr"] == (part.adamw_lr if isinstance(part, Muon) else part.lr)
    assert (built[0]["weight_decay"], built[1]["weight_decay"]) == (part.weight_decay, 0.5)
    assert [list(group) for group in groups] == [list(group) for group in given]


@each_part
def test_resumes_bit_by_bit(part: OptimizerPart) -> None:
    """A state that was saved and loaded goes on exactly as the one that was never saved."""
    model = _model()
    optimizer = part.build(_own_rates(model))
    _train(model, optimizer, steps=3)
    resumed = copy.deepcopy(model)
    again = part.build(_own_rates(resumed))
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    _train(model, optimizer, steps=3, seed=2)
    _train(resumed, again, steps=3, seed=2)
    for one, other in zip(model.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_nesterov_needs_momentum() -> None:
    """Torch's own rule is said before the training starts."""
    with pytest.raises(ValidationError, match="nesterov = true needs momentum > 0"):
        SGD(nesterov=True)


@pytest.mark.parametrize("part", ALL, ids=lambda part: type(part).__name__)
@pytest.mark.parametrize("options", [{"lr": 0.0}, {"lr": -1.0}, {"weight_decay": -0.1}, {"decay_norm_and_bias": "no"}])
def test_shared_options_out_of_range(part: OptimizerPart, options: dict[str, Any]) -> None:
    """A setting that cannot train is refused by every optimizer."""
    with pytest.raises(ValidationError):
        type(part).model_validate(options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SGD, {"momentum": 1.0}),
        (Adagrad, {"initial_accumulator_value": -1.0}),
        (Adagrad, {"eps": 0.0}),
        (RMSprop, {"alpha": 1.0}),
        (RMSprop, {"momentum": -0.1}),
        (Adam, {"eps": 0.0}),
        (Muon, {"ns_steps": 0}),
        (Muon, {"ns_steps": 100}),
        (Muon, {"adamw_lr": 0.0}),
        (Muon, {"momentum": 1.0}),
        (Muon, {"adjust_lr": "none"}),
    ],
)
def test_out_of_range(kind: type[OptimizerPart], options: dict[str, Any]) -> None:
    """A setting that cannot train is refused."""
    with pytest.raises(ValidationError):
        kind.model_validate(options)


@pytest.mark.parametrize("betas", [["0.9", 0.99], [0.9], [0.9, 0.99, 0.999], [0.9, 1.0], 0.9])
def test_betas_are_two_numbers_below_one(betas: object) -> None:
    """A list is how TOML writes the pair; anything else about it is checked."""
    assert Adam.model_validate({"betas": [0.8, 0.9]}).betas == (0.8, 0.9)
    with pytest.raises(ValidationError):
        Adam.model_validate({"betas": betas})
