"""Lane: one trial's model and everything that changes while it trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tunefast.nn.dropout import seed_dropout
from tunefast.nn.network import Network
from tunefast.nn.summary import forward_flops, num_parameters
from tunefast.nn.trees import Tree
from tunefast.recipe.metrics import num_correct
from tunefast.recipe.models import OwnModel
from tunefast.recipe.own import import_anew
from tunefast.recipe.precision import autocast, fp32_products, loss_scaler
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.schedules import Horizon
from tunefast.recipe.seed import derive_seed
from tunefast.spec.costs import BACKWARD_FLOPS
from tunefast.spec.progress import EpochReport
from tunefast.train.averaging import Average
from tunefast.train.batches import epoch_order, fetch, step_groups
from tunefast.train.compiling import Compiled
from tunefast.train.datasets import Batch, Dataset, Samples
from tunefast.train.evaluate import evaluate
from tunefast.train.features import feature_dataset
from tunefast.train.outputs import as_float, sample_losses
from tunefast.train.parameters import (
    let_momentum_cycle,
    parameter_groups,
    penalty,
    set_schedule,
    start_momentum,
    trainable,
)
from tunefast.train.phases import Phases
from tunefast.train.preparing import Preparation
from tunefast.train.totals import EpochTotals

MakeFeatures = Callable[[TrainingRecipe, Dataset, Network, Preparation, torch.device], Dataset]


class Lane:
    """A recipe being trained on `dataset`, with all of its random draws decided by `seed`.

    Raises `ValueError` where the model, the loss or an augmentation does not fit the data.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        dataset: Dataset,
        seed: int,
        device: torch.device,
        features: MakeFeatures = feature_dataset,
    ) -> None:
        if recipe.own_parts():
            import_anew()
        check(recipe, dataset)
        self.recipe, self.raw, self.seed, self.device = recipe, dataset, seed, device
        self.network = _seeded_network(recipe, dataset, seed).to(device)
        if len(dataset.sample_shape) == 3:  # noqa: PLR2004  channels, height, width
            layout = torch.channels_last if recipe.hardware.channels_last else torch.contiguous_format
            self.network = self.network.to(memory_format=layout)
        recipe.transfer.check(self.network)
        self.preparation = Preparation(recipe, dataset, seed, device)
        self.dataset = dataset
        self._whole = True
        if recipe.caches_features:
            self.dataset = features(recipe, dataset, self.network, self.preparation, device)
            self.preparation, self._whole = self.preparation.of_features(), False
        self.optimizer = recipe.optimizer.build(parameter_groups(self.network, recipe))
        let_momentum_cycle(self.optimizer)
        self.scaler = loss_scaler(recipe.precision, device)
        if self.scaler.is_enabled():
            start_momentum(self.optimizer)
        self._counts_correct = "accuracy" in recipe.validated_metrics
        self._own_draws = bool(recipe.own_parts())
        self._one = torch.ones((), device=device)
        """Scaled by the scaler it is the loss scale, still on the device; that falls after an overflow."""
        self.average: Average | None = None
        if recipe.averaging is not None:
            self.average = Average(self.network, recipe.averaging, head_only=not self._whole)
        self.adapted = 1.0
        """What the rate is multiplied with because of how training went: see `SchedulePart.adapted`."""
        self.rate = 0.0
        """The recipe's learning rate at the last step; groups may have shares of it."""
        self.kept: dict[str, Tensor] | None = None
        self.phases = Phases()
        self._forward = self._compiled()
        self._dropout = torch.Generator(device)
        seed_dropout(self.network, self._dropout)
        self.horizon = Horizon(recipe.epochs, len(self._groups(1)))

    def train_epoch(self, epoch: int, num_steps: int | None = None) -> EpochTotals:
        """Train on every training sample once, or for `num_steps`. `epoch` counts from 1.

        Synchronises the device once, at the end.
        """
        groups = self._groups(epoch)[:num_steps]
        first = (epoch - 1) * self.horizon.steps_per_epoch
        self.network.train()
        self.recipe.transfer.apply(self.network, epoch)
        if epoch == self.recipe.transfer.unfreeze_epoch:
            start_momentum(self.optimizer)
        parameters = trainable(self.network)
        totals = torch.zeros(3, device=self.device)
        batches = fetch(self.dataset.train, groups, self.device, self.recipe.hardware)
        with fp32_products(self.recipe.precision, self.device):
            for step, group in enumerate(batches):
                self.phases.mark("data")
                self._set_schedule(first + step)
                totals += self._step(group, parameters, epoch, step)
        samples = sum(len(positions) for group in groups for positions in group)
        loss, correct, skipped = totals.tolist()
        return EpochTotals(
            loss=loss / samples,
            accuracy=correct / samples if self._counts_correct else None,
            steps=len(groups),
            samples=samples,
            learning_rate=self.rate,
            skipped_steps=int(skipped),
        )

    def _groups(self, epoch: int) -> list[tuple[Tensor, ...]]:
        recipe, num_samples = self.recipe, len(self.dataset.train)
        order = epoch_order(num_samples, self.seed, epoch)
        groups = step_groups(order, recipe.batch_size, recipe.accumulation_steps, drop_last=recipe.drop_last)
        return list(groups)

    def _step(self, group: tuple[Batch, ...], parameters: list[nn.Parameter], epoch: int, step: int) -> Tensor:
        """One optimizer step over the mean loss of all samples in `group`.

        Returns the summed loss, how many were right, and 1 where the step was left out.
        """
        num_samples = sum(len(batch.rows) for batch in group)
        totals = torch.zeros(3, device=self.device)
        for position, batch in enumerate(group):
            if self._own_draws:
                torch.manual_seed(derive_seed(self.seed, epoch, step, position, "own"))
            inputs, encoded = self.preparation.training(batch, epoch, step, position)
            self.phases.mark("preparation")
            self._dropout.manual_seed(derive_seed(self.seed, epoch, step, position, "dropout"))
            with autocast(self.recipe.precision, self.device):
                outputs = self._forward(inputs)
            outputs = as_float(outputs)
            loss = sample_losses(self.recipe, outputs, encoded, self.preparation.class_weights).sum()
            objective = loss / num_samples
            extra = penalty(parameters, self.recipe.penalty.l1, self.recipe.penalty.l2) if position == 0 else None
            self.phases.mark("forward")
            torch.autograd.backward(self.scaler.scale(objective if extra is None else objective + extra))
            totals[0] += loss.detach()
            if self._counts_correct:
                totals[1] += num_correct(outputs.detach(), batch.targets)
            self.phases.mark("backward")
        totals[2] = self._update(parameters)
        if self.average is not None:
            self.average.update((epoch - 1) * self.horizon.steps_per_epoch + step)
        self.phases.mark("optimizer")
        return totals

    def _update(self, parameters: list[nn.Parameter]) -> Tensor:
        """Clip, step and clear the gradients; returns 1 where the step was left out because fp16 overflowed, else 0."""
        clipping = self.recipe.clipping
        if clipping.norm is not None or clipping.value is not None:
            self.scaler.unscale_(self.optimizer)
            if clipping.value is not None:
                nn.utils.clip_grad_value_(parameters, clipping.value)
            if clipping.norm is not None:
                nn.utils.clip_grad_norm_(parameters, clipping.norm)
        before = self.scaler.scale(self._one)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return (self.scaler.scale(self._one) < before).float()

    def _set_schedule(self, step: int) -> None:
        point = self.recipe.schedule.point(step, self.horizon)
        self.rate = self.recipe.optimizer.lr * self.recipe.lr_factor * point.factor * self.adapted
        set_schedule(self.optimizer, point, self.adapted)

    def _compiled(self) -> Callable[[Tree], Any]:
        """What maps prepared inputs to outputs: the network, or its head over cached features; compiled if it pays."""
        module = self.changing(self.network)
        samples = len(self.dataset.train) * self.recipe.epochs
        if self.recipe.hardware.compile == "off":
            return module
        flops = self.details().get("forward_flops", 0) * BACKWARD_FLOPS * samples
        if not self.recipe.hardware.compiles(int(flops), self.device.type):
            return module
        return Compiled(module)

    @property
    def compile_seconds(self) -> float:
        """Spent so far on making the network faster."""
        return self._forward.seconds if isinstance(self._forward, Compiled) else 0.0

    def changing(self, network: Network) -> nn.Module:
        """What changes while this lane trains: `network`, or its head alone where features are kept."""
        return network if self._whole else network.head

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as the network sees it, after images were scaled."""
        return self.recipe.input_shape(self.raw.sample_shape)

    def example(self) -> Tree:
        """One training sample as the network sees it, a batch of one."""
        batch = self.raw.train.take(torch.zeros(1, dtype=torch.long, device=self.raw.train.rows.device))
        return Preparation(self.recipe, self.raw, self.seed, self.device).inputs(batch.to(self.device).inputs)

    def details(self) -> dict[str, float]:
        """What the model costs: its parameters, and operations of one forward pass of one sample.

        Without the latter for a model of the user's own that does not run like this.
        """
        known: dict[str, float] = {"num_parameters": num_parameters(self.network)}
        try:
            return {**known, "forward_flops": forward_flops(self.network, self.example())}
        except Exception:
            if isinstance(self.recipe.model, OwnModel):
                return known
            raise

    def evaluate(self, num_samples: int | None = None) -> dict[str, float]:
        """Loss and metrics on the validation part, or its first samples.

        By the averaged weights, where there are any.
        """
        samples = self.dataset.validation
        if num_samples is not None:
            samples = replace(samples, rows=samples.rows[:num_samples])
        return self._evaluate(self.changing(self.judged), samples, self.preparation)

    def evaluate_test(self) -> dict[str, float]:
        """Loss and metrics on the test part, by the whole network."""
        preparation = Preparation(self.recipe, self.raw, self.seed, self.device)
        return self._evaluate(self.judged, self.raw.test, preparation)

    def _evaluate(self, module: nn.Module, samples: Samples, preparation: Preparation) -> dict[str, float]:
        module.eval()
        recipe = self.recipe
        return evaluate(
            module, samples, preparation, recipe.loss, recipe.validated_metrics, recipe.precision, self.device
        )

    @property
    def judged(self) -> Network:
        """The network whose value counts."""
        return self.network if self.average is None else self.average.network

    def adapt(self, reports: Sequence[EpochReport]) -> None:
        """Let the schedule look at how training went so far, before the next epoch."""
        monitor = getattr(self.recipe.schedule, "monitor", None)
        if monitor is not None:
            self.adapted = self.recipe.schedule.adapted([report.metrics[monitor] for report in reports])

    def keep_weights(self) -> None:
        """Keep a copy of the weights that count, as they are now."""
        state = self.changing(self.judged).state_dict()
        self.kept = {name: value.detach().clone() for name, value in state.items()}

    def result(self) -> Network:
        """The network with the weights that count: the kept ones, if any were kept, else the last."""
        if self.kept is not None:
            self.changing(self.judged).load_state_dict(self.kept)
        return self.judged


def check(recipe: TrainingRecipe, dataset: Dataset) -> None:
    """Raise `ValueError` where a part of the recipe cannot take the data's samples or targets."""
    recipe.check(
        dataset.sample_shape,
        dataset.targets,
        is_images=dataset.is_images,
        num_train=len(dataset.train),
        scaled=dataset.scaled,
    )


def _seeded_network(recipe: TrainingRecipe, dataset: Dataset, seed: int) -> Network:
    """The untrained network, on the CPU: modules initialise themselves from the CPU's global generator.

    That generator is lent and given back; those of other devices stay as they are.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "weights"))
        return recipe.model.build(recipe.input_shape(dataset.sample_shape), recipe.loss.num_outputs(dataset.targets))
