"""What `tunefast doctor` does with a training of the user's own: watches it, and tries other numbers of threads."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from tunefast.cli.output import console, duration, plain_table, print_json
from tunefast.doctor.own import Gaps, OwnLimit, Watched, watched
from tunefast.doctor.rounds import LEAST_ROUNDS, mean_ratio
from tunefast.errors import SpecError
from tunefast.recipe.own_training import CommandRecipe, ObjectiveRecipe
from tunefast.run.preflight.places import Places
from tunefast.run.preflight.probe import Probe, Probed
from tunefast.run.slots import num_cores
from tunefast.shell import command
from tunefast.spec.study import StudySpec

SHARE = 0.2
"""Of the time, for the first look."""
START_SECONDS = 20.0
"""For imports, that do not count."""
CROWDED = 1.2
"""Times the cores that it uses, that it wants where others use the machine too."""
LIMITS = {
    OwnLimit.EVALUATION: "evaluation, by its own words: judge less often, or on fewer samples",
    OwnLimit.WAITING: "waiting: it leaves its cores idle, for a disk, a network, a device, a lock or a sleep",
    OwnLimit.ONE_CORE: "one core: the others are idle; load data in other processes, or let more workers share them",
    OwnLimit.COMPUTE: "arithmetic: it keeps its cores busy",
    OwnLimit.PARTS: "the part of its work that one core does while the others wait",
}


@dataclass
class _Own:
    """A training of the user's own that is examined."""

    spec: StudySpec
    recipe: ObjectiveRecipe | CommandRecipe
    place: str
    until: float
    """When the time is over, by the monotonic clock."""

    def watch(self, places: Places, threads: int, seconds: float) -> Watched | None:
        """What is seen of it in about so many seconds; None where it did not report in time.

        Raises `SpecError` where it fails.
        """
        probe = Probe(
            number=0,
            recipe=self.recipe.table(),
            seed=self.spec.trial_seed(0),
            threads=threads,
            metric=self.spec.study.curve_metric,
            watch=True,
            seconds=seconds,
        )
        found: list[Probed] = []
        places.try_all([probe], self.until, lambda _probe, probed: found.append(probed))
        if not found:
            return None
        (probed,) = found
        if probed.error is not None:
            raise SpecError(where=f"study {self.spec.study.name!r}", problem=probed.error)
        gaps = Gaps(probed.gaps, probed.cpu_seconds, probed.waiting_seconds, probed.eval_seconds)
        return watched(threads, probed.start_seconds, gaps, probed.peak_memory_bytes)


@dataclass
class _Threads:
    """Another number of threads, and what it did."""

    threads: int
    logs: list[float] = field(default_factory=list)
    """Of how many times as fast it was, a round each."""
    why: str = ""
    """Why it was not tried to an end."""


def examine_own(
    out: Console,
    spec: StudySpec,
    recipe: ObjectiveRecipe | CommandRecipe,
    place: str,
    threads: int,
    seconds: float,
    file_or_name: str,
    *,
    to_json: bool,
) -> None:
    """Watch it train, try another number of threads, and say what was found."""
    with console(to_json=True).status("measuring: the time between reports") as status, contextlib.ExitStack() as open_:
        places = open_.enter_context(Places([place]))
        own = _Own(spec, recipe, place, time.monotonic() + START_SECONDS + seconds)
        seen = own.watch(places, threads, seconds * SHARE)
        if seen is None:
            problem = f"it reported nothing within {duration(START_SECONDS + seconds)}; --seconds gives it more"
            raise SpecError(where=f"study {spec.study.name!r}", problem=problem)
        own.until = time.monotonic() + seconds * (1 - SHARE)
        other = _Threads(1 if threads > 1 else min(2, num_cores()))
        if place != "cpu" or other.threads == threads:
            other.why = "the GPU computes" if place != "cpu" else "there is one core"
        else:
            status.update(f"measuring: {other.threads} threads, not {threads}")
            _try_threads(own, places, lambda: open_.enter_context(Places([place])), seen, other)
    if to_json:
        print_json(_document(seen, other))
    else:
        _show(out, recipe, seen, other, file_or_name)


