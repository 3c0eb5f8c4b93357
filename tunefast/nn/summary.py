"""What a network is made of and what it costs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from tunefast.nn.trees import Tree, first_leaf, mapped


class LayerSummary(NamedTuple):
    """One layer: its name and type, the shape of its output without the batch, and its parameters."""

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    trains: bool


def summarize(network: nn.Module, example: Tree) -> list[LayerSummary]:
    """The layers of `network` for a batch like `example`, in the order in which they are called.

    A layer is a module that calls no other one, or has parameters of its own beside those of the ones it calls. A layer
    that is called twice has its parameters in the first row only, so the rows add up to `num_parameters` where every
    parameter is used. `trains` says whether any of a row's parameters gets a gradient. The network stays as it is.
    """
    names = {module: name for name, module in network.named_modules()}
    parameters = {module: (list(module.parameters()), list(module.parameters(recurse=False))) for module in names}
    rows: list[LayerSummary] = []
    calls: list[bool] = []  # for each module being called: whether it has called another one
    counted: set[nn.Parameter] = set()

    def before(_module: nn.Module, _inputs: Any) -> None:
        if calls:
            calls[-1] = True
        calls.append(False)

    def after(module: nn.Module, _inputs: Any, output: Any) -> None:
        everything, own = parameters[module]
        calls_others = calls.pop()
        if calls_others and not own:
            return
        new = [parameter for parameter in (own if calls_others else everything) if parameter not in counted]
        counted.update(new)
        count, trains = sum(parameter.numel() for parameter in new), any(each.requires_grad for each in new)
        rows.append(LayerSummary(names[module], type(module).__name__, _shape(output), count, trains))

    with _hooks(names, before, after), _evaluating(network), torch.no_grad():
        _on_meta(network, example)
    return rows


def num_parameters(network: nn.Module) -> int:
    """Numbers in all parameters of `network`, trained or frozen; batch norm's statistics are none."""
    return sum(parameter.numel() for parameter in network.parameters())


def forward_flops(network: nn.Module, example: Tree) -> int:
    """Floating-point operations of matrix products and convolutions in a forward pass of a batch like `example`.

    A multiplication with its addition counts as two; element-wise work is left out. Training costs about three times as
    much. The pass is a real one, since on shapes alone it would need torch's compiler, which takes a second to import;
    not where the network has no weights, or recurrent layers, whose kernels hide their products. The network stays as
    it is.
    """
    is_recurrent = any(isinstance(module, nn.RNNBase) for module in network.modules())
    on_shapes = is_recurrent or any(parameter.is_meta for parameter in network.parameters())
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # fused attention is no matrix product to the counter
    try:
        with _evaluating(network), torch.no_grad(), _Counting() as counting:
            if on_shapes:
                _on_meta(network, example)
            else:
                network(example)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return int(counting.flops)


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations of what is done in its block, as torch's FlopCounterMode does."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops: int = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that the compiler need not be imported, only to be told to leave this class alone."""
        return False

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        formula = flop_registry.get(func.overloadpacket)
        if formula is None:
            with self:
                parts = func.decompose(*args, **options)
            return func(*args, **options) if parts is NotImplemented else parts
        result = func(*args, **options)
        self.flops += int(formula(*args, **options, out_val=result))
        return result


def _on_meta(network: nn.Module, example: Tree) -> None:
    """A forward pass over shapes only."""
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    stand_ins = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    torch.func.functional_call(network, stand_ins, (mapped(_on_meta_device, example),))


def _on_meta_device(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta")


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and each module back to its own mode afterwards."""
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


@contextlib.contextmanager
def _hooks(modules: Iterable[nn.Module], before: Callable[..., None], after: Callable[..., None]) -> Iterator[None]:
    handles = []
    for module in modules:
        handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _shape(output: Any) -> tuple[int, ...]:
    """The shape of a module's first output, without the batch."""
    return tuple(first_leaf(output).shape[1:])
