"""A trained network for other programs: with its scaling inside, so that it takes samples as they are stored."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from tunefast.errors import DataError, UserError
from tunefast.nn.network import Network
from tunefast.nn.trees import Tree, mapped
from tunefast.recipe.data import DataPart
from tunefast.recipe.models import Model
from tunefast.recipe.models.pretrained import NO_WEIGHTS, PretrainedPart
from tunefast.train import MODEL_FILE
from tunefast.train.cache import decoded
from tunefast.train.sealed import write_tensors
from tunefast.train.splits import split, target_moments

if TYPE_CHECKING:
    from tunefast.train.lane import Lane

_HEADER = "tunefast"
_ONNX_PACKAGES = ("onnx", "onnxscript")


class Deployable(nn.Module):
    """``head(backbone(inputs x scale + shift))``, for numbers x target_scale + target_shift.

    A trained network that takes samples as they are stored and answers in the data's own units.
    """

    scale: Tensor
    shift: Tensor
    target_scale: Tensor | None
    target_shift: Tensor | None

    def __init__(
        self, network: Network, inputs: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor] | None = None
    ) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.head = network.head
        self.register_buffer("scale", inputs[0])
        self.register_buffer("shift", inputs[1])
        self.register_buffer("target_scale", None if targets is None else targets[0])
        self.register_buffer("target_shift", None if targets is None else targets[1])
        self.requires_grad_(requires_grad=False).eval()

    def forward(self, inputs: Tree) -> Any:
        """Outputs [N, num_outputs] of samples [N, ...] as they are stored; trees and whole numbers are not scaled."""
        outputs: Any = self.head(self.backbone(self._scaled(inputs)))
        if self.target_scale is None or self.target_shift is None:
            return outputs
        return outputs * self.target_scale + self.target_shift

    def _scaled(self, inputs: Tree) -> Tree:
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
            return inputs
        return inputs * self.scale + self.shift


def deployable(lane: Lane) -> Deployable:
    """The lane's result on the CPU, in evaluation mode. The lane is of no further use for training."""
    scale, shift = lane.preparation.scale_and_shift
    network = lane.result().to("cpu").to(memory_format=torch.contiguous_format)
    return Deployable(network, (scale.cpu(), shift.cpu()), _target_scaling(lane.recipe.data))


def _target_scaling(part: DataPart) -> tuple[Tensor, Tensor] | None:
    """Deviation and mean [T] of targets that training saw without them."""
    arrays = decoded(part)
    moments = target_moments(arrays, split(arrays, part), part)
    if moments is None:
        return None
    mean, std = (torch.from_numpy(value).float() for value in moments)
    return std, mean


def write_model(module: Deployable, lane: Lane, path: Path) -> None:
    """Write the weights, and in the header what `load_model` needs to build the network that they are of."""
    model = lane.recipe.model
    if isinstance(model, PretrainedPart):  # the weights are all in the file
        model = model.model_copy(update={"weights": NO_WEIGHTS})
    facts = {
        "model": model.table(),
        "input_shape": list(lane.input_shape),
        "num_outputs": lane.recipe.loss.num_outputs(lane.raw.targets),
    }
    write_tensors(path, module.state_dict(), {_HEADER: json.dumps(facts)})


def load_model(path: str | Path) -> Deployable:
    """The network that ``tunefast train`` wrote into a directory, or a ``model.safetensors``: a torch module.

    It is on the CPU, in evaluation mode, and nothing in it asks for gradients. It takes float32 [N, channels, height,
    width] with values from 0 to 255, or [N, ...] as the data has them. It returns outputs [N, num_outputs]: of classes
    and labels before any softmax or sigmoid, numbers in the data's own units. Raises `DataError` where there is no such
    model.
    """
    path = Path(path)
    file = path / MODEL_FILE if path.is_dir() else path
    if not file.is_file():
        raise DataError(path=file, problem="no such file; tunefast train writes it")
    try:
        with safe_open(file, framework="pt") as handle:
            facts = json.loads((handle.metadata() or {})[_HEADER])
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118  no mapping
    except (SafetensorError, KeyError, ValueError) as error:
        raise DataError(path=file, problem="is no model that tunefast train wrote") from error
    part: Model = TypeAdapter(Model).validate_json(json.dumps(facts["model"]))
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn, and replaced
        network = part.build(facts["input_shape"], facts["num_outputs"])
    targets = (tensors["target_scale"], tensors["target_shift"]) if "target_scale" in tensors else None
    module = Deployable(network, (tensors["scale"], tensors["shift"]), targets)
    module.load_state_dict(tensors)
    return module


def check_export(kind: Literal["onnx", "torch"]) -> None:
    """Raise `UserError` where a package that the export needs is missing."""
    missing = [name for name in _ONNX_PACKAGES if kind == "onnx" and importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(message=f"--export onnx needs {' and '.join(missing)}: pip install 'tunefast[onnx]'")


def export_model(module: Deployable, example: Tree, path: Path, kind: Literal["onnx", "torch"]) -> None:
    """Write a module to `path` for ONNX, or for ``torch.export.load``, to be used without tunefast.

    `example` is a batch of one sample as the module takes it. What is written takes what the module takes, for any
    number of samples. Raises `UserError` where torch cannot export the network.
    """
    sample = (
        mapped(lambda tensor: torch.zeros_like(tensor.cpu()).contiguous().repeat(2, *[1] * (tensor.ndim - 1)), example),
    )
    batch = torch.export.Dim("batch", min=1)
    any_number = (mapped(lambda _: {0: batch}, example),)
    try:
        program = torch.export.export(module, sample, dynamic_shapes=any_number)
        if kind == "torch":
            torch.export.save(program, path)
        else:
            torch.onnx.export(
                program,
                f=path,
                input_names=["inputs"],
                output_names=["outputs"],
                external_data=False,
                verbose=False,
            )
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            message=f"torch cannot export this network ({reason}); {path.parent / MODEL_FILE} is written"
        ) from error
