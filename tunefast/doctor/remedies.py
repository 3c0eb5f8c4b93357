"""What may make a training faster: changes of its recipe, or of how it is run, to be tried one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from tunefast.doctor.findings import OTHER, RESULTS, ROUNDED, SAME, LeftAlone, Remedy
from tunefast.recipe.optimizers import OwnOptimizer
from tunefast.recipe.own import takes
from tunefast.recipe.precision import resolve
from tunefast.recipe.recipe import TrainingRecipe

BATCHES = (2, 4)
"""Times the batch that larger batches are."""
LOADER_WORKERS = 4
"""Processes that fetch ahead, where fewer do."""


class Patient(NamedTuple):
    """A recipe, and what has to be known of it to name remedies."""

    recipe: TrainingRecipe
    device: torch.device
    is_images: bool
    num_train: int
    has_batch_norm: bool
    loads: bool
    """Whether its samples come from a DataLoader."""
    threads: int
    """That it computes with."""
    cores: int
    """Of the machine."""


Found = Remedy | LeftAlone


def remedies(patient: Patient) -> list[Found]:
    """What applies to a training, those first that leave the result as it is; and why the others do not."""
    found = [*(rule(patient) for rule in RULES), *_at_once(patient), *_batches(patient), *_threads(patient)]
    tried = [each for each in found if isinstance(each, Remedy)]
    tried.sort(key=lambda remedy: (remedy.changes.get("hardware.compile") == "on", RESULTS.index(remedy.result)))
    return [*tried, *(each for each in found if isinstance(each, LeftAlone))]


def _precision(patient: Patient) -> Found:
    best, now = resolve("auto", patient.device), resolve(patient.recipe.precision, patient.device)
    if best == now:
        return LeftAlone("precision", f"{now} is the fastest format here")
    return Remedy(f"compute in {best}", {"precision": "auto"}, ROUNDED)


def _layout(patient: Patient) -> Found:
    name = "channels innermost"
    if patient.recipe.hardware.channels_last:
        return LeftAlone(name, "on" if patient.is_images else "samples are no images")
    if not patient.is_images:
        return LeftAlone(name, "samples are no images")
    return Remedy(name, {"hardware.channels_last": True}, ROUNDED)


def _loading(patient: Patient) -> Found:
    hardware = patient.recipe.hardware
    if hardware.loading == "loader":
        return Remedy("samples in memory", {"hardware.loading": "auto"}, SAME)
    if patient.loads and hardware.loader_workers < LOADER_WORKERS:
        return Remedy("more processes that fetch ahead", {"hardware.loader_workers": LOADER_WORKERS}, SAME)
    return LeftAlone("samples in memory", "they do not fit" if patient.loads else "they are")


def _cudnn(patient: Patient) -> Found:
    name = "cuDNN's fastest algorithms"
    if patient.device.type != "cuda":
        return LeftAlone(name, "for GPUs")
    if patient.recipe.hardware.cudnn_benchmark:
        return LeftAlone(name, "on")
    return Remedy(name, {"hardware.cudnn_benchmark": True}, ROUNDED)


def _compile(patient: Patient) -> Found:
    name = "compile the model"
    if patient.recipe.hardware.compile != "off":
        return LeftAlone(name, f'hardware.compile = "{patient.recipe.hardware.compile}"')
    return Remedy(name, {"hardware.compile": "on"}, ROUNDED)


def _fused(patient: Patient) -> Found:
    """Fused kernels are always on where torch has them; an optimizer of torch's by its path has to be told."""
    name, optimizer = "fused optimizer", patient.recipe.optimizer
    if not isinstance(optimizer, OwnOptimizer):
        has_none = optimizer.name in ("rmsprop", "muon")
        return LeftAlone(name, f"{optimizer.name} has none" if has_none else "on")
    if not optimizer.path.startswith("torch.optim") or not takes(optimizer.named(), "fused"):
        return LeftAlone(name, f"{optimizer.path} has none")
    if "fused" in optimizer.options:
        return LeftAlone(name, f"options.fused = {optimizer.options['fused']}")
    return Remedy(name, {"optimizer.options": {**optimizer.options, "fused": True}}, ROUNDED)


def _freezing(patient: Patient) -> Found:
    """A pretrained backbone that stays as it is; its features are kept where nothing is random before them."""
    name, recipe = "freeze the backbone", patient.recipe
    if not recipe.model.pretrained:
        return LeftAlone(name, "the model has no pretrained weights")
    if recipe.caches_features:
        return LeftAlone(name, "it is, and its features are kept")
    if recipe.transfer.caches_features:
        name = "nothing random before the frozen backbone: its features computed once"
        return Remedy(name, {"augment": {}}, OTHER)
    kept = "" if recipe.augment.random else ", its features computed once"
    return Remedy(f"{name}{kept}", {"transfer": {"freeze": "backbone"}}, OTHER)


def _at_once(patient: Patient) -> Iterator[Found]:
    """Accumulated batches taken at once, which batch norm alone notices; or half of the way, where memory is short."""
    steps, batch = patient.recipe.accumulation_steps, patient.recipe.batch_size
    result = OTHER if patient.has_batch_norm else ROUNDED
    if steps == 1:
        yield LeftAlone("larger batches, less accumulation", "nothing is accumulated")
        return
    at_once = {"batch_size": batch * steps, "accumulation_steps": 1}
    yield Remedy(f"no accumulation: batches of {batch * steps}", at_once, result)
    if steps > 2 and steps % 2 == 0:  # noqa: PLR2004  of two, half is none
        half = {"batch_size": batch * 2, "accumulation_steps": steps // 2}
        yield Remedy(f"half the accumulation: batches of {batch * 2}", half, result)


def _batches(patient: Patient) -> Iterator[Remedy]:
    """Larger batches, accumulated as often."""
    for times in BATCHES:
        batch = times * patient.recipe.batch_size
        if batch * patient.recipe.accumulation_steps <= patient.num_train:
            yield Remedy(f"batches of {batch}", {"batch_size": batch}, OTHER)


def _threads(patient: Patient) -> Iterator[Found]:
    """Fewer threads, so that more workers have room; or more, where there are more cores."""
    if patient.device.type != "cpu":
        yield LeftAlone("other numbers of threads", "the GPU computes")
        return
    now, cores = patient.threads, patient.cores
    for num in sorted({1, max(1, now // 2), min(cores, 2 * now)} - {now}):
        yield Remedy(f"{num} thread{'s' * (num != 1)}, not {now}", {}, ROUNDED, threads=num)
    if now == cores == 1:
        yield LeftAlone("other numbers of threads", "there is one core")


RULES: tuple[Callable[[Patient], Found], ...] = (_precision, _layout, _loading, _cudnn, _fused, _freezing, _compile)
