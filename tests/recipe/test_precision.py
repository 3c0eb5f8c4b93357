"""Number formats of the forward and backward pass."""

from __future__ import annotations

import subprocess
import sys
import typing
from pathlib import Path

import pytest
import torch

from tunefast.recipe import precision as module
from tunefast.recipe.precision import (
    Concrete,
    Precision,
    advice,
    autocast,
    fp32_products,
    has_hardware,
    loss_scaler,
    resolve,
    same_on,
)

CPU = torch.device("cpu")
CUDA = torch.device("cuda:0")
MPS = torch.device("mps")
ZEN4, ARM, OLD = frozenset({"avx2", "avx512_bf16"}), frozenset({"asimdhp", "bf16"}), frozenset({"avx2", "f16c"})


def on_cpu(monkeypatch: pytest.MonkeyPatch, flags: frozenset[str]) -> None:
    """Let the CPU have these instructions."""
    monkeypatch.setattr(module, "_cpu_flags", lambda: flags)


def on_cuda(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] | None) -> None:
    """Let every CUDA device have this compute capability, or let there be none."""
    monkeypatch.setattr(module, "_capability", lambda _: capability)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("tf32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_autocast(precision: Precision, dtype: torch.dtype) -> None:
    """A matrix product runs in the format asked for, and weights stay in fp32."""
    layer = torch.nn.Linear(4, 4)
    with autocast(precision, CPU):
        assert layer(torch.ones(2, 4)).dtype is dtype
    assert layer.weight.dtype is torch.float32


@pytest.mark.parametrize(("flags", "dtype"), [(ZEN4, torch.bfloat16), (OLD, torch.float32)])
def test_autocast_decides_auto(monkeypatch: pytest.MonkeyPatch, flags: frozenset[str], dtype: torch.dtype) -> None:
    """Auto runs in what it resolves to."""
    on_cpu(monkeypatch, flags)
    with autocast("auto", CPU):
        assert torch.nn.Linear(4, 4)(torch.ones(2, 4)).dtype is dtype


@pytest.mark.parametrize(("precision", "scaled"), [("fp32", False), ("tf32", False), ("bf16", False), ("fp16", True)])
def test_loss_scaler(precision: Precision, scaled: bool) -> None:
    """Only fp16, whose range is small, has its loss scaled."""
    loss = loss_scaler(precision, CPU).scale(torch.ones(()))
    assert (loss.item() > 1) == scaled


@pytest.mark.parametrize(("flags", "concrete"), [(ZEN4, "bf16"), (ARM, "bf16"), (OLD, "fp32"), (frozenset(), "fp32")])
def test_auto_on_a_cpu(monkeypatch: pytest.MonkeyPatch, flags: frozenset[str], concrete: Concrete) -> None:
    """A CPU trains in bf16 where it multiplies that itself, and never in fp16."""
    on_cpu(monkeypatch, flags)
    assert resolve("auto", CPU) == concrete
    assert resolve("auto", "cpu") == concrete


@pytest.mark.parametrize(
    ("capability", "concrete"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((6, 1), "fp32"), (None, "fp32")]
)
def test_auto_on_cuda(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] | None, concrete: Concrete) -> None:
    """A GPU trains in bf16 since Ampere, in fp16 since Volta, else in full."""
    on_cuda(monkeypatch, capability)
    assert resolve("auto", CUDA) == concrete


def test_auto_on_mps() -> None:
    """Apple's GPUs train in full, where the halves buy no speed."""
    assert resolve("auto", MPS) == "fp32"
    assert advice(["bf16", "fp16"], MPS) == []


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_what_is_asked_for_runs(monkeypatch: pytest.MonkeyPatch, precision: Concrete) -> None:
    """A precision that says what runs is never exchanged for another, with hardware for it or without."""
    on_cpu(monkeypatch, OLD)
    on_cuda(monkeypatch, (6, 1))
    assert [resolve(precision, device) for device in (CPU, CUDA, MPS)] == [precision] * 3


def test_same_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """TF32 is a format of its own on Ampere and later only."""
    on_cpu(monkeypatch, ZEN4)
    expected = {"fp32": "fp32", "tf32": "fp32", "bf16": "bf16", "fp16": "fp16", "auto": "bf16"}
    assert same_on("cpu") == expected
    assert tuple(expected) == typing.get_args(Precision)
    on_cuda(monkeypatch, (8, 6))
    assert same_on("cuda:0")["tf32"] == "tf32"
    on_cuda(monkeypatch, (7, 0))
    assert same_on("cuda:0")["tf32"] == "fp32"


