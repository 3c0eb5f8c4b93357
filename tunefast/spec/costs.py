"""Costs: what training a recipe takes, counted from its reports; objectives and constraints besides its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tunefast.spec.progress import EpochReport

BACKWARD_FLOPS = 3
"""Operations of a training step per operation of its forward pass: the backward pass takes about twice as many."""


def _total(count: Callable[[EpochReport], float]) -> Callable[[Sequence[EpochReport]], float | None]:
    return lambda reports: sum(map(count, reports))


def _said_once(name: str) -> Callable[[Sequence[EpochReport]], float | None]:
    return lambda reports: next((each.details[name] for each in reports if name in each.details), None)


def _peak_memory_bytes(reports: Sequence[EpochReport]) -> float | None:
    return max((each.peak_memory_bytes for each in reports if each.peak_memory_bytes is not None), default=None)


def _flops(reports: Sequence[EpochReport]) -> float | None:
    forward = _said_once("forward_flops")(reports)
    return None if forward is None else BACKWARD_FLOPS * forward * sum(each.samples for each in reports)


COSTS: Mapping[str, Callable[[Sequence[EpochReport]], float | None]] = {
    "train_seconds": _total(lambda report: report.train_seconds),
    "eval_seconds": _total(lambda report: report.eval_seconds),
    "steps": _total(lambda report: report.steps),
    "samples": _total(lambda report: report.samples),
    "flops": _flops,
    "peak_memory_bytes": _peak_memory_bytes,
    "num_parameters": _said_once("num_parameters"),
}
"""By name: over all epochs of a trial seconds of training and evaluation, optimizer steps, training samples and
floating-point operations; the most memory it used, and the parameters of its model. None of them ever shrinks."""

RACES: Mapping[str, str] = {
    "seconds_to_target": "train_seconds",
    "steps_to_target": "steps",
    "flops_to_target": "flops",
}
"""Metrics of a race: what it took until another metric got to its target."""


def cost(name: str, reports: Sequence[EpochReport]) -> float | None:
    """What training took according to its reports, in order; None where they do not say."""
    found = COSTS[name](reports)
    return None if found is None else float(found)
