"""Which samples are for what: nothing in two parts, the same for all trials, and as the rule says."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tunefast.errors import DataError
from tunefast.recipe.data import Decoded, Digits, Npz, Sklearn, Synthetic
from tunefast.train.splits import (
    Parts,
    fraction_of,
    group_split,
    split,
    standardized,
    strata,
    stratified_split,
    time_split,
)

Rule = Literal["random", "group", "time"]
labelled = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(lambda labels: np.array(labels, dtype=np.int64))
shares = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**32)


def _arrays(count: int = 200, classes: int = 4, **changes: Any) -> Decoded:
    """Rows with a few classes in shuffled order, groups of five rows, and distinct times."""
    rng = np.random.default_rng(0)
    targets = rng.permutation(np.arange(count) % classes)
    groups, times = rng.permutation(np.arange(count) // 5), rng.permutation(count)
    return Decoded(np.zeros((count, 2), dtype=np.float32), targets, groups=groups, times=times)._replace(**changes)


def _is_cut(rows: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Whether both parts are sorted and together are `rows`, with nothing in both."""
    in_order = all((np.diff(part) > 0).all() for part in (first, second))
    return in_order and np.array_equal(np.sort(np.concatenate([first, second])), rows)


@given(labelled, shares, seeds)
def test_stratified(labels: NDArray[np.int64], share: float, seed: int) -> None:
    """Each class gives about its share and keeps a row; the seed alone decides which."""
    rows = np.arange(len(labels))
    kept, taken = stratified_split(labels, rows, share, seed)
    assert _is_cut(rows, kept, taken)
    for label in np.unique(labels):
        size, out = int((labels == label).sum()), int((labels[taken] == label).sum())
        assert abs(out - size * share) <= 0.5 or out == size - 1
        assert out < size
    assert np.array_equal(stratified_split(labels, rows, share, seed)[1], taken)


@given(labelled.filter(lambda groups: len(set(groups.tolist())) > 1), shares, seeds)
def test_groups(groups: NDArray[np.int64], share: float, seed: int) -> None:
    """No group is on both sides, neither side is empty, and no single group would bring the share closer."""
    rows = np.arange(len(groups))
    kept, taken = group_split(groups, rows, share, seed)
    assert _is_cut(rows, kept, taken)
    assert not set(groups[kept]) & set(groups[taken])
    assert min(len(kept), len(taken)) > 0
    assert np.array_equal(group_split(groups, rows, share, seed)[1], taken)
    if len(set(groups[taken])) > 1 and len(set(groups[kept])) > 1:
        away = len(taken) - len(rows) * share
        assert all(abs(away + (groups == group).sum()) >= abs(away) for group in set(groups[kept]))


def test_groups_of_one_size() -> None:
    """Among equal groups, the share is met to half a group, whatever the seed; seeds choose others."""
    groups = np.arange(100) // 4
    parts = [group_split(groups, np.arange(100), 0.2, seed)[1] for seed in range(20)]
    assert {len(part) for part in parts} == {20}
    assert len({tuple(part) for part in parts}) > 10


@given(labelled, shares)
def test_time(times: NDArray[np.int64], share: float) -> None:
    """The second part is the newest share: nothing in it is older than anything in the first."""
    rows = np.arange(len(times))
    kept, taken = time_split(times, rows, share)
    assert _is_cut(rows, kept, taken)
    assert len(kept) > 0
    assert abs(len(taken) - len(rows) * share) <= 0.5 or len(kept) == 1
    assert len(taken) == 0 or times[kept].max() <= times[taken].min()


@given(labelled, shares, shares, seeds)
def test_fractions_are_nested(labels: NDArray[np.int64], one: float, other: float, seed: int) -> None:
    """A smaller fraction is a subset of a larger one, and each has its share of every class and at least one."""
    rows = np.arange(len(labels))
    smaller, larger = (fraction_of(labels, rows, fraction, seed) for fraction in sorted((one, other)))
    assert set(smaller) <= set(larger) <= set(fraction_of(labels, rows, 1.0, seed)) == set(rows)
    for label in np.unique(labels):
        size, used = int((labels == label).sum()), int((labels[smaller] == label).sum())
        assert used == max(1, round(size * min(one, other)))


@pytest.mark.parametrize("rule", ["random", "group", "time"])
@pytest.mark.parametrize("fraction", [1.0, 0.3])
def test_three_parts(rule: Rule, fraction: float) -> None:
    """Training, validation and test part share no row and leave none out, whatever the rule."""
    part = Npz(split=rule, fraction=fraction, validation=0.2)
    train, validation, test, pool = split(_arrays(), part)
    assert validation is not None
    assert test is not None
    assert np.array_equal(np.sort(np.concatenate([pool, validation, test])), np.arange(200))
    assert len(test) == pytest.approx(20, abs=2)
    assert len(validation) == pytest.approx(36, abs=2)
    assert len(train) == pytest.approx(fraction * len(pool), abs=2)
    assert set(train) <= set(pool)


