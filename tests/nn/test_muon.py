"""Muon against torch's own, and AdamW where it hands over to that."""

from __future__ import annotations

import copy
import io
from typing import Any, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tunefast.nn import muon
from tunefast.nn.muon import RATE_ADJUSTMENTS, Muon, iteration_dtype, orthogonalised

Adjust = Literal["original", "match_rms_adamw", "spectral_unclamped"]

SHAPES: list[tuple[int, ...]] = [(8, 5), (5, 8), (8, 5), (6, 6), (1, 7), (7, 1)]
OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.02},
    {"lr": 0.02, "momentum": 0.8, "nesterov": False, "weight_decay": 0.1},
    {"lr": 0.001, "ns_steps": 3, "weight_decay": 1.0},
]


def _parameters(shapes: list[tuple[int, ...]], seed: int = 0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def _stepped(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], steps: int = 20, seed: int = 1) -> None:
    """Take steps along noise, the same for the same seed and sizes."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.numel(), generator=generator).view(parameter.shape)
        optimizer.step()


def _assert_same_way(ours: list[nn.Parameter], theirs: list[nn.Parameter], start: list[nn.Parameter]) -> None:
    """Both have gone the same way from `start`, but for what rounding to bfloat16 changes at every step."""
    for mine, reference, origin in zip(ours, theirs, start, strict=True):
        way = reference.flatten(1) - origin.flatten(1)
        assert way.norm() > 0
        assert (mine.flatten(1) - reference.flatten(1)).norm() < 0.02 * way.norm()


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=str)
def in_either_format(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterate as on a CPU, and as everywhere else."""
    monkeypatch.setattr(muon, "iteration_dtype", lambda _: request.param)


@pytest.mark.usefixtures("in_either_format")
@pytest.mark.parametrize("adjust", RATE_ADJUSTMENTS)
@pytest.mark.parametrize("options", OPTIONS)
def test_equals_torch(options: dict[str, Any], adjust: Adjust) -> None:
    """Twenty steps over matrices of all shapes lead where torch's Muon leads."""
    ours, theirs = _parameters(SHAPES), _parameters(SHAPES)
    _stepped(Muon(ours, **options, adjust_lr=adjust), ours)
    _stepped(torch.optim.Muon(theirs, **{"weight_decay": 0.0, **options}, adjust_lr_fn=adjust), theirs)
    _assert_same_way(ours, theirs, _parameters(SHAPES))


@pytest.mark.usefixtures("in_either_format")
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_convolutions_are_matrices(memory_format: torch.memory_format) -> None:
    """A convolution's weight moves as torch's Muon moves the same numbers in rows, in either memory format."""
    start = _parameters([(8, 3, 3, 3), (4, 8, 1, 1)])
    ours = [nn.Parameter(weight.detach().clone(memory_format=memory_format)) for weight in start]
    rows = [nn.Parameter(weight.detach().flatten(1).clone()) for weight in start]
    _stepped(Muon(ours, lr=0.02, weight_decay=0.1), ours)
    _stepped(torch.optim.Muon(rows, lr=0.02, weight_decay=0.1), rows)
    _assert_same_way(ours, rows, start)


def test_number_formats() -> None:
    """A CPU iterates in float32; what has fast products in bfloat16 uses them, as torch does."""
    devices = [torch.device("cpu"), torch.device("cuda")]
    assert [iteration_dtype(device) for device in devices] == [torch.float32, torch.bfloat16]


