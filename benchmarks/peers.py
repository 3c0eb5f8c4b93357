"""The training loops that tunefast is measured against, and the images that all sides train on.

`plain` is the loop of tutorials: a DataLoader that crops, flips and normalises one sample at a time with torchvision,
three blocks of convolution, norm and pooling with 32, 64 and 128 channels, Adam at 1e-3, batches of 32, NCHW, fp32.
`tuned` is what an experienced user makes of it by hand: the data in memory as one tensor, augmented a batch at a time,
batches of 256, one cycle of the learning rate, channels-last memory.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from tunefast.recipe.recipe import RECIPE, TrainingRecipe
from tunefast.train.datasets import load_dataset
from tunefast.train.lane import Lane
from tunefast.train.loop import open_lane
from tunefast.train.process import keep_freed_memory

SIZE, PADDING, NUM_CLASSES = 32, 4, 10
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
PLAIN_BATCH_SIZE, PLAIN_LR = 32, 1e-3
TUNED_BATCH_SIZE, TUNED_LR = 256, 1e-2
EVAL_BATCH_SIZE = 1000
CPU = torch.device("cpu")

Result = TypeVar("Result")


class Images(NamedTuple):
    """Images uint8 [N, 32, 32, 3] with their classes int64 [N]."""

    inputs: Tensor
    targets: Tensor


def options(description: str | None) -> argparse.ArgumentParser:
    """What every comparison over CIFAR-10 is told on the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    return parser


class Cifar10(NamedTuple):
    """CIFAR-10 as images in ``folder/train/<class>/*`` and ``folder/test/<class>/*``."""

    folder: Path
    fraction: float = 1.0
    """Share of the training images that is used."""

    @property
    def part(self) -> dict[str, Any]:
        """The data part of a recipe over it."""
        return {"name": "image_folder", "root": str(self.folder), "fraction": self.fraction}

    def images(self) -> tuple[Images, Images]:
        """What all sides train and test on: a tenth of the training images is left out, for tunefast's validation."""
        dataset = load_dataset(recipe_of({"data": self.part}).data, CPU)
        train, test = dataset.train.take(torch.arange(len(dataset.train))), dataset.test
        return Images(train.inputs, train.targets), Images(test.inputs, test.targets)


class Trained(NamedTuple):
    """Where a training stands after an epoch."""

    seconds: float
    """Of training so far; evaluation is left out."""
    loss: float
    """Mean over the epoch."""
    accuracy: float
    """On the test images."""


def network() -> nn.Sequential:
    """Three blocks of convolution, norm, activation and pooling, then a mean: ``small_cnn`` 32 wide and 3 deep."""
    channels = 3
    blocks: list[nn.Module] = []
    for outputs in (32, 64, 128):
        convolution = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
        blocks += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        channels = outputs
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, NUM_CLASSES))


class PerSample(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's data sets give them: one PIL image at a time, transformed."""

    def __init__(self, images: Images) -> None:
        self._arrays, self._targets = images.inputs.numpy(), images.targets.tolist()
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(SIZE, padding=PADDING),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self._targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._arrays[index])), self._targets[index]


def plain(data: Cifar10, seed: int, epochs: int, num_workers: int = 0) -> Iterator[Trained]:
    """The loop of tutorials; yields after each epoch."""
    train, test = data.images()
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=PLAIN_LR)
    loader = DataLoader(PerSample(train), PLAIN_BATCH_SIZE, shuffle=True, num_workers=num_workers)
    seconds = 0.0
    for _ in range(epochs):
        start, total = time.perf_counter(), 0.0
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs), targets)
            torch.autograd.backward(loss)
            optimizer.step()
            total += loss.item() * len(targets)
        seconds += time.perf_counter() - start
        yield Trained(seconds, total / len(train.targets), accuracy(model, test))


