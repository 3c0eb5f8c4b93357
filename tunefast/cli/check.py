"""`tunefast study check`: what would fail, what would not fit, and how long it would take, before a study starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from tunefast.cli.options import Device, Json, Verbose, Workers
from tunefast.cli.output import console, duration, plain_table, print_json, scaled, short_params
from tunefast.errors import SpecError
from tunefast.run.preflight.check import Check, Tried, check, quick_check
from tunefast.run.preflight.forecast import Forecast, Range
from tunefast.run.preflight.probe import Probed
from tunefast.run.prepare import located
from tunefast.run.slots import devices_for
from tunefast.run.specs import find_spec
from tunefast.spec.samplers import GridSampler
from tunefast.spec.study import StudySpec

CHECK_SECONDS = 60.0
QUICK_SECONDS = 5.0
MOST_ROWS = 12
MOST_FAILURES = 3
MEBIBYTE = 2**20
FAILED = 2

Seconds = Annotated[
    float, typer.Option("--seconds", help="Time that the check may take.", metavar="SECONDS", min=1, max=86400)
]


def check_(
    file_or_name: Annotated[str, typer.Argument(help="A spec file, or a study that ships.", metavar="FILE|NAME")],
    workers: Workers = None,
    device: Device = "auto",
    seconds: Seconds = CHECK_SECONDS,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train a few real steps of every kind of recipe in the space: what fails, what fits, and how long all takes."""
    spec = find_spec(file_or_name)
    devices = devices_for(device, workers)
    spec = located(spec)
    with _progress(console(to_json=True)) as on_progress:
        found = check(spec, devices, explicit=workers is not None, seconds=seconds, on_progress=on_progress)
    if to_json:
        print_json(_document(spec, found))
    else:
        _show(console(), spec, found, verbose=verbose)
    if found.failed:
        raise typer.Exit(FAILED)


def check_quickly(spec: StudySpec, device: str, out: Console) -> None:
    """Refuse a spec of which a recipe fails in its first step, and say which do not fit into memory.

    Raises `SpecError`. The user's own training is not tried, since it may take any time.
    """
    if not spec.trains_with_ours:
        return
    (place,) = devices_for(device, 1)
    found = quick_check(spec, place, QUICK_SECONDS)
    for one in found.failed[:1]:
        recipe = f", recipe {short_params(one.plan.params)}" if one.plan.params else ""
        where = f"study {spec.study.name!r}{recipe}"
        raise SpecError(where=where, problem=_reason(one))
    if found.left:
        total = len(found.tried) + len(found.left)
        left = f"{len(found.left)} of {total} recipes were not tried, since that took too long"
        out.print(f"Note: {left}; tunefast study check tries all", soft_wrap=True)
    for one in found.too_large[:1]:
        out.print(f"Note: on {place} there is not the memory for {short_params(one.plan.params)}", soft_wrap=True)


