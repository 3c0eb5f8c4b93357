"""What a spec asks for and no trial could ever have: shares above 1, costs below 0."""

from __future__ import annotations

from collections.abc import Iterator

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.stopping import metric_range
from tunefast.spec.costs import COSTS
from tunefast.spec.domains import Float
from tunefast.spec.study import StudySpec

PERCENT = 100


def never_met(spec: StudySpec) -> str | None:
    """The condition on a single value of an interval of real numbers, which is never drawn; None without."""
    for path, domain in spec.space.items():
        for parent, wanted in domain.when.items():
            other = spec.space[parent]
            if wanted != [] and isinstance(other, Float) and other.step is None and other.low < other.high:
                value = wanted[0] if isinstance(wanted, list) else wanted
                return (
                    f'space."{path}".when: {parent!r} is hardly ever exactly {value!r}, being any real number; '
                    "conditions go by choices, whole numbers and intervals with a step"
                )
    return None


def below_zero(spec: StudySpec) -> str | None:
    """The constraint that no trial holds, since what is counted would have to be negative; None where there is none."""
    for name, bound in spec.bounds.items():
        if name in COSTS and bound.sign[0] == "<" and (bound.value < 0 or (bound.value == 0 and bound.sign == "<")):
            return f"[constraints] {name} = {spec.constraints[name]!r}: is never less than 0, so no trial would count"
    return None


def out_of_range(spec: StudySpec, recipe: TrainingRecipe) -> str | None:
    """A value outside of what its metric can have, such as percent of a share; None where there is none.

    Only metrics that tunefast measures are known to be what their names say.
    """
    known = {"accuracy", *(f"val_{metric}" for metric in recipe.validated_metrics if isinstance(metric, str))}
    for where, metric, value in _wanted(spec):
        least, most = (metric in known and metric_range(metric)) or (value, value)
        if value > most:
            meant = f": is {value / PERCENT:g} meant?" if most == 1 and value <= PERCENT else ""
            return f"{where}: {metric} is a share, at most {most:g}{meant}"
        if value < least:
            return f"{where}: {metric} is a share, at least {least:g}"
    return None


def _wanted(spec: StudySpec) -> Iterator[tuple[str, str, float]]:
    """Each value that is asked of a metric, with where that stands and the metric."""
    target = spec.study.target
    if target is not None:
        yield f"[study] target.value = {target.value:g}", target.metric, target.value
    if spec.budget.target is not None:
        yield f"[budget] target = {spec.budget.target:g}", spec.study.main_metric, spec.budget.target
    for name, bound in spec.bounds.items():
        yield f"[constraints] {name} = {spec.constraints[name]!r}", name, bound.value