def test_all_others_take_adamw() -> None:
    """Vectors, position embeddings and the head move as AdamW moves them, each at its group's rate and decay."""
    shapes: list[tuple[int, ...]] = [(8,), (1, 4, 6), (3, 8), (3,)]
    ours, theirs = _parameters(shapes), _parameters(shapes)
    adam: dict[str, Any] = {"betas": (0.8, 0.95), "eps": 1e-6}
    mine = Muon(
        [{"params": ours[:2], "weight_decay": 0.1}, {"params": ours[2:], "lr": 0.01, "head": True}],
        lr=0.02,
        adamw_lr=0.002,
        **adam,
    )
    reference = torch.optim.AdamW(
        [{"params": theirs[:2], "weight_decay": 0.1}, {"params": theirs[2:], "lr": 0.001, "weight_decay": 0.0}],
        lr=0.002,
        **adam,
    )
    _stepped(mine, ours)
    _stepped(reference, theirs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_groups_by_kind() -> None:
    """A given group becomes one with a momentum and one with betas; rates and other keys go along."""
    weight, bias, head = _parameters([(4, 4), (4,), (2, 4)])
    optimizer = Muon(
        [{"params": [weight, bias], "lr": 0.01, "mine": 1}, {"params": head, "head": True}], lr=0.02, adamw_lr=0.001
    )
    shown = [(g["lr"], "momentum" in g, "betas" in g, g.get("mine")) for g in optimizer.param_groups]
    assert shown == [(0.01, True, False, 1), (0.0005, False, True, 1), (0.001, False, True, None)]
    assert [[id(p) for p in g["params"]] for g in optimizer.param_groups] == [[id(weight)], [id(bias)], [id(head)]]


def test_resumes_bit_by_bit() -> None:
    """A saved and loaded state goes on exactly as the one that was never saved."""
    shapes: list[tuple[int, ...]] = [(8, 3, 3, 3), (6, 8), (6, 8), (6,)]

    def made(parameters: list[nn.Parameter]) -> Muon:
        groups: list[dict[str, Any]] = [{"params": parameters[:2]}, {"params": parameters[2:], "weight_decay": 0.1}]
        return Muon(groups, lr=0.02)

    through = _parameters(shapes)
    through[0].data = through[0].data.to(memory_format=torch.channels_last)
    optimizer = made(through)
    _stepped(optimizer, through, steps=3)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    resumed = copy.deepcopy(through)
    again = made(resumed)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    _stepped(optimizer, through, steps=3, seed=2)
    _stepped(again, resumed, steps=3, seed=2)
    for one, other in zip(through, resumed, strict=True):
        assert torch.equal(one, other)
    for before, after in zip(optimizer.state.values(), again.state.values(), strict=True):
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


def test_parameters_without_gradient_stay() -> None:
    """What is frozen neither moves nor decays, nor gets a state."""
    frozen, moving = _parameters([(4, 4), (4, 4)])
    before = frozen.detach().clone()
    optimizer = Muon([frozen, moving], lr=0.02, weight_decay=0.5)
    _stepped(optimizer, [moving], steps=2)
    assert torch.equal(frozen, before)
    assert frozen not in optimizer.state


def test_zero_gradient() -> None:
    """A gradient of zeros makes no step and no NaN."""
    (weight,) = _parameters([(4, 3)])
    before = weight.detach().clone()
    weight.grad = torch.zeros_like(weight)
    Muon([weight]).step()
    assert torch.equal(weight, before)


def test_closure() -> None:
    """A closure is run with gradients on, and its loss handed back."""
    (weight,) = _parameters([(4, 3)])
    before = weight.detach().clone()

    def closure() -> float:
        loss = weight.square().sum()
        torch.autograd.backward(loss)
        return loss.item()

    assert Muon([weight]).step(closure) == pytest.approx(float(before.square().sum()))
    assert not torch.equal(weight, before)


@given(st.integers(1, 4), st.integers(2, 12), st.integers(2, 12), st.integers(0, 1000))
def test_orthogonalised(count: int, rows: int, columns: int, seed: int) -> None:
    """Singular values come near 1 and the singular vectors stay, whatever the shape and scale."""
    generator = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(count, rows, rows, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(count, columns, columns, generator=generator))
    rank = min(rows, columns)
    values = 0.1 + torch.rand(count, rank, generator=generator)
    left, right = left[..., :rank], right[..., :rank]
    out = orthogonalised(100 * left @ torch.diag_embed(values) @ right.mT, 5, torch.float32)
    inner = left.mT @ out @ right
    diagonal = inner.diagonal(dim1=-2, dim2=-1)
    assert ((diagonal > 0.5) & (diagonal < 1.5)).all()
    torch.testing.assert_close(inner, torch.diag_embed(diagonal), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0}, "rates must be positive: lr = 0.0"),
        ({"adamw_lr": -1.0}, "adamw_lr = -1.0"),
        ({"adjust_lr": "none"}, "adjust_lr = 'none' is unknown; known: original, match_rms_adamw"),
    ],
)
def test_refuses_bad_options(options: dict[str, Any], message: str) -> None:
    """What cannot train is said at once, with what would."""
    with pytest.raises(ValueError, match=message):
        Muon(_parameters([(2, 2)]), **options)


def test_never_waits_for_the_device() -> None:
    """A step over tensors without values works, so it reads none, which is what would make the host wait."""
    meta = [nn.Parameter(torch.empty(shape, device="meta")) for shape in ((8, 3, 3, 3), (4, 8), (8,))]
    optimizer = Muon(meta, lr=0.02, weight_decay=0.1)
    for parameter in meta:
        parameter.grad = torch.empty_like(parameter)
    optimizer.step()
    assert all(len(optimizer.state[parameter]) > 0 for parameter in meta)
