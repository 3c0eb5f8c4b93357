"""Models, data sets, losses, metrics, optimizers and augmentations as users write them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset, IterableDataset

from tunefast.nn.network import Network


class Perceptron(nn.Module):
    """Takes whatever numbers there are."""

    def __init__(self, input_shape: tuple[int, ...], num_outputs: int, width: int = 16, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden = nn.Linear(torch.Size(input_shape).numel(), width)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Scores [n, num_outputs]."""
        scores: Tensor = self.last(self.dropout(functional.relu(self.hidden(x.flatten(1)))))
        return scores


class Limited(Perceptron):
    """Learns from batches of at most `limit` samples, and raises the built-in error `problem` of larger ones."""

    def __init__(
        self, input_shape: tuple[int, ...], num_outputs: int, limit: int, problem: str, words: tuple[str, ...] = ()
    ) -> None:
        super().__init__(input_shape, num_outputs)
        self.limit = limit
        self.problem: Exception = getattr(builtins, problem)(*words)

    def forward(self, x: Tensor) -> Tensor:
        """Scores [n, num_outputs]."""
        if self.training and len(x) > self.limit:
            raise self.problem
        return super().forward(x)


def network(input_shape: tuple[int, ...], num_outputs: int, width: int = 16, dropout: float = 0.0) -> Network:
    """A network of two blocks that tells its head."""
    first = nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(input_shape).numel(), width), nn.ReLU())
    second = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU())
    return Network(nn.Sequential(first, second), nn.Linear(width, num_outputs))


def binary(outputs: Tensor, targets: Tensor, weight: float = 1.0) -> Tensor:
    """A loss of labels, one value a sample."""
    losses = functional.binary_cross_entropy_with_logits(outputs, targets.float(), reduction="none")
    return weight * losses.mean(dim=1)


def mean_binary(outputs: Tensor, targets: Tensor) -> Tensor:
    """The same as a mean."""
    return binary(outputs, targets).mean()


class Columns(Dataset[tuple[Tensor, Tensor]]):
    """Numbers, and three classes to be told from them at once."""

    def __init__(self, samples: int = 200) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(samples, 6, generator=generator)
        self.targets = (self.inputs[:, :3] > 0).long() + (self.inputs[:, 3:] > 0).long()

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.inputs[index], self.targets[index]


def columns_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of three classes in each of three columns, as a mean."""
    return functional.cross_entropy(outputs.reshape(len(targets), 3, 3), targets)


class Shapes(Dataset[tuple[Any, Any]]):
    """Grey images of a bright rectangle in noise, and where it is: a mask."""

    def __init__(self, samples: int = 200, size: int = 12) -> None:
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randint(0, 120, (samples, size, size, 1), generator=generator, dtype=torch.uint8)
        self.masks = torch.zeros(samples, size, size, dtype=torch.long)
        for image, mask in zip(self.images, self.masks, strict=True):
            top, left = torch.randint(0, size // 2, (2,), generator=generator).tolist()
            image[top : top + size // 2, left : left + size // 2] += 120
            mask[top : top + size // 2, left : left + size // 2] = 1

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.images[index].numpy(), self.masks[index]


class Segmenter(nn.Module):
    """Scores [n, 2, H, W] of images."""

    def __init__(self, input_shape: tuple[int, ...], width: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(input_shape[0], width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Scores of background and shape for each pixel."""
        scores: Tensor = self.layers(images)
        return scores


class Iou:
    """Intersection over union of the shape, over all samples at once."""

    def __init__(self, label: int = 1) -> None:
        self.label = label
        self.both = self.either = 0.0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        found, wanted = outputs.argmax(dim=1) == self.label, targets == self.label
        self.both += float((found & wanted).sum())
        self.either += float((found | wanted).sum())

    def compute(self) -> float:
        """The metric."""
        return self.both / self.either


def flipped(inputs: Tensor, targets: Tensor, generator: torch.Generator, share: float = 0.5) -> tuple[Tensor, Tensor]:
    """Mirrors a batch, images and masks alike."""
    if torch.rand((), generator=generator, device=generator.device) < share:
        return inputs.flip(-1), targets.flip(-1)
    return inputs, targets


