"""Phrases: values as people read them, in a terminal and on a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tunefast.spec.costs import RACES

LARGE = 1000
LEAST_WHOLE_SECONDS = 10
SECONDS_A_MINUTE, SECONDS_AN_HOUR = 60, 3600


def duration(seconds: float) -> str:
    """Seconds as people say them: ``4 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < SECONDS_A_MINUTE:
        return f"{whole} s"
    if whole < SECONDS_AN_HOUR:
        return f"{whole // SECONDS_A_MINUTE} min {whole % SECONDS_A_MINUTE} s"
    return f"{whole // SECONDS_AN_HOUR} h {whole % SECONDS_AN_HOUR // SECONDS_A_MINUTE} min"


def amount(seconds: float) -> str:
    """Seconds as `duration` says them, but that a part of one is told too: ``0.3 s``."""
    return f"{seconds:.1g} s" if 0 < seconds < 1 else duration(seconds)


def brief(seconds: float) -> str:
    """Seconds as people say them, of short times the parts too: ``0.0123 s``."""
    return f"{seconds:.3g} s" if seconds < LEAST_WHOLE_SECONDS else duration(seconds)


def number(value: float | None) -> str:
    """A metric with four significant digits or more, or a dash."""
    return "-" if value is None else f"{value:.4f}" if abs(value) < LARGE else f"{value:.6g}"


def setting(value: Any) -> str:
    """A parameter's value: short, whatever its type."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def scaled(count: float) -> str:
    """A count with three digits, and the prefix of its unit."""
    value, prefixes = float(count), ["", "k", "M", "G", "T"]
    while value >= LARGE and len(prefixes) > 1:
        value /= LARGE
        prefixes.pop(0)
    return f"{value:.3g} {prefixes[0]}"


def race_cost(metric: str, value: float, seconds: Callable[[float], str]) -> str:
    """What a trial of a race by `metric` took, with its unit; `seconds` says those of training."""
    unit = RACES[metric]
    return seconds(value) if unit == "train_seconds" else f"{scaled(value)}{'FLOP' if unit == 'flops' else unit}"


def short_params(params: Mapping[str, Any]) -> str:
    """Parameters in one line, each under the last part of its path where that is enough to tell them apart."""
    leaves = [path.rsplit(".", 1)[-1] for path in params]
    names = [
        leaf if leaves.count(leaf) == 1 and leaf != "name" else path for path, leaf in zip(params, leaves, strict=True)
    ]
    return " ".join(f"{name}={setting(value)}" for name, value in zip(names, params.values(), strict=True))


def counts_line(counts: Mapping[str, int]) -> str:
    """Trials by state, in words; last those from another study, which are none of its own."""
    order = ("complete", "pruned", "infeasible", "failed", "retried", "running", "waiting")
    own = ", ".join(f"{counts[state]} {state}" for state in order if counts.get(state))
    imported = f"{counts['imported']} imported" if counts.get("imported") else ""
    return f"{own}, and {imported}" if own and imported else own or imported
