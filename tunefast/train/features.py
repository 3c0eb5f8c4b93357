"""A frozen backbone's features: computed once, kept on disk, shared by all trials and workers."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from tunefast.nn.network import Network
from tunefast.recipe.precision import autocast, fp32_products, resolve
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.cache import Arrays, found_arrays, kept_arrays
from tunefast.train.datasets import Dataset, Samples
from tunefast.train.evaluate import chunks
from tunefast.train.preparing import Preparation

log = logging.getLogger("tunefast.worker")


def feature_dataset(
    recipe: TrainingRecipe, dataset: Dataset, network: Network, preparation: Preparation, device: torch.device
) -> Dataset:
    """The training and validation part of `dataset` as the features [N, ...] of the network's backbone, on `device`.

    They are a function of the data, the backbone's weights, the preprocessing and the precision, which together are
    the key that they are kept under. Only samples of the two parts pass through the backbone; those that a larger
    `fraction` adds later are added to what is kept. The test part stays raw, since searching never looks at it.
    """
    key = features_key(recipe, dataset, network, preparation, device)
    parts: dict[int, Samples] = {}
    for name, samples in (("inputs", dataset.train), ("val_inputs", dataset.validation)):
        if id(samples.inputs) not in parts:
            used = [part.rows for part in (dataset.train, dataset.validation) if part.inputs is samples.inputs]
            needed = replace(samples, rows=torch.cat(used).sort().values)
            parts[id(samples.inputs)] = _featured(f"{name}-{key}", needed, network, preparation, recipe, device)

    def moved(samples: Samples) -> Samples:
        return replace(parts[id(samples.inputs)], rows=samples.rows.to(device))

    return replace(dataset, train=moved(dataset.train), validation=moved(dataset.validation))


def num_missing_features(
    recipe: TrainingRecipe, dataset: Dataset, network: Network, preparation: Preparation, device: torch.device
) -> int:
    """Samples of both parts whose features are not kept yet."""
    key = features_key(recipe, dataset, network, preparation, device)
    missing = 0
    for name, samples in (("inputs", dataset.train), ("val_inputs", dataset.validation)):
        shared = samples.inputs is dataset.train.inputs
        kept = found_arrays("features", f"{'inputs' if shared else name}-{key}")
        rows = samples.rows.cpu().numpy()
        missing += len(rows) if kept is None else int((~kept["known"][rows]).sum())
    return missing


def _featured(
    key: str,
    samples: Samples,
    network: Network,
    preparation: Preparation,
    recipe: TrainingRecipe,
    device: torch.device,
) -> Samples:
    """`samples` with features for inputs; rows of other samples hold features or zeros."""
    rows = samples.rows.cpu().numpy()

    def has_all(kept: Arrays) -> bool:
        return bool(kept["known"][rows].all())

    def computed(kept: Arrays | None) -> Arrays:
        missing = rows if kept is None else rows[~kept["known"][rows]]
        some = replace(samples, rows=torch.from_numpy(missing).to(samples.rows.device))
        log.info("computing the features of %d samples, once", len(some))
        values = compute_features(some, network, preparation, recipe, device)
        num_rows = len(samples.inputs)
        features = np.zeros((num_rows, *values.shape[1:]), np.float32) if kept is None else kept["features"]
        known = np.zeros(num_rows, bool) if kept is None else kept["known"]
        features[missing], known[missing] = values, True
        return {"features": features, "known": known}

    arrays = kept_arrays("features", key, computed, has_all)
    features = torch.from_numpy(arrays["features"]).to(device)
    layouts = samples.layouts._replace(inputs=None)
    return Samples(features, samples.targets.to(device), samples.rows.to(device), layouts)


@torch.inference_mode()
def compute_features(
    samples: Samples, network: Network, preparation: Preparation, recipe: TrainingRecipe, device: torch.device
) -> NDArray[np.float32]:
    """What the network's backbone makes of `samples`: float32 [n, ...]."""
    backbone = network.backbone.eval()
    rows: list[NDArray[np.float32]] = []
    for batch in (make() for make in chunks(samples, preparation, device)):
        with fp32_products(recipe.precision, device), autocast(recipe.precision, device):
            features = backbone(preparation.inputs(batch.inputs))
        rows.append(features.float().cpu().numpy())
    return np.concatenate(rows)


def features_key(
    recipe: TrainingRecipe, dataset: Dataset, network: Network, preparation: Preparation, device: torch.device
) -> str:
    """Equal where features are: of the same data, weights, preprocessing and precision."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(dataset.fingerprint.encode())
    digest.update(preparation.key())
    digest.update(resolve(recipe.precision, device).encode())
    digest.update(repr(network.backbone).encode())
    for name, value in sorted(network.backbone.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