def test_advice_without_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    """People hear of a format that their device only emulates."""
    on_cpu(monkeypatch, OLD)
    assert advice(["fp32", "bf16"], "cpu") == [
        "precision bf16: this CPU has no bf16 arithmetic, so it costs speed instead of buying it"
    ]
    on_cpu(monkeypatch, ZEN4)
    assert advice(["fp32", "bf16"], "cpu") == []
    assert advice(["fp16"], "cpu") == [
        "precision fp16: this CPU has no fp16 arithmetic, so it costs speed instead of buying it"
    ]
    on_cuda(monkeypatch, (6, 1))
    assert [said.split(" so ")[0] for said in advice(["fp16"], CUDA)] == [
        "precision fp16: this GPU has no fp16 arithmetic,"
    ]


def test_advice_on_equal_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """People hear which of their choices are the same thing twice."""
    on_cpu(monkeypatch, ZEN4)
    assert advice(["tf32", "bf16", "auto", "fp32", "fp32"], "cpu") == [
        "precision tf32 and fp32: the same on this CPU, where they run as fp32",
        "precision bf16 and auto: the same on this CPU, where they run as bf16",
    ]
    on_cpu(monkeypatch, OLD)
    assert advice(["tf32", "auto", "fp32"], "cpu") == [
        "precision tf32, auto and fp32: the same on this CPU, where they run as fp32"
    ]
    on_cuda(monkeypatch, (9, 0))
    assert advice(["fp32", "tf32", "bf16", "fp16"], CUDA) == []


def test_advice_on_a_device_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is claimed of a GPU that this machine does not have."""
    on_cuda(monkeypatch, None)
    assert advice(["fp32", "tf32", "fp16", "auto"], "cuda:0") == []


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device beyond those of this machine has no hardware, and is no error."""
    monkeypatch.setattr(module, "_capability", module._capability.__wrapped__)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert all(has_hardware("bf16", device) for device in ("cuda", "cuda:0"))
    assert not has_hardware("bf16", "cuda:1")
    assert advice(["bf16", "fp32"], "cuda:1") == []


def test_advice_on_a_cpu_loads_no_torch() -> None:
    """A study for a CPU is created without importing torch."""
    probe = (
        "import sys; from tunefast.recipe.precision import advice, same_on\n"
        "advice(['fp32', 'tf32', 'bf16', 'fp16', 'auto'], 'cpu'); same_on('cpu')\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "half", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx512_bf16 vme\nbugs : x\n", "bf16", True),
        ("flags : amx_bf16 amx_fp16\n", "fp16", True),
        ("flags : f16c avx512_bf16_other\n", "bf16", False),
        ("Features\t: fp asimd asimdhp bf16\n", "bf16", True),
        ("bugs : bf16\n", "bf16", False),
        ("", "fp16", False),
    ],
)
def test_cpu_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, half: Concrete, expected: bool) -> None:
    """Linux's list of a CPU's instructions is read as whole words, for x86 and Arm."""
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(module, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(module, "_cpu_flags", module._cpu_flags.__wrapped__)
    assert has_hardware(half, CPU) == expected


def test_cpu_flags_without_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no such list, there is no such hardware."""
    monkeypatch.setattr(module, "_CPU_INFO", tmp_path / "missing")
    monkeypatch.setattr(module, "_cpu_flags", module._cpu_flags.__wrapped__)
    assert not has_hardware("bf16", CPU)
    assert has_hardware("fp32", CPU)


def test_cpu_flags_agree_with_torch() -> None:
    """What is read from Linux is what torch finds out by asking the CPU."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if known.get("architecture") != "x86_64" or not module._CPU_INFO.is_file():
        pytest.skip("needs Linux on x86 and a torch that lists the CPU's instructions")
    assert has_hardware("bf16", CPU) == (known["avx512_bf16"] or known["amx_bf16"])
    assert has_hardware("fp16", CPU) == (known["avx512_fp16"] or known["amx_fp16"])


def products() -> tuple[bool, bool]:
    """Whether CUDA may use TF32 for matrix products, and for convolutions."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_fp32_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tf32 lets CUDA round products, only inside the context, and whatever ran in the process before."""
    on_cuda(monkeypatch, (8, 0))
    before = products()
    with fp32_products("tf32", CUDA):
        assert products() == (True, True)
    assert products() == before
    for precision in typing.get_args(Precision):
        with fp32_products(precision, CUDA):
            assert products() == (precision == "tf32",) * 2
    assert products() == before


def test_fp32_products_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that fails leaves nothing behind for the next one in its worker."""
    on_cuda(monkeypatch, (8, 0))
    before = products()
    with pytest.raises(RuntimeError, match="diverged"), fp32_products("tf32", CUDA):
        raise RuntimeError("diverged")
    assert products() == before


def test_fp32_products_on_a_cpu() -> None:
    """A trial on a CPU leaves CUDA's settings alone."""
    before = products()
    with fp32_products("tf32", CPU):
        assert products() == before
