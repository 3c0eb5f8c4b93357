"""Checking a study, in real processes that try its recipes."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from tunefast.run.preflight.check import Check, check, quick_check
from tunefast.run.preflight.places import Places
from tunefast.run.preflight.probe import Probe, Probed
from tunefast.spec.study import StudySpec

OBJECTIVE = "tests.run.preflight.objectives:trained"


def _spec(recipe: dict[str, Any], space: dict[str, Any], **sections: Any) -> StudySpec:
    table = {"study": {"name": "s"}, "budget": {"trials": 10}, "recipe": recipe, "space": space, **sections}
    return StudySpec.model_validate(table)


def _checked(spec: StudySpec, seconds: float = 60, workers: int = 1) -> Check:
    return check(spec, ["cpu"] * workers, explicit=True, seconds=seconds)


def test_digits() -> None:
    """Each combination of choices, and both ends of the rate, are tried and cost something; stop rules save time."""
    spec = _spec(
        {"epochs": 20, "data": {"name": "digits"}, "early_stopping": {"patience": 2}},
        {
            "batch_size": {"choices": [64, 256]},
            "precision": {"choices": ["fp32", "bf16"]},
            "optimizer.lr": {"low": 1e-4, "high": 0.3, "log": True},
        },
    )
    said: list[tuple[str, int, int]] = []
    found = check(spec, ["cpu", "cpu"], explicit=True, seconds=60, on_progress=lambda *one: said.append(one))
    ends = {one.plan.params["optimizer.lr"] for one in found.tried if one.plan.weight == 0}
    assert ends == {1e-4, 0.3}
    combinations = {(one.plan.params["batch_size"], one.plan.params["precision"]) for one in found.tried}
    assert len(combinations) == 4
    assert not found.failed
    assert not found.left
    for one in found.tried:
        assert one.steps.epoch_seconds > 0
        assert (one.steps.samples_per_second or 0) > 0
        assert (one.steps.peak_memory_bytes or 0) > 2**20
    assert sum(one.whole is not None for one in found.tried) == 4
    assert found.forecast is not None
    assert found.forecast.with_stop_rules is not None
    assert found.forecast.with_stop_rules.middle < found.forecast.without.middle
    assert said[-1] == ("whole trainings", 4, 4)


def test_what_goes_wrong() -> None:
    """Recipes that raise, end their process or are killed are told apart, and the others tried all the same."""
    kinds = ["raises", "leaves", "killed", "large", "fine"]
    spec = _spec({"objective": OBJECTIVE, "epochs": 3, "params": {}}, {"params.kind": {"choices": kinds}})
    found = _checked(spec)
    errors = {one.plan.params["params.kind"]: one.steps for one in found.tried}
    assert "there is no such loss" in (errors["raises"].error or "")
    assert "exit code 3" in (errors["leaves"].error or "")
    assert [kind for kind in kinds if not errors[kind].fits] == ["killed", "large"]
    assert errors["fine"].error is None
    assert {one.plan.params["params.kind"] for one in found.failed} == {"raises", "leaves"}
    whole = next(one.whole for one in found.tried if one.plan.params["params.kind"] == "fine")
    assert whole is not None
    assert whole.curve == [0.1, 0.2, 0.3]


def test_who_does_not_report_the_metric_fails() -> None:
    """A recipe whose reports lack a metric that the study needs fails, as its trials would, and nothing is foretold."""
    spec = _spec(
        {"objective": OBJECTIVE, "epochs": 3, "params": {"kind": "fine"}}, {}, study={"name": "s", "metric": "loss"}
    )
    found = _checked(spec)
    assert [one.steps.error for one in found.failed] == ["'loss' is not among the reported metrics: val_accuracy"]
    assert (found.diverging, found.forecast) == ([], None)


def test_recipes_that_take_too_long() -> None:
    """A recipe without a result at the end of the time is told as not tried, and its process is gone."""
    spec = _spec({"objective": OBJECTIVE, "epochs": 3, "params": {"kind": "slow"}}, {})  # of one recipe
    started = time.monotonic()
    found = _checked(spec, seconds=1)
    assert time.monotonic() - started < 30
    assert (found.tried, len(found.left), found.forecast) == ([], 1, None)


def test_objective_for_optuna() -> None:
    """An objective that suggests its own settings is tried with several random ones."""
    found = _checked(_spec({"objective": "tests.run.preflight.objectives:suggested", "style": "optuna"}, {}))
    assert not found.failed
    assert len({one.whole.curve[0] for one in found.tried if one.whole is not None}) == 4


def test_guessed_curves() -> None:
    """Where no whole training fits into the time, the forecast says that stop rules are guessed, and has no target."""
    spec = _spec(
        {"epochs": 50_000, "data": {"name": "digits"}},
        {"optimizer.lr": {"low": 1e-3, "high": 1e-2}},
        budget={"trials": 10, "target": 0.5},
    )
    found = _checked(spec, seconds=20)
    assert found.guessed
    assert found.forecast is not None
    assert found.forecast.reaches_target is None
    assert found.forecast.with_stop_rules is not None
    assert found.forecast.with_stop_rules.middle < found.forecast.without.middle


def test_quick_check() -> None:
    """Each choice is tried for a step."""
    space = {"batch_size": {"choices": [64, 128]}, "precision": {"choices": ["fp32", "bf16"]}}
    found = quick_check(_spec({"epochs": 2, "data": {"name": "digits"}}, space), "cpu", seconds=60)
    assert not found.failed
    assert {one.plan.params["batch_size"] for one in found.tried} == {64, 128}
    assert {one.plan.params["precision"] for one in found.tried} == {"fp32", "bf16"}


def test_a_process_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that cannot import tunefast is told, rather than waited for."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="did not start"), Places(["cpu"]):
        pass


def test_leaving_ends_the_processes() -> None:
    """Whoever leaves while recipes are tried leaves no process behind."""
    recipe = {"objective": OBJECTIVE, "epochs": 3, "params": {"kind": "slow"}}
    probe = Probe(number=0, recipe=recipe, seed=0, threads=1, metric="val_accuracy", seconds=1)
    fine = probe.model_copy(update={"number": 1, "recipe": {**recipe, "params": {"kind": "fine"}}})

    def leave(_probe: Probe, _probed: Probed) -> None:
        raise KeyboardInterrupt

    places = Places(["cpu", "cpu"])
    with pytest.raises(KeyboardInterrupt), places:
        places.try_all([probe, fine], time.monotonic() + 60, leave)
    assert not any(thread.is_alive() for thread in places._threads)
    assert all(place._process is None for place in places._places)


def test_a_recipe_with_a_loader() -> None:
    """A process that tries recipes lets a DataLoader start processes of its own, and does not wait for them forever."""
    recipe = {"data": {"name": "digits"}, "model": {"name": "mlp", "width": 8}}
    recipe["hardware"] = {"loading": "loader", "loader_workers": 1}
    probe = Probe(number=0, recipe=recipe, seed=0, threads=1, metric="val_accuracy", seconds=0)
    found: list[Probed] = []
    with Places(["cpu"]) as places:
        places.try_all([probe], time.monotonic() + 60.0, lambda _probe, probed: found.append(probed))
    assert [probed.error for probed in found] == [None]