def test_rules_hold_between_all_parts() -> None:
    """No group is in two of the three parts; the test part is the newest, then comes the validation part."""
    arrays = _arrays()
    assert arrays.groups is not None
    assert arrays.times is not None
    train, validation, test, _ = split(arrays, Npz(split="group"))
    assert validation is not None
    assert test is not None
    groups = [set(arrays.groups[rows]) for rows in (train, validation, test)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 40
    train, validation, test, _ = split(arrays, Npz(split="time"))
    assert validation is not None
    assert test is not None
    assert arrays.times[train].max() < arrays.times[validation].min()
    assert arrays.times[validation].max() < arrays.times[test].min()


@pytest.mark.parametrize("rule", ["random", "group", "time"])
def test_the_test_part_is_fixed(rule: Rule) -> None:
    """Neither the split seed nor the shares move a row into or out of the test part."""
    parts = [split(_arrays(), Npz(split=rule, split_seed=seed, validation=0.1 * (seed + 1))) for seed in range(3)]
    assert all(np.array_equal(_rows(part.test), _rows(parts[0].test)) for part in parts)
    again = split(_arrays(), Npz(split=rule))
    assert np.array_equal(_rows(again.validation), _rows(parts[0].validation))
    assert not np.array_equal(_rows(parts[1].validation), _rows(parts[0].validation))


def test_fraction_moves_nothing_else() -> None:
    """Validation and test part are the same at every fraction, so that scores compare."""
    whole, part = (split(_arrays(), Npz(fraction=fraction)) for fraction in (1.0, 0.1))
    for one, other in zip(whole[1:], part[1:], strict=True):
        assert np.array_equal(_rows(one), _rows(other))
    assert set(part.train) < set(whole.train)


def test_own_parts_are_used() -> None:
    """Where the source has validation or test samples of its own, none are split off."""
    own = {"inputs": np.zeros((5, 2)), "targets": np.zeros(5, dtype=np.int64)}
    with_val = _arrays(val_inputs=own["inputs"], val_targets=own["targets"])
    train, validation, test, _ = split(with_val, Npz())
    assert (len(train), validation, len(_rows(test))) == (180, None, 20)
    with_both = with_val._replace(test_inputs=own["inputs"], test_targets=own["targets"])
    assert [part if part is None else len(part) for part in split(with_both, Npz())] == [200, None, None, 200]
    with_test = with_both._replace(val_inputs=None, val_targets=None)
    assert len(_rows(split(with_test, Npz()).validation)) == 20


def test_parts_of_digits() -> None:
    """The embedded set is split as it always was: trials of old studies compare with new ones."""
    parts = split(Digits().decode(), Digits())
    assert parts.validation is not None
    assert parts.test is not None
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [1458, 160, 179]
    assert parts.validation[:5].tolist() == [1, 18, 37, 46, 56]
    assert parts.test[:5].tolist() == [14, 17, 19, 23, 24]


@pytest.mark.parametrize("task", ["labels", "numbers"])
def test_labels_and_numbers(task: Literal["labels", "numbers"]) -> None:
    """Targets without classes are one stratum."""
    part = Synthetic(task=task, samples=100, fraction=0.5)
    arrays = part.decode()
    assert strata(arrays.targets).tolist() == [0] * 100
    train, validation, test, _ = split(arrays, part)
    assert (len(train), len(_rows(validation)), len(_rows(test))) == (40, 9, 10)


@pytest.mark.parametrize(
    ("arrays", "part", "message"),
    [
        (_arrays(10, 5), Npz(), "10 samples are too few for validation = 0.1 and a test part of 0.1"),
        (_arrays(4, 1), Npz(split="time"), "4 samples are too few"),
        (_arrays(1, 1), Npz(), "1 samples are too few"),
        (_arrays(groups=None), Npz(split="group"), "split = 'group' needs groups, and this data set has none"),
        (_arrays(times=None), Npz(split="time"), "split = 'time' needs times, and this data set has none"),
        (_arrays(10, 2), Npz(split="group"), "2 groups are too few for a group in each part"),
        (_arrays(5, 2), Npz(split="group"), "1 groups are too few"),
    ],
)
def test_refused(arrays: Decoded, part: Npz, message: str) -> None:
    """A part that would be empty, and a rule without what it needs, are refused with the reason."""
    with pytest.raises(DataError, match=f"'npz': .*{message}"):
        split(arrays, part)


def test_own_parts_are_not_blamed() -> None:
    """Only the shares that are split off are said to be too much."""
    own = np.zeros((1, 2)), np.zeros(1, dtype=np.int64)
    arrays = _arrays(3, 1)._replace(val_inputs=own[0], val_targets=own[1])
    with pytest.raises(DataError, match=r"3 samples are too few for a test part of 0\.1$"):
        split(arrays, Npz())


def test_standardized() -> None:
    """Numbers have mean 0 and deviation 1 over all training rows, and the other parts are scaled as those."""
    part = Sklearn(set="diabetes", fraction=0.1)
    arrays = part.decode()
    parts = split(arrays, part)
    scaled = standardized(arrays, parts, part)
    np.testing.assert_allclose(scaled.targets[parts.pool].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.targets[parts.pool].std(axis=0), 1, atol=1e-6)
    assert scaled.targets.dtype == np.float32
    whole = part.model_copy(update={"fraction": 1.0})
    np.testing.assert_array_equal(standardized(arrays, split(arrays, whole), whole).targets, scaled.targets)
    own = arrays._replace(test_inputs=arrays.inputs, test_targets=arrays.targets)
    same = standardized(own, parts, part)
    assert same.test_targets is not None
    np.testing.assert_array_equal(same.test_targets, scaled.targets)


def test_not_standardized() -> None:
    """Classes, labels, numbers of a set that says so, and a constant column keep their values."""
    for part in (Digits(), Synthetic(task="labels"), Sklearn(set="diabetes", standardize_targets=False)):
        arrays = part.decode()
        assert standardized(arrays, split(arrays, part), part) is arrays
    constant = Decoded(np.zeros((9, 1)), np.full((9, 1), 0.1, dtype=np.float32))
    rows = np.arange(9)
    scaled = standardized(constant, Parts(rows, rows, rows, rows), Npz())
    np.testing.assert_allclose(scaled.targets, 0, atol=1e-6)


def _rows(rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
    assert rows is not None
    return rows
