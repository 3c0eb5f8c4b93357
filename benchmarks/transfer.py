"""What do 16 heads on a frozen ResNet-18 cost? Kept features against the loop that runs the backbone in every step.

``python -m benchmarks.transfer --data DIR [--images N] [--rounds N] [--threads N] [--json]``: 4 learning rates x 4
batch sizes x 5 epochs with Adam, on 2,000 of CIFAR-10's images (`DIR` has ``train/<class>/*`` and ``test/<class>/*``)
scaled to 224 pixels. No network is needed: the weights are random, drawn with a fixed seed, given the batch statistics
of a few images, and saved as a state dict with torchvision's names. That changes what is learnt, not what it costs.

tunefast's time is all of it: reading the data, computing the features with nothing kept from before, 16 trainings and
their evaluations. The plain loop would take hours: `TIMED_IMAGES` images of one head are timed in each round and scaled
to 16 heads and 5 epochs over all images, those of the validation part too, which tutorials also pass in each epoch.
Rounds alternate, each side in a process of its own.

The figures are void where the two disagree: each of tunefast's heads, over the whole network as torchvision builds it,
must give tunefast's validation accuracy within `TOLERANCE`, and the same head trained by the plain loop (over features
of torchvision's network in fp32, which a frozen backbone gives in every step) must be as accurate within `NOISE`.
"""

from __future__ import annotations

import functools
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from torchvision import models, transforms

from benchmarks.peers import Cifar10, Images, Side, lane_of, options
from tunefast.spec.progress import Answer, Verdict
from tunefast.train.cache import CACHE_VARIABLE
from tunefast.train.loop import train_lane
from tunefast.train.process import keep_freed_memory

SIZE = 224
RATES, BATCH_SIZES, EPOCHS = (1e-4, 3e-4, 1e-3, 3e-3), (16, 32, 64, 128), 5
NUM_IMAGES, NUM_TEST_IMAGES, VALIDATION = 2000, 200, 0.2
TIMED_IMAGES, TIMED_BATCH_SIZE = 128, 32
CALIBRATION_IMAGES = 64
TOLERANCE, NOISE = 0.02, 0.05
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NUM_FEATURES, NUM_CLASSES = 512, 10


class Head(NamedTuple):
    """A head that was trained: where it stands, and what it weighs."""

    accuracy: float
    """On the validation images, as its trainer saw it."""
    weight: np.ndarray[Any, np.dtype[np.float32]]
    bias: np.ndarray[Any, np.dtype[np.float32]]


class Kept(NamedTuple):
    """tunefast's side: all heads, and the seconds that they took."""

    seconds: float
    heads: list[Head]


class Files(NamedTuple):
    """What both sides read."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The state dict."""
        return self.folder / "resnet18.pth"

    def settings(self, lr: float, batch_size: int) -> dict[str, Any]:
        """A recipe of tunefast."""
        return {
            "epochs": EPOCHS,
            "data": {"name": "npz", "root": str(self.folder), "file": "images.npz", "validation": VALIDATION},
            "model": {"name": "torchvision", "arch": "resnet18", "weights": str(self.weights)},
            "transfer": {"freeze": "backbone"},
            "preprocess": {"image_size": SIZE},
            "optimizer": {"name": "adam", "lr": lr},
            "batch_size": batch_size,
            "precision": "auto",
        }


def write_files(data: Cifar10, folder: Path, num_images: int) -> Files:
    """The first images of a shuffle, and random weights with the batch statistics that go with them."""
    train, test = data.images()
    rows = torch.randperm(len(train.targets), generator=torch.Generator().manual_seed(0))[:num_images]
    few = torch.randperm(len(test.targets), generator=torch.Generator().manual_seed(0))[:NUM_TEST_IMAGES]
    arrays = {"inputs": train.inputs[rows], "targets": train.targets[rows]}
    arrays |= {"test_inputs": test.inputs[few], "test_targets": test.targets[few]}
    saved: dict[str, Any] = {name: value.numpy() for name, value in arrays.items()}
    np.savez(folder / "images.npz", **saved)
    torch.manual_seed(0)
    model = models.resnet18(norm_layer=functools.partial(nn.BatchNorm2d, momentum=1.0))
    some = Images(arrays["inputs"][:CALIBRATION_IMAGES], arrays["targets"][:CALIBRATION_IMAGES])
    with torch.no_grad():
        model.train()(torch.stack([image for image, _ in images_at_size(some)]))
    torch.save(model.state_dict(), folder / "resnet18.pth")
    return Files(folder)


