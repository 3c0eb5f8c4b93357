"""Weights from files: reading them, and putting them into a network that may differ in its input and its classifier."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_WRAPPERS = ("state_dict", "model")
_COMPUTED_BY_TRAINING = ("running_mean", "running_var")
_FACTORIES = (torch.empty, torch.zeros, torch.ones)


class Unfilled(TorchFunctionMode):
    """Inside this context modules are built without memory or initialisation, for weights that come from a file.

    Like `torch.device("meta")`, but for parameters and statistics only: tables that a constructor computes (RegNet's
    widths, Swin's relative positions) have real values.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, on the meta device where it makes a tensor to be filled."""
        options = dict(kwargs or {})
        if func in _FACTORIES and options.get("device") is None:
            options["device"] = "meta"
        return func(*args, **options)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors in a .safetensors file, or in a .pt or .pth file of a state dict; on the CPU.

    A state dict may be wrapped as "state_dict" or "model", as training scripts save it, and its names may begin with
    "module.", as `DistributedDataParallel` makes them. Nothing but tensors is unpickled. Raises `ValueError` for
    anything else.
    """
    try:
        if path.suffix == ".safetensors":
            loaded: Any = load_file(path)
        else:
            lazily = zipfile.is_zipfile(path)  # files from before torch 1.6 cannot be mapped
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: cannot be read as weights ({reason or type(error).__name__})") from error
    for wrapper in _WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict) or not any(isinstance(value, Tensor) for value in loaded.values()):
        raise ValueError(f"{path}: holds no state dict, names with their tensors")
    return {str(name).removeprefix("module."): value for name, value in loaded.items() if isinstance(value, Tensor)}


def adapt_input(model: nn.Module, num_channels: int, tensors: dict[str, Tensor] | None) -> None:
    """Let the first convolution of `model` take `num_channels`, and `tensors`, where given, fit that in place.

    Random weights are drawn again with the spread they had. Weights from a file for RGB are summed over the colours for
    one channel, which is the same as showing grey as RGB; for C channels the colours take turns, scaled by 3 / C, which
    keeps responses about as large as they were.
    """
    found = ((name, child) for name, child in model.named_modules() if isinstance(child, nn.Conv2d))
    name, conv = next(found, ("", None))
    if conv is None:
        return
    if conv.in_channels != num_channels:
        shape = (conv.out_channels, num_channels, *conv.kernel_size)
        weight = torch.empty(shape, device=conv.weight.device)
        if not weight.is_meta:
            nn.init.normal_(weight, std=float(conv.weight.detach().std()))
        conv.in_channels = num_channels
        conv.weight = nn.Parameter(weight)
    key = f"{name}.weight"
    if tensors is not None and key in tensors and tensors[key].ndim == conv.weight.ndim:
        tensors[key] = _adapted(tensors[key], num_channels)


def _adapted(weight: Tensor, num_channels: int) -> Tensor:
    """The convolution `weight` [O, I, h, w] for another number of input channels."""
    given = weight.shape[1]
    if given == num_channels:
        return weight
    if num_channels == 1:
        return weight.sum(dim=1, keepdim=True)
    turns = math.ceil(num_channels / given)
    return weight.repeat(1, turns, 1, 1)[:, :num_channels] * (given / num_channels)


def fill(model: nn.Module, tensors: Mapping[str, Tensor], *, source: str, classifier: str = "") -> None:
    """Copy `tensors` into the parameters and buffers of `model` by name; tensors the model has not are ignored.

    Those of the module named `classifier` stay as they are where nothing fits. Raises `ValueError` naming `source`
    where another tensor is missing or has another shape.
    """
    chosen: dict[str, Tensor] = {}
    problems: list[str] = []
    for name, current in model.state_dict(keep_vars=True).items():
        given = tensors.get(name)
        if given is not None and given.shape == current.shape:
            chosen[name] = given.detach().to(current.dtype, copy=True).contiguous()
        elif classifier and name.startswith(f"{classifier}."):
            continue
        elif given is None and name.endswith("num_batches_tracked"):
            chosen[name] = torch.zeros((), dtype=torch.int64)  # files from before torch 0.4.1 have none
        elif given is not None:
            problems.append(f"{name} is {list(given.shape)} where the model has {list(current.shape)}")
        elif not _constant(name, current):
            problems.append(f"{name} is missing")
    if problems:
        raise ValueError(
            f"{source}: does not fit the model: {len(problems)} of its tensors are missing or of another shape; "
            f"the first: {problems[0]}"
        )
    _assign(model, chosen)


def _assign(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Make `tensors` the parameters and buffers of those names, past what a family's own loading asks of a file."""
    for name, tensor in tensors.items():
        parent, _, leaf = name.rpartition(".")
        module = model.get_submodule(parent)
        current = getattr(module, leaf)
        is_parameter = isinstance(current, nn.Parameter)
        setattr(module, leaf, nn.Parameter(tensor, current.requires_grad) if is_parameter else tensor)


def _constant(name: str, tensor: Tensor) -> bool:
    """Whether the model computes a tensor itself, so that a file need not hold it."""
    return not (tensor.is_meta or isinstance(tensor, nn.Parameter) or name.endswith(_COMPUTED_BY_TRAINING))


def initialise_unfilled(module: nn.Module) -> None:
    """Give the layers of `module` that were built `Unfilled`, and stayed so, memory and torch's default weights."""
    for layer in module.modules():
        if any(parameter.is_meta for parameter in layer.parameters(recurse=False)):
            layer.to_empty(device="cpu", recurse=False)
            layer.reset_parameters()  # type: ignore[operator]
