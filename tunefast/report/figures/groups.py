"""Groups: trials that are alike in a setting, a value each, or a part of a number's range."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tunefast.report.figures.scales import Scale
from tunefast.report.phrases import setting

FEW_VALUES = 4
"""A number of which there are no more values than that is grouped by value."""
LEAST_FOR_THIRDS = 30
"""Values: fewer are cut in half."""


class Group(NamedTuple):
    """Some of the trials."""

    label: str
    members: list[int]
    """Their places among the values."""


def groups(scale: Scale, values: Sequence[Any]) -> list[Group]:
    """The values in groups, in order, none of them empty."""
    if scale.labels or len(set(values)) <= FEW_VALUES:
        names = [setting(value) for value in values]
        labels = scale.labels or [setting(value) for value in sorted(set(values))]
        found = [Group(label, [at for at, name in enumerate(names) if name == label]) for label in labels]
    else:
        found = _cut(np.array(values, dtype=float), 3 if len(values) >= LEAST_FOR_THIRDS else 2)
    return [group for group in found if group.members]


def _cut(values: Any, parts: int) -> list[Group]:
    """As many values in each part, as far as equal ones allow that."""
    ends = [float(np.quantile(values, part / parts)) for part in range(1, parts)]
    said = [setting(end) for end in ends]
    between = [f"{low} to {high}" for low, high in pairwise(said)]
    labels = [f"up to {said[0]}", *between, f"above {said[-1]}"]
    places = np.searchsorted(ends, values)
    return [Group(label, np.flatnonzero(places == part).tolist()) for part, label in enumerate(labels)]


def base_of(found: Sequence[Group], scale: Scale, least: int) -> Group:
    """What the others are compared with: the first choice that has enough members; of a number's thirds the middle."""
    is_cut = not scale.labels and any(group.label.startswith("above ") for group in found)
    if is_cut and len(found) > 2:  # noqa: PLR2004  thirds
        return found[1]
    return next((group for group in found if len(group.members) >= least), found[0])