def kept_features(files: Files, cache: Path) -> Kept:
    """Train all heads as a worker of tunefast does, beginning with an empty cache."""
    os.environ[CACHE_VARIABLE] = str(cache)
    keep_freed_memory()
    start, heads = time.perf_counter(), []
    for lr in RATES:
        for batch_size in BATCH_SIZES:
            lane = lane_of(files.settings(lr, batch_size), 0)
            training = train_lane(lane)
            report = next(training)
            for _ in range(EPOCHS - 1):
                report = training.send(Answer(verdict=Verdict.CONTINUE))
            training.close()
            weight, bias = (parameter.detach().numpy() for parameter in lane.network.head.parameters())
            heads.append(Head(report.metrics["val_accuracy"], weight, bias))
    return Kept(time.perf_counter() - start, heads)


def torchvision_network(files: Files, last: nn.Module) -> nn.Module:
    """The network as tutorials build it: all weights frozen, and a new last layer."""
    model: nn.Module = models.resnet18()
    model.load_state_dict(torch.load(files.weights, weights_only=True))
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.fc = last
    return model.eval()


def plain_seconds_per_image(files: Files, images: Images) -> float:
    """Of a training step of the plain loop: the whole network forward, the last layer backward."""
    head = nn.Linear(NUM_FEATURES, NUM_CLASSES)
    model = torchvision_network(files, head)
    optimizer = torch.optim.Adam(head.parameters(), lr=RATES[0])
    inputs = torch.stack([image for image, _ in images_at_size(images)])
    loader = DataLoader(TensorDataset(inputs, images.targets), TIMED_BATCH_SIZE, shuffle=True)
    start = time.perf_counter()
    for batch, targets in loader:
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(model(batch), targets))
        optimizer.step()
    return (time.perf_counter() - start) / len(images.targets)


def images_at_size(images: Images) -> list[tuple[Tensor, int]]:
    """Images scaled and normalised one at a time, once: their preparation is left out of the plain loop's time."""
    steps = [transforms.ToPILImage(), transforms.Resize(SIZE), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    prepare = transforms.Compose(steps)
    pairs = zip(images.inputs.permute(0, 3, 1, 2), images.targets.tolist(), strict=True)
    return [(prepare(image), target) for image, target in pairs]


@torch.inference_mode()
def plain_features(files: Files, images: Images) -> Tensor:
    """What the frozen network gives its last layer, fp32 [N, 512]."""
    model = torchvision_network(files, nn.Identity())
    rows = torch.split(torch.arange(len(images.targets)), TIMED_BATCH_SIZE)
    chunks = (Images(images.inputs[chunk], images.targets[chunk]) for chunk in rows)
    return torch.cat([model(torch.stack([image for image, _ in images_at_size(chunk)])) for chunk in chunks])


def plain_head(features: Tensor, targets: Tensor, lr: float, batch_size: int) -> nn.Linear:
    """A last layer trained on features, as the plain loop would train it."""
    torch.manual_seed(0)
    head = nn.Linear(features.shape[1], NUM_CLASSES)
    optimizer = torch.optim.Adam(head.parameters(), lr=lr)
    for _ in range(EPOCHS):
        for inputs, classes in DataLoader(TensorDataset(features, targets), batch_size, shuffle=True):
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(head(inputs), classes))
            optimizer.step()
    return head


