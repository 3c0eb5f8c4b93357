"""A good search by hand: Optuna's TPE over a training loop whose data lies in memory, to a confirmed target.

``python -m benchmarks.optuna_script --dataset mnist|cifar10 --data DIR --target VALUE [--seed N]``, in a directory
where it may write ``search.db``; MNIST in `DIR` as torchvision keeps it, CIFAR-10 as ``train/<class>/*``.

What a capable engineer writes: images decoded once for both processes, scaled and normalised once for each size, large
batches, channels-last memory, Adam's fused step, one cycle of the learning rate, nothing that waits for the loss of a
step, evaluation in batches of 1,000, SQLite with a write-ahead log, MedianPruner with five trials and five epochs to
warm up. Batches of 512, as such scripts have them, are the largest of the choices: smaller ones need fewer epochs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from sqlalchemy import event
from torch import Tensor, nn
from torch.nn import functional
from torchvision.datasets import MNIST, ImageFolder

from benchmarks.optuna_search import WIDTHS, Params, Task, network, run

VALIDATION = 0.1
EVAL_BATCH_SIZE = 1000
SIZES = {"mnist": [14, 16, 20], "cifar10": [16, 20, 24]}
"""Of images, as tunefast searches them."""


def images_of(dataset: str, folder: Path) -> tuple[Tensor, Tensor]:
    """The images that are not for testing, uint8 [N, C, H, W], and their classes."""
    if dataset == "mnist":
        digits = MNIST(str(folder), train=True)
        return digits.data[:, None], digits.targets
    files = ImageFolder(str(folder / "train"))
    pixels = np.stack([np.asarray(image) for image, _ in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.tensor(files.targets)


class Script:
    """Data in memory, and everything done a batch at a time."""

    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=5)

    def __init__(self, task: Task) -> None:
        images, targets = images_of(task.dataset, task.data)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        num_validation = round(VALIDATION * len(images))
        self._images, self._targets = images[order], targets[order]
        self._num_train = len(images) - num_validation
        self._dataset = task.dataset
        self._scaled = cache(self._scaled_to)

    def storage(self) -> optuna.storages.RDBStorage:
        """SQLite with a write-ahead log."""
        storage = optuna.storages.RDBStorage("sqlite:///search.db", engine_kwargs={"connect_args": {"timeout": 30}})

        @event.listens_for(storage.engine, "connect")
        def _wal(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")

        storage.engine.dispose()
        return storage

    def suggest(self, trial: optuna.Trial) -> Params:
        """Adam's rate, the length of the cycle, batch size, and width and image size as tunefast has them."""
        return {
            "lr": trial.suggest_float("lr", 1e-3, 1e-1, log=True),
            "epochs": trial.suggest_categorical("epochs", [3, 5, 10]),
            "batch_size": trial.suggest_categorical("batch_size", [128, 256, 512]),
            "width": trial.suggest_categorical("width", WIDTHS[self._dataset]),
            "image_size": trial.suggest_categorical("image_size", SIZES[self._dataset]),
        }

    def _scaled_to(self, size: int) -> Tensor:
        """All images [N, C, size, size], float32 of mean 0 and deviation 1, in channels-last memory; kept."""
        chunks = torch.split(self._images, EVAL_BATCH_SIZE)
        small = [
            functional.interpolate(chunk.float(), (size, size), mode="bilinear", antialias=True) for chunk in chunks
        ]
        scaled = torch.cat(small).contiguous(memory_format=torch.channels_last)
        train = scaled[: self._num_train]
        mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
        return scaled.sub_(mean).div_(std)

    def train(self, params: Params, seed: int) -> Iterator[float]:
        """Train, and yield the validation accuracy after each epoch."""
        torch.manual_seed(seed)
        images, batch_size, epochs = self._scaled(params["image_size"]), params["batch_size"], params["epochs"]
        model = network(images.shape[1], params["width"]).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), params["lr"], fused=True)
        steps = -(-self._num_train // batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, params["lr"], epochs=epochs, steps_per_epoch=steps)
        for _ in range(epochs):
            model.train()
            for rows in torch.split(torch.randperm(self._num_train), batch_size):
                inputs = self._augmented(images[rows])
                loss = functional.cross_entropy(model(inputs), self._targets[rows])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
            yield self._accuracy(model, images)

    def _augmented(self, inputs: Tensor) -> Tensor:
        if self._dataset == "mnist":
            return inputs
        return torch.where(torch.rand(len(inputs), 1, 1, 1) < 1 / 2, inputs.flip(3), inputs)

    @torch.inference_mode()
    def _accuracy(self, model: nn.Module, images: Tensor) -> float:
        model.eval()
        held_out = (images[self._num_train :], self._targets[self._num_train :])
        batches = zip(*(torch.split(tensor, EVAL_BATCH_SIZE) for tensor in held_out), strict=True)
        right = sum((model(inputs).argmax(1) == targets).sum() for inputs, targets in batches)
        return float(right) / len(held_out[1])


if __name__ == "__main__":
    run(Script, __doc__)
