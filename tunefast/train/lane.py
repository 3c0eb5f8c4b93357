"""Lane: one trial's model and everything that changes while it trains."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tunefast.nn.dropout import seed_dropout
from tunefast.recipe.data import IMAGE_AXES
from tunefast.recipe.precision import autocast, loss_scaler
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.seed import derive_seed
from tunefast.train.batches import epoch_order, num_steps, step_groups
from tunefast.train.datasets import Dataset


class EpochTotals(NamedTuple):
    """What one epoch of training added up to."""

    loss: float
    accuracy: float
    steps: int
    samples: int
    learning_rate: float


class Lane:
    """A recipe being trained on `dataset`, with all of its random draws decided by `seed`.

    Raises `ValueError` where the model does not fit the data.
    """

    def __init__(self, recipe: TrainingRecipe, dataset: Dataset, seed: int, device: torch.device) -> None:
        self.recipe = recipe
        self.dataset = dataset
        self.seed = seed
        self.device = device
        self.model = _seeded_model(recipe, dataset, seed).to(device)
        if len(dataset.input_shape) == IMAGE_AXES:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = recipe.optimizer.build(self.model.parameters())
        self.scaler = loss_scaler(recipe.precision, device)
        self._dropout = torch.Generator(device)
        seed_dropout(self.model, self._dropout)
        self._kept: dict[str, Tensor] | None = None
        self._steps_per_epoch = num_steps(len(dataset.train_index), recipe.batch_size, recipe.accumulation_steps)

    def train_epoch(self, epoch: int) -> EpochTotals:
        """Train on every training sample once. `epoch` counts from 1. Synchronises the device once, at the end."""
        recipe, index = self.recipe, self.dataset.train_index
        order = index[epoch_order(len(index), self.seed, epoch).to(self.device)]
        self.model.train()
        totals = torch.zeros(2, device=self.device)
        first_step = (epoch - 1) * self._steps_per_epoch
        for step, group in enumerate(step_groups(order, recipe.batch_size, recipe.accumulation_steps)):
            self._set_schedule(first_step + step)
            self._dropout.manual_seed(derive_seed(self.seed, epoch, step, "dropout"))
            totals += self._step(group)
        loss, correct = (totals / len(index)).tolist()
        return EpochTotals(loss, correct, self._steps_per_epoch, len(index), self.optimizer.param_groups[0]["lr"])

    def _step(self, group: tuple[Tensor, ...]) -> Tensor:
        """One optimizer step over the mean loss of all samples in `group`; returns (summed loss, number correct)."""
        num_samples = sum(len(batch) for batch in group)
        totals = torch.zeros(2, device=self.device)
        for batch in group:
            inputs, labels = self.dataset.normalised(self.dataset.inputs[batch]), self.dataset.labels[batch]
            with autocast(self.recipe.precision, self.device):
                logits = self.model(inputs)
            loss = nn.functional.cross_entropy(logits.float(), labels, reduction="sum")
            torch.autograd.backward(self.scaler.scale(loss / num_samples))
            totals += torch.stack([loss.detach(), (logits.detach().argmax(dim=1) == labels).sum()])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return totals

    def _set_schedule(self, step: int) -> None:
        point = self.recipe.schedule.at(step, self._steps_per_epoch * self.recipe.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.optimizer.lr * point.factor
            if point.momentum is None:
                continue
            if "betas" in group:
                group["betas"] = (point.momentum, group["betas"][1])
            elif group["momentum"] > 0:
                group["momentum"] = point.momentum

    def keep_weights(self) -> None:
        """Keep a copy of the weights as they are now."""
        self._kept = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def restore_weights(self) -> None:
        """Put the kept weights back, if any were kept."""
        if self._kept is not None:
            self.model.load_state_dict(self._kept)


def _seeded_model(recipe: TrainingRecipe, dataset: Dataset, seed: int) -> nn.Module:
    """The untrained model, on the CPU: modules initialise themselves from the CPU's global generator.

    That generator is lent and given back; those of other devices stay as they are.
    """
    recipe.model.check(dataset.input_shape)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "weights"))
        return recipe.model.build(dataset.input_shape, dataset.num_classes)