def noisy(inputs: Tensor, targets: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Draws from torch's own generator."""
    return inputs + scale * torch.randn_like(inputs), targets


class Sentences(IterableDataset[Any]):
    """Tokens of a toy language, as a dict with a mask, and the same as what is to be predicted.

    Each token follows from the one before, but for the first.
    """

    def __init__(self, samples: int = 300, length: int = 8, words: int = 11) -> None:
        self.samples, self.length, self.words = samples, length, words

    def __iter__(self) -> Iterator[Any]:
        generator = torch.Generator().manual_seed(0)
        for _ in range(self.samples):
            token = int(torch.randint(1, self.words, (), generator=generator))
            size = int(torch.randint(4, self.length + 1, (), generator=generator))
            tokens = [token := (3 * token + 1) % (self.words - 1) + 1 for _ in range(size)]
            ids = torch.tensor(tokens + [0] * (self.length - size))
            yield {"ids": ids, "mask": ids > 0}, ids


class LanguageModel(nn.Module):
    """Scores [n, T, words] of the next token, by a small transformer."""

    def __init__(self, words: int, width: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.tokens = nn.Embedding(words, width, padding_idx=0)
        self.places = nn.Embedding(64, width)
        self.layer = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.1, batch_first=True)
        self.last = nn.Linear(width, words)

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """A dict, as many models return."""
        places = torch.arange(ids.shape[1], device=ids.device)
        later = nn.Transformer.generate_square_subsequent_mask(ids.shape[1], device=ids.device) < 0
        hidden = self.layer(self.tokens(ids) + self.places(places), src_mask=later, src_key_padding_mask=~mask)
        return {"logits": self.last(hidden)}


def next_token(outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
    """The mean loss over the tokens of each sentence [n]."""
    scores, wanted = outputs["logits"][:, :-1].float(), targets[:, 1:]
    losses = functional.cross_entropy(scores.transpose(1, 2), wanted, reduction="none", ignore_index=0)
    return losses.sum(dim=1) / (wanted > 0).sum(dim=1)


def guessed(outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
    """Share of the tokens that are guessed, as a mean over batches."""
    wanted = targets[:, 1:]
    right = (outputs["logits"][:, :-1].argmax(dim=2) == wanted) & (wanted > 0)
    return right.sum() / (wanted > 0).sum()


class Pairs(Dataset[Any]):
    """Two vectors, and whether they point the same way."""

    def __init__(self, samples: int = 300) -> None:
        generator = torch.Generator().manual_seed(0)
        self.one, self.other = torch.randn(2, samples, 4, generator=generator)

    def __len__(self) -> int:
        return len(self.one)

    def __getitem__(self, index: int) -> Any:
        return (self.one[index], self.other[index]), int(self.one[index] @ self.other[index] > 0)


class Comparer(nn.Module):
    """Takes two arguments."""

    def __init__(self, num_outputs: int, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Linear(4, width)
        self.last = nn.Linear(width, num_outputs)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Scores [n, num_outputs]."""
        scores: Tensor = self.last(self.embed(one) * self.embed(other))
        return scores


class Slow(torch.optim.SGD):
    """Plain descent at half the rate that it is told."""

    def step(self, closure: Any = None) -> Any:
        """A step."""
        for group in self.param_groups:
            group["lr"] /= 2
        result = super().step(closure)
        for group in self.param_groups:
            group["lr"] *= 2
        return result


def outputs_alone(outputs: Tensor, targets: Tensor) -> Tensor:
    """No loss: forgets to sum."""
    return outputs


class Weighted(nn.Module):
    """A loss that would have to be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The weighted mean."""
        return self.weight * functional.cross_entropy(outputs, targets)


def doubled(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Makes more samples of a batch than there were."""
    return torch.cat([inputs, inputs]), torch.cat([targets, targets])


def nothing() -> int:
    """No module, no loss, no optimizer."""
    return 3


def failing(*_: Any, **__: Any) -> Any:
    """Cannot be called."""
    raise RuntimeError("this code is not finished")