def tuned(data: Cifar10, seed: int, epochs: int, batch_size: int = TUNED_BATCH_SIZE) -> Iterator[Trained]:
    """The same loop tuned by hand; yields after each epoch."""
    train, test = data.images()
    torch.manual_seed(seed)
    model = network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=TUNED_LR, fused=True)
    start = time.perf_counter()
    padded = functional.pad(train.inputs, (0, 0, *(PADDING,) * 4))
    seconds = time.perf_counter() - start
    steps = -(-len(padded) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, TUNED_LR, epochs=epochs, steps_per_epoch=steps)
    for _ in range(epochs):
        start, total = time.perf_counter(), torch.zeros(())
        model.train()
        for rows in torch.split(torch.randperm(len(padded)), batch_size):
            optimizer.zero_grad()
            inputs = normalized(batch_augmented(padded[rows]))
            loss = functional.cross_entropy(model(inputs), train.targets[rows])
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(rows)
        seconds += time.perf_counter() - start
        yield Trained(seconds, total.item() / len(padded), accuracy(model, test))


def batch_augmented(padded: Tensor) -> Tensor:
    """Crops and flips of padded images [n, H, W, C]: half of the batch flipped, and one offset for all, as is usual."""
    top, left = torch.randint(2 * PADDING + 1, (2,)).tolist()
    crops = padded[:, top : top + SIZE, left : left + SIZE]
    flipped = torch.rand(len(crops)) < 1 / 2
    return torch.where(flipped[:, None, None, None], crops.flip(2), crops)


def normalized(images: Tensor) -> Tensor:
    """Bytes [n, H, W, C] as float32 [n, C, H, W] of mean 0 and deviation 1, in channels-last memory."""
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std


@torch.inference_mode()
def accuracy(model: nn.Module, test: Images) -> float:
    """Share of the test images that `model` gets right."""
    model.eval()
    chunks = zip(*(torch.split(tensor, EVAL_BATCH_SIZE) for tensor in test), strict=True)
    return sum(int((model(normalized(x)).argmax(1) == y).sum()) for x, y in chunks) / len(test.targets)


def tunefast(settings: dict[str, Any], seed: int) -> Iterator[Trained]:
    """The loop of a tunefast trial over a recipe; yields after each epoch."""
    keep_freed_memory()  # as a worker does
    lane = lane_of(settings, seed)
    seconds = 0.0
    for epoch in range(1, lane.recipe.epochs + 1):
        start = time.perf_counter()
        totals = lane.train_epoch(epoch)
        seconds += time.perf_counter() - start
        yield Trained(seconds, totals.loss, lane.evaluate_test()["accuracy"])


def lane_of(settings: dict[str, Any], seed: int) -> Lane:
    """A lane over a recipe that is given as plain data, on the CPU."""
    return open_lane(recipe_of(settings), seed, CPU)


def recipe_of(settings: dict[str, Any]) -> TrainingRecipe:
    """A recipe that is given as plain data, checked."""
    recipe = RECIPE.validate_python(settings)
    if not isinstance(recipe, TrainingRecipe):
        raise TypeError(f"no training recipe: {settings}")
    return recipe


class Side:
    """A process of its own, with so many threads: no side gains or loses by what another sets or leaves behind."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(1, context, torch.set_num_threads, (threads,))

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What the function gives in that process."""
        return self._executor.submit(function, *arguments).result()

    def train(self, loop: Callable[..., Iterator[Trained]], *arguments: Any, target: float = math.inf) -> list[Trained]:
        """The epochs of a loop, up to the first that reaches `target`."""
        return self.call(epochs_until, target, loop, *arguments)

    def close(self) -> None:
        """End the process."""
        self._executor.shutdown()


def epochs_until(target: float, loop: Callable[..., Iterator[Trained]], *arguments: Any) -> list[Trained]:
    """The epochs of a loop, up to the first whose test accuracy reaches `target`."""
    epochs: list[Trained] = []
    for epoch in loop(*arguments):
        epochs.append(epoch)
        if epoch.accuracy >= target:
            break
    return epochs


def rates_by_workers(data: Cifar10, counts: tuple[int, ...], threads: int) -> dict[int, float]:
    """Samples a second of the plain loop by the number of its DataLoader's worker processes."""
    side = Side(threads)
    num_samples = len(data.images()[0].targets)
    rates = {count: num_samples / side.train(plain, data, 0, 1, count)[0].seconds for count in counts}
    side.close()
    return rates
