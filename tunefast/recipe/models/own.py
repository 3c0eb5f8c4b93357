"""A model of the user's own, by dotted path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from tunefast.recipe.models.base import ModelPart
from tunefast.recipe.own import OwnPart

if TYPE_CHECKING:
    from tunefast.nn.network import Network


class OwnModel(OwnPart, ModelPart):
    """A torch module of your own: the class, or the function that makes one, at ``package.module:name``.

    It is called with `options`, and with `input_shape` and `num_outputs` where it has parameters of these names: the
    shape of one sample, and how many outputs the loss needs. Its ``forward`` gets a batch: a tensor, or the tensors of
    a tuple or dict as arguments. To freeze and cache parts of it (`transfer`), and for Muon to know its last layer,
    return a ``tunefast.nn.network.Network(backbone, head)``.
    """

    name: Literal["own"] = "own"
    path: str = OwnPart.at("my_models:MyModel")
    """Dotted path of the class or function, ``my_package.my_module:MyModel``."""

    def build(self, input_shape: Sequence[int], num_outputs: int) -> Network:
        """The module, as the backbone of a network whose head does nothing. Raises `ValueError` where it is none."""
        from torch import nn

        from tunefast.nn.network import Network
        from tunefast.nn.trees import Called

        module = self.made(input_shape=tuple(input_shape), num_outputs=num_outputs)
        if isinstance(module, Network):
            return module
        if not isinstance(module, nn.Module):
            raise ValueError(f"model {self.path!r} made {type(module).__name__}, not a torch.nn.Module")  # noqa: TRY004
        return Network(Called(module), nn.Identity())
