"""What a model returns, and what a loss makes of it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tunefast.nn.trees import Tree, described
from tunefast.recipe.losses import OwnLoss
from tunefast.recipe.models import OwnModel
from tunefast.recipe.own_errors import told_of
from tunefast.recipe.recipe import TrainingRecipe


def as_float(outputs: Any) -> Any:
    """A model's outputs in float32, where they are a tensor of real numbers; else as they are."""
    return outputs.float() if isinstance(outputs, Tensor) and outputs.is_floating_point() else outputs


def sample_losses(recipe: TrainingRecipe, outputs: Any, encoded: Tree, weights: Tensor | None) -> Tensor:
    """The recipe's loss of each sample [n].

    Raises `ValueError` that names the model where it is the user's own and a built-in loss does not take its outputs.
    """
    if not isinstance(recipe.model, OwnModel) or isinstance(recipe.loss, OwnLoss):
        return recipe.loss.per_sample(outputs, encoded, weights)
    model, loss = recipe.model.path, recipe.loss.name
    with told_of(f"model {model!r} returned {described(outputs)}, which the loss {loss!r} does not take"):
        return recipe.loss.per_sample(outputs, encoded, weights)
