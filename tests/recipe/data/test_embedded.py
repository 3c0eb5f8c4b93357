"""Data sets without files."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.recipe.data import Digits, Sklearn, Synthetic


def test_digits() -> None:
    """The embedded set is what scikit-learn ships."""
    arrays = Digits().decode()
    assert arrays.inputs.shape == (1797, 8, 8, 1)
    assert (arrays.inputs.min(), arrays.inputs.max()) == (0, 16)
    assert sorted(set(arrays.targets.tolist())) == list(range(10))


@given(samples=st.integers(10, 60), features=st.integers(1, 5), classes=st.integers(2, 6), seed=st.integers(0, 2**40))
def test_synthetic_is_seeded(samples: int, features: int, classes: int, seed: int) -> None:
    """Options and seed alone decide the clouds; classes are equally likely."""
    part = Synthetic(samples=samples, features=features, classes=classes, seed=seed)
    one, other = part.decode(), part.decode()
    np.testing.assert_array_equal(one.inputs, other.inputs)
    np.testing.assert_array_equal(one.targets, other.targets)
    assert one.inputs.shape == (samples, features)
    counts = np.bincount(one.targets, minlength=classes)
    assert counts.max() - counts.min() <= 1
    assert not np.array_equal(one.inputs, part.model_copy(update={"seed": seed + 1}).decode().inputs)


def test_synthetic_noise() -> None:
    """Noise is the spread around a class's centre: none of it makes a class one point."""
    arrays = Synthetic(noise=0.0, classes=3).decode()
    assert len(np.unique(arrays.inputs, axis=0)) == 3


@pytest.mark.parametrize("task", ["labels", "numbers"])
def test_synthetic_tasks(task: Literal["labels", "numbers"]) -> None:
    """Without noise, labels and numbers are a linear function of the inputs that a fit finds again."""
    part = Synthetic(task=task, noise=0.0, classes=3, samples=200)
    arrays = part.decode()
    assert arrays.target_kind[:2] == (task, 3)
    numbers = Synthetic(task="numbers", noise=0.0, classes=3, samples=200).decode().targets
    weights = np.linalg.lstsq(arrays.inputs, numbers, rcond=None)[0]
    found = arrays.inputs @ weights
    np.testing.assert_allclose(found, numbers, atol=1e-4)
    if task == "labels":
        clear = np.abs(found) > 1e-3
        np.testing.assert_array_equal(arrays.targets[clear], (found > 0)[clear])
        assert 0.3 < arrays.targets.mean() < 0.7


@pytest.mark.parametrize(
    ("name", "shape", "kind", "size"),
    [
        ("iris", (150, 4), "classes", 3),
        ("wine", (178, 13), "classes", 3),
        ("breast_cancer", (569, 30), "classes", 2),
        ("diabetes", (442, 10), "numbers", 1),
        ("linnerud", (20, 3), "numbers", 3),
    ],
)
def test_sklearn(name: Any, shape: tuple[int, int], kind: str, size: int) -> None:
    """The tables are those of scikit-learn, with targets of the kind that the set is known for."""
    arrays = Sklearn(set=name).decode()
    assert arrays.inputs.shape == shape
    assert arrays.inputs.dtype == np.float32
    assert (arrays.target_kind.kind, arrays.target_kind.size) == (kind, size)
