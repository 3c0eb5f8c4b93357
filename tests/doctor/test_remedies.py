"""Which remedies apply to a recipe, and what they make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.doctor.cases import CPU, case, limited, recipe
from tunefast.doctor.diagnosis import together
from tunefast.doctor.findings import OTHER, RESULTS, ROUNDED, SAME, Aim, Failed, Gain, LeftAlone, Remedy
from tunefast.doctor.remedies import Patient, remedies
from tunefast.doctor.trying import Side, try_remedy
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.train.loop import open_lane

PATIENT = Patient(
    recipe(), CPU, is_images=True, num_train=10_000, has_batch_norm=False, loads=False, threads=2, cores=2
)


def tried(of: TrainingRecipe, **facts: Any) -> list[Remedy]:
    """The remedies that apply."""
    found = remedies(PATIENT._replace(recipe=of, **facts))
    return [each for each in found if isinstance(each, Remedy)]


def names(of: TrainingRecipe, **facts: Any) -> list[str]:
    """Their names."""
    return [remedy.name for remedy in tried(of, **facts)]


def test_what_is_done_already_is_no_remedy() -> None:
    """A recipe that has every option on is left with threads and larger batches, where there are cores and samples."""
    best = recipe(precision="auto", hardware={"compile": "on"}, batch_size=32)
    assert names(best) == ["1 thread, not 2", "batches of 64", "batches of 128"]
    assert names(best, num_train=64) == ["1 thread, not 2", "batches of 64"]
    assert names(best, num_train=63, threads=1, cores=1) == []


def test_each_option_that_is_off() -> None:
    """Every speed option that a recipe leaves off is a remedy: those that change nothing first, compilation last."""
    slow = recipe(
        precision="fp32",
        hardware={"channels_last": False, "loading": "loader", "compile": "off", "cudnn_benchmark": False},
        optimizer={"name": "own", "path": "torch.optim:NAdam"},
        batch_size=32,
        accumulation_steps=4,
    )
    found = tried(slow, loads=True)
    results = [remedy.result for remedy in found]
    assert results[:-1] == sorted(results[:-1], key=RESULTS.index)
    assert found[-1].name == "compile the model"
    assert {
        "samples in memory",
        "channels innermost",
        "no accumulation: batches of 128",
        "half the accumulation: batches of 64",
    } <= {remedy.name for remedy in found}
    assert "channels innermost" not in names(slow, is_images=False)
    assert "cuDNN's fastest algorithms" in names(slow, device=torch.device("cuda"))
    for remedy in found:
        assert remedy.threads or remedy.applied(slow) != slow


def test_what_is_left_alone_says_why() -> None:
    """What the issue of slow trainings is often about, and does not apply, is listed with a reason."""
    found = {each.name: each.why for each in remedies(PATIENT) if isinstance(each, LeftAlone)}
    assert found["fused optimizer"] == "on"
    assert found["samples in memory"] == "they are"
    assert found["freeze the backbone"] == "the model has no pretrained weights"
    rmsprop = PATIENT._replace(recipe=recipe(optimizer={"name": "rmsprop"}))
    assert LeftAlone("fused optimizer", "rmsprop has none") in remedies(rmsprop)


def test_a_fused_optimizer_of_torchs_own() -> None:
    """An optimizer by its path is told to be fused where its class can be, and keeps its options."""
    own = recipe(optimizer={"name": "own", "path": "torch.optim:AdamW", "options": {"eps": 1e-7}})
    (fused,) = (remedy for remedy in tried(own) if remedy.name == "fused optimizer")
    assert dict(fused.changes) == {"optimizer.options": {"eps": 1e-7, "fused": True}}
    assert "fused optimizer" not in names(recipe(optimizer={"name": "own", "path": "torch.optim:NAdam"}))


def test_batch_norm_notices_other_batches() -> None:
    """Accumulated batches at once are the same training, unless batch norm takes its statistics over them."""
    slow = recipe(batch_size=8, accumulation_steps=2)
    for has_batch_norm, result in ((False, ROUNDED), (True, OTHER)):
        found = {remedy.name: remedy.result for remedy in tried(slow, has_batch_norm=has_batch_norm)}
        assert found["no accumulation: batches of 16"] == result


@pytest.mark.parametrize(
    ("threads", "cores", "found"), [(16, 16, [1, 8]), (1, 16, [2]), (2, 2, [1]), (4, 16, [1, 2, 8]), (1, 1, [])]
)
def test_other_numbers_of_threads(threads: int, cores: int, found: list[int]) -> None:
    """One thread, half of them, and twice as many where there are cores; none for a GPU."""
    several = tried(recipe(), threads=threads, cores=cores)
    assert [remedy.threads for remedy in several if remedy.threads is not None] == found
    on_gpu = tried(recipe(), threads=threads, cores=cores, device=torch.device("cuda"))
    assert not [remedy for remedy in on_gpu if remedy.threads is not None]


def pretrained(weights: Path, **changes: Any) -> TrainingRecipe:
    """A recipe with weights from a file, which need not be there."""
    model = {"name": "torchvision", "arch": "resnet18", "weights": str(weights)}
    return recipe(model=model, **changes)


def test_freezing(tmp_path: Path) -> None:
    """A pretrained backbone may stay as it is; its features are kept where nothing before them is random."""
    weights = tmp_path / "resnet18.pth"
    kept = "freeze the backbone, its features computed once"
    (freezing,) = (remedy for remedy in tried(pretrained(weights)) if remedy.name == kept)
    assert freezing.result == OTHER
    assert freezing.applied(pretrained(weights)).caches_features
    assert "freeze the backbone" in names(pretrained(weights, augment={"flip": "random"}))
    frozen = pretrained(weights, transfer={"freeze": "backbone"}, augment={"flip": "random"})
    (still,) = (remedy for remedy in tried(frozen) if "augment" in remedy.changes)
    assert still.applied(frozen).caches_features
    done = pretrained(weights, transfer={"freeze": "backbone"})
    assert not [name for name in names(done) if "backbone" in name]


def test_the_better_of_two_counts() -> None:
    """Of remedies that change one setting the one that gains more is taken, and none in part."""
    gains = [
        Gain(Remedy("b", {"batch_size": 32, "accumulation_steps": 2}, OTHER), 1.5, 1.4, 1.6, 0.0, None),
        Gain(Remedy("a", {"batch_size": 64, "precision": "auto"}, ROUNDED), 2.0, 1.9, 2.1, 0.0, None),
        Gain(Remedy("c", {"hardware.loading": "auto"}, SAME), 1.2, 1.1, 1.3, 0.0, None),
    ]
    assert dict(together(gains).changes) == {"batch_size": 64, "precision": "auto", "hardware.loading": "auto"}
    assert together(gains).result == ROUNDED


def test_a_remedy_is_measured_both_ways() -> None:
    """What makes a training surely slower is found to, with an interval around it, and what it does to the metric."""
    slower = Remedy("many small batches", {"batch_size": 1}, OTHER)
    gain = try_remedy(case(recipe(batch_size=128)), slower, 4.0)
    assert isinstance(gain, Gain)
    assert gain.low <= gain.ratio <= gain.high
    assert gain.high < 1.0
    assert not gain.is_certain
    assert gain.metric_change is not None


def test_all_that_an_epoch_compiles() -> None:
    """A last batch of another size is compiled too: once that is done, a whole epoch compiles nothing more."""
    compiled = recipe(batch_size=500, hardware={"compile": "on"})
    side = Side(compiled, torch.get_num_threads(), open_lane(compiled, 0, CPU))
    side.step_seconds()
    last = side.last_batch()
    assert last is not None
    assert last.recipe.batch_size == len(side.lane.dataset.train) % 500
    last.step_seconds()
    spent = side.lane.compile_seconds
    side.lane.train_epoch(1)
    assert side.lane.compile_seconds == spent
    even = recipe(batch_size=last.recipe.batch_size, drop_last=True)
    assert Side(even, 1, open_lane(even, 0, CPU)).last_batch() is None


def test_threads_are_a_remedy_too() -> None:
    """Other threads are set for one side of a round alone, and put back in the end."""
    before = torch.get_num_threads()
    gain = try_remedy(case(recipe(batch_size=128)), Remedy("more", {}, ROUNDED, threads=before + 1), 2.0)
    assert isinstance(gain, Gain)
    assert torch.get_num_threads() == before


def test_what_cannot_be_tried() -> None:
    """A change that the recipe cannot take, or that there is no time for, is told, and stops nothing."""
    wrong = Remedy("nonsense", {"batch_size": 0}, SAME)
    failed = try_remedy(case(recipe()), wrong, 2.0)
    assert isinstance(failed, Failed)
    assert failed.why == "batch_size: should be at least 1"
    slow = case(recipe())
    slow = slow._replace(anatomy=slow.anatomy._replace(step_seconds=20.0))
    assert try_remedy(slow, Remedy("x", {}, SAME), 10.0) == Failed(
        Remedy("x", {}, SAME), "it takes about 200 s, and there were 10"
    )


@pytest.mark.parametrize(
    ("problem", "words", "why"),
    [
        ("AssertionError", (), "AssertionError"),
        ("RuntimeError", (" \n",), "RuntimeError"),
        ("TypeError", ("no\nsuch thing",), "TypeError: such thing"),
        ("KeyError", ("width",), "KeyError: 'width'"),
        ("IndexError", ("out of range",), "IndexError: out of range"),
    ],
)
def test_whatever_the_users_code_raises_is_told(problem: str, words: tuple[str, ...], why: str) -> None:
    """A remedy that a model of the user's own does not take says what it raised, with a message or without."""
    fixed = recipe(model=limited(32, problem, *words), batch_size=32)
    remedy = Remedy("batches of 64", {"batch_size": 64}, OTHER)
    assert try_remedy(case(fixed), remedy, 2.0) == Failed(remedy, why)


@pytest.mark.parametrize("maximize", [True, False])
def test_a_better_metric_is_positive(maximize: bool) -> None:
    """Whether more or less of the metric is better is taken into account; an unknown one is no change."""
    same = Remedy("nothing", {"batch_size": 128}, SAME)
    examined = case(recipe(batch_size=128))
    aim = Aim("val_accuracy" if maximize else "val_loss", maximize=maximize)
    gain = try_remedy(examined._replace(aim=aim), same, 2.0)
    assert isinstance(gain, Gain)
    assert gain.metric_change == 0.0
    unknown = try_remedy(examined._replace(aim=Aim("val_f1", maximize=True)), same, 2.0)
    assert isinstance(unknown, Gain)
    assert unknown.metric_change is None