def disagreements(files: Files, heads: list[Head]) -> tuple[float, float, float]:
    """How far tunefast's accuracies are from the plain side's.

    The largest difference of one of `heads` on torchvision's network, and the mean accuracies of tunefast's heads and
    of those that the plain loop trains.
    """
    raw = lane_of(files.settings(RATES[0], BATCH_SIZES[0]), 0).raw
    parts = [Images(part.inputs[part.rows], part.targets[part.rows]) for part in (raw.train, raw.validation)]
    train, validation = (plain_features(files, part).clone() for part in parts)
    classes = parts[1].targets
    gaps, plain = [], []
    settings = [(lr, batch_size) for lr in RATES for batch_size in BATCH_SIZES]
    for (lr, batch_size), head in zip(settings, heads, strict=True):
        logits = functional.linear(validation, torch.from_numpy(head.weight), torch.from_numpy(head.bias))
        gaps.append(abs(share_right(logits, classes) - head.accuracy))
        plain.append(share_right(plain_head(train, parts[0].targets, lr, batch_size)(validation), classes))
    return max(gaps), statistics.mean(head.accuracy for head in heads), statistics.mean(plain)


def share_right(logits: Tensor, classes: Tensor) -> float:
    """The accuracy of logits [N, K]."""
    return (logits.argmax(1) == classes).float().mean().item()


def measure(files: Files, rounds: int, threads: int) -> tuple[list[Kept], list[float]]:
    """Both sides in turn: tunefast's trainings, and the plain loop's seconds scaled to as many."""
    ours, theirs = Side(threads), Side(threads)
    with np.load(files.folder / "images.npz") as arrays:
        images = Images(*(torch.from_numpy(arrays[name]) for name in ("inputs", "targets")))
    timed = Images(images.inputs[:TIMED_IMAGES], images.targets[:TIMED_IMAGES])
    passes = len(images.targets) * EPOCHS * len(RATES) * len(BATCH_SIZES)
    kept, plain = [], []
    for round_ in range(rounds):
        cache = files.folder / f"cache{round_}"
        kept.append(Kept(*ours.call(kept_features, files, cache)))
        plain.append(theirs.call(plain_seconds_per_image, files, timed) * passes)
    ours.close()
    theirs.close()
    return kept, plain


def main() -> None:
    """Run the rounds and print the table; exits with an error where accuracies disagree."""
    parser = options(__doc__)
    parser.add_argument("--images", type=int, default=NUM_IMAGES)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Cifar10(arguments.data.absolute()), Path(folder), arguments.images)
        kept, plain = measure(files, arguments.rounds, arguments.threads)
        gap, ours, theirs = disagreements(files, kept[0].heads)
    seconds = [side.seconds for side in kept]
    ratios = [slow / fast for slow, fast in zip(plain, seconds, strict=True)]
    if arguments.json:
        print(json.dumps({"tunefast": seconds, "plain, scaled": plain, "accuracy": [ours, theirs], "gap": gap}))
    else:
        print(
            f"{len(kept[0].heads)} heads x {EPOCHS} epochs, {arguments.images} images of {SIZE} pixels, a fifth of them"
        )
        print(f"for validation; {arguments.rounds} rounds; {arguments.threads} threads a side; load before {load:.1f}")
        print(f"tunefast, all of it   {statistics.median(seconds):9.1f} s ({min(seconds):.1f} to {max(seconds):.1f})")
        print(f"plain loop, scaled    {statistics.median(plain):9.0f} s ({min(plain):.0f} to {max(plain):.0f})")
        print(f"ratio                 {statistics.median(ratios):9.0f} x ({min(ratios):.0f} to {max(ratios):.0f})")
        print(
            f"mean validation accuracy: {ours:.3f}, plain {theirs:.3f}; a head on torchvision's own network: ", end=""
        )
        print(f"at most {gap:.3f} apart")
    if gap > TOLERANCE or abs(ours - theirs) > NOISE:
        raise SystemExit(f"void: accuracies differ: {ours:.3f}, plain {theirs:.3f}; a head by up to {gap:.3f}")


if __name__ == "__main__":
    main()