@contextmanager
def _progress(out: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Says what is done, where somebody looks."""
    if not out.is_terminal:
        yield lambda *_: None
        return
    with out.status("Starting") as status:
        yield lambda what, done, total: status.update(f"{done} of {total} {what} tried")


def _show(out: Console, spec: StudySpec, found: Check, *, verbose: bool) -> None:
    num_workers = len(found.devices)
    places = f"{num_workers} worker{'s' * (num_workers != 1)} on {', '.join(dict.fromkeys(found.devices))}"
    threads = f"{found.threads} thread{'s' * (found.threads != 1)} each"
    total = len(found.tried) + len(found.left)
    out.print(f"Tried {len(found.tried)} of {total} recipes of {spec.study.name}: {places}, {threads}.", soft_wrap=True)
    if found.left:
        out.print("There was no time for the others; give the check more --seconds.", soft_wrap=True)
    _show_costs(out, found)
    _show_troubles(out, "fail", found.failed, found, verbose=verbose)
    _show_troubles(out, "do not fit into memory", found.too_large, found, verbose=verbose)
    if found.diverging:
        example = short_params(found.diverging[0].plan.params)
        out.print(f"\n{len(found.diverging)} of {len(found.tried)} recipes diverge, as {example}", soft_wrap=True)
    if found.forecast is not None:
        _show_forecast(out, spec, found, found.forecast)


def _show_costs(out: Console, found: Check) -> None:
    rows = sorted(found.working, key=lambda one: one.steps.epoch_seconds)
    if not rows:
        return
    chosen = dict.fromkeys(range(len(rows)), "")
    if len(rows) > MOST_ROWS:
        largest = max(range(len(rows)), key=lambda index: rows[index].steps.peak_memory_bytes or 0)
        chosen = {0: "fastest", len(rows) // 2: "median", len(rows) - 1: "slowest"}
        chosen[largest] = f"{chosen[largest]}, most memory" if largest in chosen else "most memory"
    table = plain_table("", "samples/s", "epoch", "memory", "recipe", right=("samples/s", "epoch", "memory"))
    for index, label in chosen.items():
        table.add_row(label, *_cost_cells(rows[index].steps), Text(short_params(rows[index].plan.params) or "as it is"))
    out.print()
    out.print(table)


def _cost_cells(steps: Probed) -> tuple[str, str, str]:
    rate = "-" if steps.samples_per_second is None else scaled(steps.samples_per_second).strip()
    memory = "-" if steps.peak_memory_bytes is None else f"{steps.peak_memory_bytes / MEBIBYTE:.0f} MiB"
    return rate, _short(steps.epoch_seconds), memory


def _short(seconds: float) -> str:
    """Seconds, also where they are few."""
    return duration(seconds) if seconds >= 10 else f"{seconds:.2g} s"  # noqa: PLR2004


def _show_troubles(out: Console, what: str, ones: Sequence[Tried], found: Check, *, verbose: bool) -> None:
    if not ones:
        return
    out.print()
    out.print(Text(f"{len(ones)} of {len(found.tried)} recipes {what}:", style="bold"))
    alike: dict[str, list[Tried]] = {}
    for one in ones:
        alike.setdefault(_reason(one), []).append(one)
    for reason, twins in list(alike.items())[:MOST_FAILURES]:
        out.print(Text(f"  {reason}"), soft_wrap=True)
        more = f" and {len(twins) - 1} more" if len(twins) > 1 else ""
        out.print(Text(f"    {_in_common(twins, found) or short_params(twins[0].plan.params) + more}"), soft_wrap=True)
        if verbose:
            out.print(Text(twins[0].steps.error or ""), soft_wrap=True)


def _reason(one: Tried) -> str:
    """What went wrong, in a line: the last of a traceback, the first of anything else."""
    lines = [line for line in (one.steps.error or "").splitlines() if line.strip()]
    told = -1 if lines and lines[0].startswith("Traceback") else 0
    return lines[told].strip() if lines else "unknown"


def _in_common(twins: Sequence[Tried], found: Check) -> str:
    """The settings that all of `twins` have, and of those that train none has."""
    first, *rest = (one.plan.params for one in twins)
    shared = {path: value for path, value in first.items() if all(path in p and p[path] == value for p in rest)}
    telling = {
        path: value
        for path, value in shared.items()
        if all(one.plan.params.get(path) != value for one in found.working) and len(twins) > 1
    }
    return f"all with {short_params(telling)}" if telling else ""


def _show_forecast(out: Console, spec: StudySpec, found: Check, seen: Forecast) -> None:
    out.print()
    out.print(Text(f"Forecast for {_budget(spec, seen)}:", style="bold"))
    if seen.with_stop_rules is not None:
        out.print(f"  with stop rules  {_range(seen.with_stop_rules)}", soft_wrap=True)
        out.print(f"  without          {_range(seen.without)}", soft_wrap=True)
    else:
        out.print(f"  {_range(seen.without)}; there are no stop rules", soft_wrap=True)
    trained = sum(one.whole is not None for one in found.tried)
    if found.guessed:
        out.print(
            "  No whole training was done in time: stop rules are guessed, for trials that keep their order. "
            "More --seconds tell more.",
            soft_wrap=True,
        )
    else:
        out.print(f"  by the curves of {trained} whole training{'s' * (trained != 1)}", soft_wrap=True)
    if found.features_seconds > 1:
        out.print(f"  of it {duration(found.features_seconds)} for the frozen backbone's features, once")
    if seen.reaches_target is not None:
        out.print(
            f"  random recipes reach the target {spec.budget.target:g} in {seen.reaches_target:.0%} of such studies",
            soft_wrap=True,
        )


def _budget(spec: StudySpec, seen: Forecast) -> str:
    if isinstance(spec.study.sampler, GridSampler):
        return f"a grid of {spec.num_cells} cells"
    budget = spec.budget
    words = [f"{budget.trials} trials"] if budget.trials is not None else []
    if budget.minutes is not None:
        most = seen.with_stop_rules or seen.without
        words.append(f"{budget.minutes:g} minutes" + (f", about {most.trials} trials" if budget.trials is None else ""))
    return " or ".join(words)


def _range(span: Range) -> str:
    if span.high - span.low < 0.1 * span.middle:
        return f"about {duration(span.middle)}"
    return f"about {duration(span.middle)} ({duration(span.low)} to {duration(span.high)})"


def _document(spec: StudySpec, found: Check) -> dict[str, Any]:
    seen = found.forecast
    return {
        "study": spec.study.name,
        "devices": list(found.devices),
        "threads": found.threads,
        "recipes": [_row(one) for one in found.tried],
        "not_tried": [dict(plan.params) for plan in found.left],
        "failed": len(found.failed),
        "too_large": len(found.too_large),
        "diverging": len(found.diverging),
        "before_seconds": found.before_seconds,
        "features_seconds": found.features_seconds,
        "forecast": None
        if seen is None
        else {
            "with_stop_rules": None if seen.with_stop_rules is None else seen.with_stop_rules._asdict(),
            "without": seen.without._asdict(),
            "reaches_target": seen.reaches_target,
            "guessed": found.guessed,
        },
    }


def _row(one: Tried) -> dict[str, Any]:
    steps = one.steps.model_dump(exclude={"curve", "epochs"})
    row = {"params": dict(one.plan.params), "epochs": one.plan.epochs, **steps}
    return row if one.whole is None else {**row, "trained_epochs": one.whole.epochs, "curve": one.whole.curve}
