"""A search as tutorials have it: Optuna over a loop with a DataLoader, to a confirmed target.

``python -m benchmarks.optuna_tutorial --dataset mnist|cifar10 --data DIR --target VALUE [--seed N]``, in a directory
where it may write ``search.db``; MNIST in `DIR` as torchvision keeps it, CIFAR-10 as ``train/<class>/*``.

The loop is that of PyTorch's tutorials: a data set of torchvision's with ToTensor and Normalize a sample at a time,
batches of 64, the loss read after every step, all validation images after every epoch. The search is that of Optuna's
example for PyTorch: optimizer, learning rate and dropout over its ranges, ten epochs, SQLite and the median pruner as
they come. Loader processes would take the cores that the two searching processes have, so there are none.
"""

from __future__ import annotations

from collections.abc import Iterator

import optuna
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, random_split
from torchvision import transforms
from torchvision.datasets import MNIST, ImageFolder

from benchmarks.optuna_search import WIDTHS, Params, Task, network, run

VALIDATION = 0.1
BATCH_SIZE, EPOCHS = 64, 10
MOMENTS = {
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}


class Tutorial:
    """A sample at a time."""

    pruner = optuna.pruners.MedianPruner()

    def __init__(self, task: Task) -> None:
        mean, std = MOMENTS[task.dataset]
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
        if task.dataset == "mnist":
            dataset: MNIST | ImageFolder = MNIST(str(task.data), train=True, transform=transform)
        else:
            dataset = ImageFolder(str(task.data / "train"), transform=transform)
        shares = [1 - VALIDATION, VALIDATION]
        self._train, self._validation = random_split(dataset, shares, torch.Generator().manual_seed(0))
        self._channels, self._dataset = len(mean), task.dataset

    def storage(self) -> optuna.storages.RDBStorage:
        """SQLite as it comes."""
        return optuna.storages.RDBStorage("sqlite:///search.db")

    def suggest(self, trial: optuna.Trial) -> Params:
        """Optimizer, rate and dropout as in Optuna's example, decay, and the width as tunefast has it."""
        return {
            "optimizer": trial.suggest_categorical("optimizer", ["Adam", "SGD"]),
            "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
            "dropout": trial.suggest_float("dropout", 0.2, 0.5),
            "width": trial.suggest_categorical("width", WIDTHS[self._dataset]),
        }

    def train(self, params: Params, seed: int) -> Iterator[float]:
        """Train, and yield the validation accuracy after each epoch."""
        torch.manual_seed(seed)
        train_loader = DataLoader(self._train, BATCH_SIZE, shuffle=True)
        validation_loader = DataLoader(self._validation, BATCH_SIZE)
        model = network(self._channels, params["width"], params["dropout"])
        optimizer = getattr(optim, params["optimizer"])(
            model.parameters(), lr=params["lr"], weight_decay=params["weight_decay"]
        )
        criterion = nn.CrossEntropyLoss()
        for _ in range(EPOCHS):
            model.train()
            running_loss = 0.0
            for inputs, targets in train_loader:
                optimizer.zero_grad()
                loss = criterion(model(inputs), targets)
                loss.backward()
                optimizer.step()
                running_loss += loss.item()
            yield accuracy(model, validation_loader)


def accuracy(model: nn.Module, loader: DataLoader[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Share of the images that `model` gets right."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for inputs, targets in loader:
            correct += (model(inputs).argmax(1) == targets).sum().item()
    return correct / len(loader.dataset)  # type: ignore[arg-type]


if __name__ == "__main__":
    run(Tutorial, __doc__)
