"""Precision: in which number format the forward and backward passes run. Weights stay in fp32."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "tf32", "bf16", "fp16", "auto"]
"""fp32: full. tf32: fp32 whose products NVIDIA's tensor cores take with 10 bits of mantissa. bf16: half the memory,
fp32's range. fp16: half the memory, small range, so the loss is scaled. auto: what the device does well.

The halves buy speed only on hardware made for them; elsewhere they cost it: on one CPU core with AVX512_BF16, bf16 took
half of fp32's time for a step, and fp16, which that core lacks, ten times as long. Source: Micikevicius et al., "Mixed
precision training", ICLR 2018.
"""

Concrete = Literal["fp32", "tf32", "bf16", "fp16"]
"""A precision that says what runs."""

_CPU_INFO = Path("/proc/cpuinfo")
_CPU_FLAGS: dict[Concrete, frozenset[str]] = {
    "bf16": frozenset({"avx512_bf16", "amx_bf16", "bf16", "svebf16"}),
    "fp16": frozenset({"avx512_fp16", "amx_fp16", "asimdhp"}),
}
"""Instructions for products in a format that torch's oneDNN uses, as Linux names them for x86 and Arm."""
_CUDA_SINCE: dict[Concrete, tuple[int, int]] = {"tf32": (8, 0), "bf16": (8, 0), "fp16": (7, 0)}
"""Compute capabilities from which tensor cores take a format."""


def resolve(precision: Precision, device: torch.device | str) -> Concrete:
    """What `precision` comes to on `device`: auto is decided, and tf32 is fp32 where there are no such products.

    auto is bf16 where a CPU or a CUDA device has it, else fp16 on a CUDA device that has that, else fp32: on Apple's
    GPUs the halves only save memory. For a CPU this needs no torch.
    """
    if precision == "auto":
        candidates: dict[str, tuple[Concrete, ...]] = {"cpu": ("bf16",), "cuda": ("bf16", "fp16")}
        found = (half for half in candidates.get(_kind(device), ()) if has_hardware(half, device))
        return next(found, "fp32")
    return "fp32" if precision == "tf32" and not has_hardware("tf32", device) else precision


def same_on(device: torch.device | str) -> dict[Precision, Concrete]:
    """What each precision comes to on `device`: those with equal values are the same there."""
    return {precision: resolve(precision, device) for precision in get_args(Precision)}


def has_hardware(precision: Concrete, device: torch.device | str) -> bool:
    """Whether `device` multiplies in that format itself, rather than converting to fp32 and back.

    A CPU is asked through ``/proc/cpuinfo``, without torch; where there is none (macOS), torch's CPU libraries have no
    such products either. A CUDA device is asked through torch, which starts CUDA in this process; one that is not in
    this machine has none. Apple's GPUs take both halves (bf16 since macOS 14).
    """
    kind = _kind(device)
    if precision == "fp32":
        return True
    if kind == "cuda":
        capability = _capability(str(device))
        return capability is not None and capability >= _CUDA_SINCE[precision]
    if kind == "cpu":
        return not _CPU_FLAGS.get(precision, frozenset()).isdisjoint(_cpu_flags())
    return kind == "mps" and precision != "tf32"


def advice(precisions: Iterable[Precision], device: torch.device | str) -> list[str]:
    """Sentences for people on a choice among `precisions` on `device`: which cost speed there, and which are the same.

    Empty where there is nothing to say, or where the device is not in this machine. For a CPU this needs no torch.
    """
    chosen = list(dict.fromkeys(precisions))
    if _kind(device) == "cuda" and _capability(str(device)) is None:
        return []
    here = "this CPU" if _kind(device) == "cpu" else "this GPU"
    halves: tuple[Concrete, ...] = ("bf16", "fp16")
    said = [
        f"precision {half}: {here} has no {half} arithmetic, so it costs speed instead of buying it"
        for half in halves
        if half in chosen and not has_hardware(half, device)
    ]
    groups: dict[Concrete, list[str]] = {}
    for precision in chosen:
        groups.setdefault(resolve(precision, device), []).append(precision)
    return said + [
        f"precision {', '.join(group[:-1])} and {group[-1]}: the same on {here}, where they run as {concrete}"
        for concrete, group in groups.items()
        if len(group) > 1
    ]


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which a forward pass runs in `precision` on `device`."""
    import torch

    concrete = resolve(precision, device)
    if concrete in {"fp32", "tf32"}:
        return nullcontext()
    dtype = torch.bfloat16 if concrete == "bf16" else torch.float16
    return torch.autocast(device.type, dtype=dtype)


@contextmanager
def fp32_products(precision: Precision, device: torch.device) -> Iterator[None]:
    """The context of a whole training, backward passes too: on CUDA, fp32 products are TF32's with tf32, else full.

    torch itself lets convolutions use TF32 unless told not to; here only tf32 does. What was set before is set again.
    """
    if device.type != "cuda":
        yield
        return
    import torch

    # Of torch's ways to say this, these two keep what torch.compile reads consistent.
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    tf32 = resolve(precision, device) == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def loss_scaler(precision: Precision, device: torch.device) -> torch.amp.GradScaler:
    """The scaler that keeps fp16 gradients from vanishing; it does nothing in the other precisions.

    Its step synchronises the device, unless the optimizer is a fused one of torch's.
    """
    import torch

    return torch.amp.GradScaler(device.type, enabled=resolve(precision, device) == "fp16")


def _kind(device: torch.device | str) -> str:
    return str(device).partition(":")[0]


@cache
def _cpu_flags() -> frozenset[str]:
    """Instruction sets of this machine's CPU as Linux names them; none where there is no such file."""
    if not _CPU_INFO.is_file():
        return frozenset()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", _CPU_INFO.read_text(), re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


@cache
def _capability(device: str) -> tuple[int, int] | None:
    """Compute capability of a CUDA device, or None where this machine does not have it."""
    import torch

    present = (torch.device(device).index or 0) < torch.cuda.device_count()
    return torch.cuda.get_device_capability(device) if present else None
