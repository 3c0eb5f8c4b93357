"""Loss and accuracy of a model over samples it does not learn from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tunefast.recipe.precision import Precision, autocast
from tunefast.train.datasets import Dataset

EVAL_BATCH_SIZE = 1000


class Scores(NamedTuple):
    """Means over the samples."""

    loss: float
    accuracy: float


@torch.inference_mode()
def evaluate(model: nn.Module, dataset: Dataset, inputs: Tensor, labels: Tensor, precision: Precision) -> Scores:
    """Mean cross-entropy and accuracy over raw `inputs` [N, ...] and `labels` [N]; synchronises the device once."""
    model.eval()
    loss = torch.zeros((), device=labels.device)
    correct = torch.zeros((), device=labels.device)
    for raw, wanted in zip(torch.split(inputs, EVAL_BATCH_SIZE), torch.split(labels, EVAL_BATCH_SIZE), strict=True):
        with autocast(precision, labels.device):
            logits = model(dataset.normalised(raw))
        loss += nn.functional.cross_entropy(logits.float(), wanted, reduction="sum")
        correct += (logits.argmax(dim=1) == wanted).sum()
    total_loss, total_correct = torch.stack([loss, correct]).tolist()
    return Scores(total_loss / len(labels), total_correct / len(labels))
