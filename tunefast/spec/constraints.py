"""Constraints: what a recipe may take, or has to reach, whatever its objective says: ``[constraints]``."""

from __future__ import annotations

import math
import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from tunefast.spec.costs import COSTS

_BOUND = re.compile(r"\s*(<=|<|>=|>)\s*(\S+)\s*")


class Bound(NamedTuple):
    """A constraint as it is written: ``"< 8e9"``."""

    sign: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Bound:
        """Read a constraint. Raises `ValueError` for what is none."""
        found = _BOUND.fullmatch(text)
        try:
            value = float(found[2]) if found else math.nan
        except ValueError:
            value = math.nan
        if found is None or not math.isfinite(value):
            raise ValueError(f'{text!r} is no bound; give one like "< 8e9", with <, <=, > or >=')
        return cls(found[1], value)

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"

    def excess(self, value: float) -> float:
        """By how much a value violates it, as a share of the bound; 0 or less where it holds, as Optuna wants it.

        Shares, since samplers add up the violations of several constraints.
        """
        over = value - self.value if self.sign[0] == "<" else self.value - value
        scale = abs(self.value) or 1.0
        return math.ulp(scale) if over == 0 and len(self.sign) == 1 else over / scale

    def is_final(self, name: str) -> bool:
        """Whether a value that violates it will never hold again: an upper bound of what only grows."""
        return name in COSTS and self.sign[0] == "<"


def _checked(text: str) -> str:
    Bound.parse(text)
    return text


Constraints = dict[str, Annotated[str, AfterValidator(_checked)]]
"""A reported metric or a cost -> its bound."""
