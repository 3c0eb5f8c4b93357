"""The training loop on a GPU."""

from __future__ import annotations

import pytest
import torch

from tests.train.driving import drive, recipe
from tunefast.spec.progress import Answer, Verdict

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

MODELS = [
    {"name": "mlp", "width": 64, "depth": 2, "dropout": 0.1},
    {"name": "small_cnn", "width": 16, "depth": 2, "dropout": 0.1},
]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model["name"]))
def test_learns_digits(model: dict[str, object], precision: str) -> None:
    """Every precision learns digits on the device, with accumulation, dropout and a kept epoch."""
    made = recipe(
        model=model, precision=precision, epochs=20, accumulation_steps=2, schedule={"name": "one_cycle"}, batch_size=32
    )
    reports, trained = drive(
        made,
        driver=lambda report: Answer(verdict=Verdict.CONTINUE, keep=report.epoch == 19),
        device=torch.device("cuda"),
    )
    assert max(report.metrics["val_accuracy"] for report in reports) >= 0.95
    assert {parameter.device.type for parameter in trained.parameters()} == {"cuda"}
    assert {parameter.dtype for parameter in trained.parameters()} == {torch.float32}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adagrad", "rmsprop", "muon"])
def test_every_optimizer(optimizer: str) -> None:
    """Every optimizer works with a scaled loss on the device."""
    made = recipe(optimizer={"name": optimizer, "lr": 0.01}, precision="fp16", epochs=3)
    reports, _ = drive(made, device=torch.device("cuda"))
    assert not reports[-1].diverged()
    assert reports[-1].metrics["loss"] < reports[0].metrics["loss"]


def test_global_generators_are_untouched() -> None:
    """Neither the CPU's nor the device's global generator moves."""
    torch.cuda.manual_seed(3)
    before = (torch.get_rng_state(), torch.cuda.get_rng_state())
    drive(recipe(model=MODELS[0]), device=torch.device("cuda"))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(torch.cuda.get_rng_state(), before[1])


def test_memory_is_that_of_the_trial() -> None:
    """The peak of a large trial is not reported for the small one after it."""
    small, large = recipe(epochs=1), recipe(epochs=1, model={"name": "mlp", "width": 4096, "depth": 2})
    first, second, third = (drive(made, device=torch.device("cuda"))[0][0] for made in (small, large, small))
    assert (first.peak_memory_bytes or 0) < (second.peak_memory_bytes or 0)
    assert (third.peak_memory_bytes or 0) < (second.peak_memory_bytes or 0)


def test_close_to_the_cpu() -> None:
    """The first epoch on the device loses what it loses on the CPU: same weights, same order."""
    made = recipe(epochs=1, optimizer={"name": "sgd", "lr": 0.01})
    on_cpu, on_gpu = (drive(made, device=torch.device(kind))[0][0] for kind in ("cpu", "cuda"))
    assert on_gpu.metrics["loss"] == pytest.approx(on_cpu.metrics["loss"], rel=1e-2)