def _try_threads(own: _Own, places: Places, more: Callable[[], Places], seen: Watched, other: _Threads) -> None:
    """Run with and without the other number in turn, each in a process of its own, since libraries keep theirs.

    A run is watched until it has reported twice, or for its share of the time.
    """
    least = seen.setup_seconds + 2 * seen.seconds_an_epoch
    left = own.until - time.monotonic()
    if left < 2 * LEAST_ROUNDS * least:
        other.why = f"{LEAST_ROUNDS} rounds take about {duration(2 * LEAST_ROUNDS * least)}; --seconds gives it more"
        return
    started = time.monotonic()
    others = more()
    own.until += time.monotonic() - started + 2 * seen.start_seconds  # for its imports, which do not count
    share = max(least, left / (2 * LEAST_ROUNDS + 2))
    while len(other.logs) < LEAST_ROUNDS:
        before = own.watch(places, seen.threads, share)
        after = own.watch(others, other.threads, share) if before is not None else None
        if before is None or after is None:
            other.why = "the time was over before; --seconds gives it more"
            return
        other.logs.append(math.log(before.seconds_an_epoch / after.seconds_an_epoch))


def _document(seen: Watched, other: _Threads) -> dict[str, Any]:
    low, ratio, high = _times(other)
    remedy = {"threads": other.threads, "ratio": ratio, "low": low, "high": high}
    return {
        "anatomy": {**seen._asdict(), "seconds_an_epoch": seen.seconds_an_epoch},
        "limit": seen.limit,
        "remedies": [] if other.why else [remedy],
        "failed": [{"remedy": f"{other.threads} threads", "why": other.why}] if other.why else [],
    }


def _times(other: _Threads) -> tuple[float, float, float]:
    """How many times as fast it was, between the ends of an interval."""
    if other.why:
        return math.nan, math.nan, math.nan
    return mean_ratio(other.logs)


def _show(
    out: Console, recipe: ObjectiveRecipe | CommandRecipe, seen: Watched, other: _Threads, file_or_name: str
) -> None:
    out.print(
        f"\nIt trains with {recipe.trainer}: from outside, fetching samples, forward, backward and optimizer cannot be "
        "told apart.",
        soft_wrap=True,
    )
    table = plain_table("seconds", "for", right=("seconds",))
    if isinstance(recipe, ObjectiveRecipe):
        table.add_row(f"{seen.start_seconds:.2f}", "imports, once a worker")
    table.add_row(f"{seen.setup_seconds:.2f}", "starting, data, model: once a trial")
    spread = f" ({min(seen.epoch_seconds):.2f} to {max(seen.epoch_seconds):.2f}, {len(seen.epoch_seconds)} seen)"
    table.add_row(f"{seen.seconds_an_epoch:.2f}", f"an epoch, from report to report{spread}")
    if seen.eval_share is not None:
        table.add_row(f"{seen.eval_share * seen.seconds_an_epoch:.2f}", "of that evaluation, as it says")
    out.print(table)
    if seen.eval_share is None:
        out.print(
            "It does not say what evaluation takes: report eval_seconds among the metrics, and it is told apart.",
            soft_wrap=True,
        )
    is_crowded = seen.wanted > CROWDED * seen.cores + 0.1
    crowded = f" It wants {seen.wanted:.1f}: others use the machine too." if is_crowded else ""
    out.print(f"While it trains it uses {seen.cores:.1f} of its {seen.threads} cores.{crowded}", soft_wrap=True)
    out.print(Text(f"Limited by {LIMITS[seen.limit]}.", "bold"), soft_wrap=True)
    _show_threads(out, seen, other, file_or_name)


def _show_threads(out: Console, seen: Watched, other: _Threads, file_or_name: str) -> None:
    name = f"{other.threads} thread{'s' * (other.threads != 1)}, not {seen.threads}"
    if other.why:
        out.print(f"\nNot tried: {name}: {other.why}", soft_wrap=True)
        return
    low, ratio, high = _times(other)
    workers = max(1, seen.threads // other.threads)
    table = plain_table("speed", "interval", "what to type", right=("speed",))
    cell = Text(command("study", "run", file_or_name, "-n", workers))
    cell.append(f"\n{name}; rounding alone", "dim")
    table.add_row(f"{ratio:.2f}x", f"{low:.2f} to {high:.2f}", cell, style="green" if low > 1 else "")
    out.print()
    out.print(table)
    if workers > 1:
        out.print(
            f"{workers} trials at once, each with {other.threads}, get through up to {ratio * workers:.2f} times as "
            f"much: {command('study', 'check', file_or_name, '-n', workers)} measures them side by side.",
            soft_wrap=True,
        )
