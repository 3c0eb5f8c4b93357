"""Which samples are for training, validation and testing: a function of the data part alone. Needs no torch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tunefast.errors import DataError
from tunefast.recipe.data import DataPart, Decoded, NumbersPart, are_classes
from tunefast.recipe.seed import derive_seed

TEST_SHARE = 0.1
TEST_SEED = 0
SMALLEST_STD = 1e-6
"""What varies less counts as constant, and is not divided by its deviation."""

Rows = NDArray[np.int64]
"""Rows of `Decoded.inputs`, in rising order."""


class Parts(NamedTuple):
    """Rows of `Decoded.inputs` by what they are for; no row is in two parts."""

    train: Rows
    """What is trained on: the share `fraction` of `pool`."""
    validation: Rows | None
    """None where the source has validation samples of its own."""
    test: Rows | None
    """None where the source has test samples of its own."""
    pool: Rows
    """Every row that is neither for validation nor for testing, whatever the `fraction`."""


def split(arrays: Decoded, part: DataPart) -> Parts:
    """The parts of `arrays`; the same for all trials, attempts and devices.

    Without a test part of the source's own, a tenth is kept for testing first, under the same rule (`part.split`) but
    a fixed seed. Random splits and fractions are stratified by class. Raises `DataError` where a part would be empty,
    or where the source lacks the groups or times that the rule needs.
    """
    rows = np.arange(len(arrays.targets))
    test = validation = None
    if arrays.test_inputs is None:
        rows, test = _divide(arrays, part, rows, TEST_SHARE, TEST_SEED)
    if arrays.val_inputs is None:
        rows, validation = _divide(arrays, part, rows, part.validation, part.split_seed)
    train = fraction_of(strata(arrays.targets), rows, part.fraction, derive_seed(part.split_seed, "fraction"))
    if min(len(taken) for taken in (train, validation, test) if taken is not None) == 0:
        shares = [f"validation = {part.validation}"] if validation is not None else []
        shares += [f"a test part of {TEST_SHARE}"] if test is not None else []
        problem = f"{len(arrays.targets)} samples are too few for {' and '.join(shares)}"
        raise DataError(path=part.title, problem=problem)
    return Parts(train, validation, test, rows)


def standardized(arrays: Decoded, parts: Parts, part: DataPart) -> Decoded:
    """The arrays with numbers as targets brought to mean 0 and deviation 1 of all training rows, where `part` says so.

    Every training row counts, whatever the `fraction`, so that losses compare between fractions. Classes and labels
    stay as they are.
    """
    moments = target_moments(arrays, parts, part)
    if moments is None:
        return arrays
    mean, std = moments
    given = {name: getattr(arrays, name) for name in ("targets", "test_targets", "val_targets")}
    scaled: dict[str, Any] = {
        name: None if of is None else ((of - mean) / std).astype(np.float32) for name, of in given.items()
    }
    return arrays._replace(**scaled)


def target_moments(arrays: Decoded, parts: Parts, part: DataPart) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Mean and deviation of each column of targets that `standardized` takes out; None where it takes nothing."""
    if not isinstance(part, NumbersPart) or not part.standardize_targets or arrays.target_kind.kind != "numbers":
        return None
    rows = arrays.targets[parts.pool].astype(np.float64)
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    std[std < SMALLEST_STD * np.maximum(np.abs(mean), 1)] = 1.0
    return mean, std


def strata(targets: NDArray[Any]) -> NDArray[np.int64]:
    """What is kept in proportion, [N]: classes; all other targets are one stratum."""
    return targets if are_classes(targets) else np.zeros(len(targets), dtype=np.int64)


def stratified_split(labels: NDArray[np.int64], rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Split `rows` in two, the second with about `share` of each class; both sorted, nothing in both.

    Every class keeps at least one row in the first.
    """
    rng = np.random.default_rng(seed)
    taken: list[Rows] = []
    for label in np.unique(labels[rows]):
        own = rng.permutation(rows[labels[rows] == label])
        taken.append(own[: min(round(len(own) * share), len(own) - 1)])
    return _without(rows, np.concatenate(taken))


def group_split(groups: NDArray[np.int64], rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Split `rows` in two by whole groups, the second with about `share` of the rows; both sorted.

    Goes over the groups in a seeded order and takes each that brings the number of rows closer to the share; the
    smallest one where none does. Raises `ValueError` where there is but one group.
    """
    names, sizes = np.unique(groups[rows], return_counts=True)
    if len(names) == 1:
        raise ValueError("a single group cannot be split")
    missing, taken = len(rows) * share, np.zeros(len(names), dtype=bool)
    for group in np.random.default_rng(seed).permutation(len(names)):
        if abs(missing - sizes[group]) < abs(missing):
            missing -= sizes[group]
            taken[group] = True
    if not taken.any():
        taken[np.argmin(sizes)] = True
    elif taken.all():
        taken[np.argmin(sizes)] = False
    return _without(rows, rows[np.isin(groups[rows], names[taken])])


def time_split(times: NDArray[Any], rows: Rows, share: float) -> tuple[Rows, Rows]:
    """Split `rows` in two, the second with the `share` that is the newest; both sorted by row.

    Of rows with the same time, later ones count as newer. At least one row stays in the first.
    """
    order = rows[np.argsort(times[rows], kind="stable")]
    count = min(round(len(rows) * share), len(rows) - 1)
    return _without(rows, order[len(order) - count :])


def fraction_of(labels: NDArray[np.int64], rows: Rows, fraction: float, seed: int) -> Rows:
    """About `fraction` of `rows`, of each class alike and at least one; sorted.

    With the same seed a smaller fraction is a subset of a larger one.
    """
    if fraction == 1:
        return rows
    rng = np.random.default_rng(seed)
    kept: list[Rows] = []
    for label in np.unique(labels[rows]):
        own = rng.permutation(rows[labels[rows] == label])
        kept.append(own[: max(1, round(len(own) * fraction))])
    return np.sort(np.concatenate(kept)) if kept else rows


def _divide(arrays: Decoded, part: DataPart, rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Split `rows` by the rule of `part`; raises `DataError` where the source has not what it needs."""
    if part.split == "random":
        return stratified_split(strata(arrays.targets), rows, share, seed)
    wanted = arrays.groups if part.split == "group" else arrays.times
    if wanted is None:
        problem = f"split = {part.split!r} needs {part.split}s, and this data set has none; an npz file can have them"
        raise DataError(path=part.title, problem=problem)
    if part.split == "time":
        return time_split(wanted, rows, share)
    try:
        return group_split(wanted, rows, share, seed)
    except ValueError as error:
        count = len(np.unique(wanted))
        problem = f"split = 'group': {count} groups are too few for a group in each part"
        raise DataError(path=part.title, problem=problem) from error


def _without(rows: Rows, taken: Rows) -> tuple[Rows, Rows]:
    return np.setdiff1d(rows, taken, assume_unique=True), np.sort(taken)
