"""A training that is killed and taken up by another process equals one that was left alone."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from tests.conftest import REPOSITORY
from tests.train.covering import TECHNIQUES, pairwise
from tests.train.driving import differing, weights, without_times
from tests.train.killed import EPOCHS, READY, finished, recipes
from tunefast.spec.progress import EpochReport


def test_every_two_choices_meet() -> None:
    """The recipes that are killed cover each pair of techniques, in some fifty recipes of the 184,320 there are."""
    factors = {factor: list(choices) for factor, choices in TECHNIQUES.items()}
    rows = pairwise(factors)
    for one, other in combinations(factors, 2):
        assert {(row[one], row[other]) for row in rows} == set(product(factors[one], factors[other]))
    assert len(rows) < 60
    assert rows == pairwise(factors)


def _program(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.train.killed", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What came of the recipes after one process was killed with SIGKILL and another had gone on."""
    root = tmp_path_factory.mktemp("killed")
    with _program("until_killed", str(root)) as process:
        assert process.stdout is not None
        ready = process.stdout.readline().strip()
        process.kill()
    assert ready == READY
    assert process.returncode == -9
    with _program("to_the_end", str(root)) as process:
        process.communicate(timeout=300)
    assert process.returncode == 0
    return root


@pytest.mark.parametrize("number", range(len(recipes())))
def test_killed_and_taken_up(number: int, resumed: Path) -> None:
    """Weights and history are equal to the last bit, whatever the recipe, the epoch and the moment of the kill."""
    made = recipes()[number]
    reports, network = finished(number, made, None)
    with safe_open(resumed / f"{number}.safetensors", framework="pt") as handle:
        facts = handle.metadata()
        state: dict[str, torch.Tensor] = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    again = [EpochReport.model_validate_json(line) for line in facts["reports"].splitlines()]
    assert 1 <= int(facts["found"]) <= EPOCHS
    assert without_times(again) == without_times(reports)
    assert not differing(state, weights(network))


def test_where_they_were_cut(resumed: Path) -> None:
    """The kill came after one epoch of some, after several of others, and left some that had ended."""
    cuts = set()
    for number in range(len(recipes())):
        with safe_open(resumed / f"{number}.safetensors", framework="pt") as handle:
            cuts.add(int(handle.metadata()["found"]))
    assert cuts == set(range(1, EPOCHS + 1))
