"""What does it cost to augment a sample? tunefast on whole batches against torchvision one sample at a time.

``python -m benchmarks.data_path [--data DIR] [--rounds N] [--batch-size N] [--threads N] [--json]``: random crop with
4 pixels of padding, horizontal flip, and normalisation to float32, of images of 32x32 pixels that lie in memory as
bytes, in shuffled order. The peers run torchvision's v2 transforms in a DataLoader, once in its own process with as
many threads as tunefast, once with as many worker processes of one thread each beside it. Rounds alternate. Two threads
need two cores that nothing else uses: where one of them is taken away for a moment, the other waits for it.

tunefast passes over all images in a round, the peers over the first few thousand, since their rate does not depend on
the number. Without ``--data`` (a folder with one folder of images per class) the images are noise: neither side's speed
depends on what they show. The figures are void where both sides' outputs differ in mean or deviation.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from tunefast.nn.images import normalize
from tunefast.recipe.augment import Augment
from tunefast.recipe.data import ImageFolder
from tunefast.recipe.seed import derive_seed

SIZE, PADDING = 32, 4
NUM_IMAGES, NUM_PEER_IMAGES = 51_200, 8192
MEAN, STD = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
TOLERANCE = 0.02
OURS = "tunefast, whole batches"


Side = Callable[[Tensor, int, int], Iterator[Tensor]]


class Samples(Dataset[Tensor]):
    """Images uint8 [N, H, W, C] as a loader wants them: one at a time, transformed."""

    def __init__(self, images: Tensor) -> None:
        self._images = images.permute(0, 3, 1, 2).contiguous()
        self._transform = v2.Compose(
            [
                v2.RandomCrop(SIZE, padding=PADDING),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32),
                v2.Normalize(list(MEAN), list(STD), inplace=True),
            ]
        )

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        transformed: Tensor = self._transform(self._images[index])
        return transformed


def tunefast_batches(images: Tensor, batch_size: int, seed: int) -> Iterator[Tensor]:
    """One epoch's samples as tunefast's training step prepares them."""
    augment = Augment(flip="random", crop_padding=PADDING)
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    scale, shift = 1 / std, -mean / std
    generator = torch.Generator().manual_seed(derive_seed(seed, 1, "order"))
    order = torch.randperm(len(images), generator=generator)
    for step, rows in enumerate(torch.split(order, batch_size)):
        generator.manual_seed(derive_seed(seed, 1, step, 0, "augment"))
        augmented = augment.apply(images.index_select(0, rows), rows, generator, 1, seed)
        yield normalize(augmented, scale, shift)


def loader_batches(images: Tensor, batch_size: int, seed: int) -> Iterator[Tensor]:
    """The transforms of torchvision, a sample at a time, in the training process."""
    return _loaded(images, batch_size, seed, num_workers=0)


def worker_batches(images: Tensor, batch_size: int, seed: int) -> Iterator[Tensor]:
    """The same in as many worker processes as there are threads."""
    return _loaded(images, batch_size, seed, num_workers=torch.get_num_threads())


def _loaded(images: Tensor, batch_size: int, seed: int, *, num_workers: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    samples = Samples(images[:NUM_PEER_IMAGES])
    return iter(DataLoader(samples, batch_size, shuffle=True, num_workers=num_workers, generator=generator))


SIDES: dict[str, Side] = {
    OURS: tunefast_batches,
    "torchvision, DataLoader": loader_batches,
    "torchvision, workers": worker_batches,
}


def samples_per_second(batches: Iterator[Tensor]) -> float:
    """The rate from the second batch on, so that the start of workers does not count."""
    next(batches)
    start = time.perf_counter()
    num_samples = sum(len(batch) for batch in batches)
    return num_samples / (time.perf_counter() - start)


def moments(batches: Iterator[Tensor]) -> tuple[float, float]:
    """Mean and deviation of all values of a pass."""
    values = torch.cat([batch.flatten() for batch in batches])
    return values.mean().item(), values.std().item()


def images_of(folder: Path | None) -> tuple[Tensor, str]:
    """The images to pass over, uint8 [N, 32, 32, 3], and where they are from."""
    if folder is not None:
        decoded = ImageFolder(root=str(folder), image_size=SIZE).decode()
        return torch.from_numpy(decoded.inputs), str(folder)
    generator = torch.Generator().manual_seed(0)
    shape = (NUM_IMAGES, SIZE, SIZE, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator), "noise, since no --data is given"


def main() -> None:
    """Run the rounds and print the table; exits with an error where the outputs disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    images, origin = images_of(arguments.data)
    load = os.getloadavg()[0]
    outputs = {name: moments(side(images[:NUM_PEER_IMAGES], arguments.batch_size, 0)) for name, side in SIDES.items()}
    figures: dict[str, list[float]] = {name: [] for name in SIDES}
    for seed in range(arguments.rounds):
        for name, side in SIDES.items():
            figures[name].append(samples_per_second(side(images, arguments.batch_size, seed)))
    if arguments.json:
        print(json.dumps({"samples_per_second": figures, "mean_and_std": outputs, "threads": arguments.threads}))
    else:
        print(f"crop, flip and normalise {SIZE}x{SIZE}x3: samples a second, times tunefast, mean and deviation")
        print(f"images: {origin}; batches of {arguments.batch_size}; {arguments.threads} threads a side")
        print(f"{arguments.rounds} rounds; load {load:.1f} before, {os.getloadavg()[0]:.1f} after")
        print_table(figures, outputs)
    ours = torch.tensor(outputs[OURS])
    if any((torch.tensor(pair) - ours).abs().max() > TOLERANCE for pair in outputs.values()):
        raise SystemExit(f"void: mean and deviation of the outputs differ by more than {TOLERANCE}: {outputs}")


def print_table(figures: dict[str, list[float]], outputs: dict[str, tuple[float, float]]) -> None:
    """A line a side: median, spread, how many times faster tunefast is, and its outputs' mean and deviation."""
    for name, rates in figures.items():
        ratios = [ours / theirs for ours, theirs in zip(figures[OURS], rates, strict=True)]
        mean, std = outputs[name]
        spread = f"({min(rates):,.0f} to {max(rates):,.0f})"
        times = f"{statistics.median(ratios):6.1f} x ({min(ratios):.1f} to {max(ratios):.1f})"
        print(f"{name:<24} {statistics.median(rates):10,.0f} {spread:<24} {times:<24} {mean:+.3f}, {std:.3f}")


if __name__ == "__main__":
    main()
