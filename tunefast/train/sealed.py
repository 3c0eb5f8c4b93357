"""Sealed files: tensors and a text in one safetensors file, with a digest that changes with every bit of both.

Nothing in them is ever unpickled.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

_TEXT, _DIGEST = "tunefast", "digest"


class DamagedError(Exception):
    """A file cannot be read, is none of ours, or has changed since it was written."""


def write_sealed(path: Path, tensors: Mapping[str, Tensor], text: str) -> None:
    """Write a sealed file, whole or not at all, and be sure that it is on the disk."""
    on_cpu = {name: value.detach().contiguous().cpu() for name, value in tensors.items()}
    write_tensors(path, on_cpu, {_TEXT: text, _DIGEST: _digest(on_cpu, text)})


def read_sealed(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors and the text of a sealed file. Raises `DamagedError`."""
    try:
        with safe_open(path, framework="pt") as handle:
            metadata = handle.metadata() or {}
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118  no mapping
        text, digest = metadata[_TEXT], metadata[_DIGEST]
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise DamagedError(str(error)) from error
    if digest != _digest(tensors, text):
        raise DamagedError("it is damaged")
    return tensors, text


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, whole or not at all, and be sure that it is on the disk."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file({name: value.detach().contiguous().cpu() for name, value in tensors.items()}, scratch, metadata)
        with scratch.open("rb") as handle:
            os.fsync(handle.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Be sure that the names in a directory are on the disk."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """`tensors` are contiguous and on the CPU."""
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
