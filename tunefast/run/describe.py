"""What a recipe comes to before it trains: its layers, what of them trains, and what they cost."""

from __future__ import annotations

from typing import Any, NamedTuple

from tunefast.errors import SpecError, UserError
from tunefast.recipe.models import OwnModel
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.transfer import Transfer
from tunefast.run.prepare import located
from tunefast.spec.study import StudySpec


class Description(NamedTuple):
    """A recipe's model over its data; JSON data."""

    params: dict[str, Any]
    """The searched settings as they were assumed: the first value of each domain."""
    sample_shape: list[int]
    """As the model sees it."""
    outputs: int
    train_samples: int
    validation_samples: int
    steps_per_epoch: int
    num_parameters: int
    trainable_parameters: int
    forward_flops: int
    """Of one sample."""
    features: str
    """How often a frozen backbone runs: once, or in every epoch and why; empty where it trains."""
    layers: list[dict[str, Any]]
    """Name, type, output shape, parameters and whether they train, in the order of the forward pass."""


def describe(spec: StudySpec) -> Description:
    """Build the spec's first recipe on the CPU and look at it; trains nothing.

    Raises `UserError` where the recipe has no model of ours, its data is missing, or its parts do not fit.
    """
    params = next(spec.samples(), {})
    recipe = located(spec).recipe_for(params)
    if not isinstance(recipe, TrainingRecipe):
        raise UserError(message=f"the recipe trains with {recipe.trainer}: there is no model to show")
    import torch

    from tunefast.nn.summary import summarize
    from tunefast.train.loop import open_lane

    unfrozen = recipe.model_copy(update={"transfer": Transfer()})  # or all features would be computed first
    try:
        lane = open_lane(unfrozen, spec.trial_seed(0), torch.device("cpu"))
    except ValueError as error:
        raise SpecError(where=f"study {spec.study.name!r}", problem=str(error)) from error
    recipe.transfer.apply(lane.network, 1)
    try:
        layers = summarize(lane.network, lane.example())
    except Exception as error:
        if isinstance(recipe.model, OwnModel):
            problem = (
                f"model {recipe.model.path!r} does not run on shapes alone ({error}), so its layers cannot be shown"
            )
            raise UserError(message=problem) from error
        raise
    return Description(
        params=dict(params),
        sample_shape=list(lane.input_shape),
        outputs=recipe.loss.num_outputs(lane.raw.targets),
        train_samples=len(lane.raw.train),
        validation_samples=len(lane.raw.validation),
        steps_per_epoch=lane.horizon.steps_per_epoch,
        num_parameters=sum(layer.parameters for layer in layers),
        trainable_parameters=sum(p.numel() for p in lane.network.parameters() if p.requires_grad),
        forward_flops=int(lane.details().get("forward_flops", 0)),
        features=_features(recipe),
        layers=[{**layer._asdict(), "output_shape": list(layer.output_shape)} for layer in layers],
    )


def _features(recipe: TrainingRecipe) -> str:
    if not recipe.transfer.caches_features:
        return ""
    if recipe.caches_features:
        return "computed once and kept in the cache, for all trials: only the head runs in training"
    return "computed in every epoch, because augment makes samples look different each time"
