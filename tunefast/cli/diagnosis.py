"""What `tunefast doctor` says of a training with tunefast's own loop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import tomlkit
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunefast.cli.output import duration, number, plain_table, scaled
from tunefast.shell import command

if TYPE_CHECKING:
    from tunefast.doctor.diagnosis import Diagnosis
    from tunefast.doctor.findings import Anatomy, Gain, Remedy

LIMITS = {
    "data": "the data: samples come, or are prepared, more slowly than the model trains on them",
    "evaluation": "evaluation: epochs spend more time on judging than on training",
    "launch": "what a step costs whatever its samples: it is too small; larger batches cost little more",
    "compute": "what forward and backward do for each sample: fewer or cheaper operations help (precision, a smaller "
    "model, smaller images)",
}
PHASES = {
    "data": "fetching samples",
    "preparation": "preparing them: scaling, augmentation",
    "forward": "forward",
    "backward": "backward",
    "optimizer": "optimizer",
}
REST = "the rest of the loop"
STOPS = "less: waiting for the device after each, to tell them apart"
SLOW = 2.0
"""Times the least that computing could take, from which on it is said that it runs more slowly than it might."""


def diagnosis_document(found: Diagnosis) -> dict[str, Any]:
    """All of it, for programs."""
    from tunefast.doctor.diagnosis import epochs_to_pay

    def pays_after(gain: Gain) -> float | None:
        epochs = epochs_to_pay(gain.first_seconds, gain.ratio, found.anatomy)
        return epochs if math.isfinite(epochs) else None

    gains = [
        {
            "remedy": gain.remedy.name,
            "changes": dict(gain.remedy.changes),
            "threads": gain.remedy.threads,
            "result": gain.remedy.result,
            **{name: value for name, value in gain._asdict().items() if name != "remedy"},
            "pays_after_epochs": pays_after(gain),
        }
        for gain in found.gains
    ]
    memory = found.memory
    return {
        "anatomy": {**found.anatomy._asdict(), "rest_seconds": found.anatomy.rest_seconds},
        "rates": found.rates._asdict(),
        "memory": {**memory._asdict(), "largest": None if memory.largest is None else memory.largest._asdict()},
        "floor_seconds": found.floor_seconds,
        "limit": found.verdict.limit,
        "share": found.verdict.share,
        "remedies": gains,
        "failed": [{"remedy": each.remedy.name, "why": each.why} for each in found.failed],
        "left_alone": [each._asdict() for each in found.left_alone],
    }


def show_diagnosis(
    out: Console, found: Diagnosis, file_or_name: str, metric: str, threads: int, seconds: float
) -> None:
    """All of it, for people."""
    anatomy = found.anatomy
    out.print(
        f"\nA step takes {1000 * anatomy.step_seconds:.1f} ms for {anatomy.samples_per_step:,} samples; an epoch is "
        f"{anatomy.steps_per_epoch:,} of them and an evaluation of {_short(anatomy.eval_seconds)}.",
        soft_wrap=True,
    )
    out.print(_phases(anatomy))
    if found.floor_seconds is not None and anatomy.step_flops is not None:
        rate = f"{scaled(anatomy.step_flops)}FLOP at {scaled(found.rates.flops)}FLOP/s, as it multiplies large matrices"
        least = 1000 * found.floor_seconds
        told = f"{least:.1f}" if least >= 0.1 else f"{least:.2g}"  # noqa: PLR2004  less would be none
        out.print(f"The least it could take here: {told} ms ({rate}).", soft_wrap=True)
    out.print(_memory(found), soft_wrap=True)
    out.print(Text(_limit(found), "bold"), soft_wrap=True)
    _show_remedies(out, found, file_or_name, metric, threads)
    for line in _left(found, seconds):
        out.print(line, soft_wrap=True, markup=False)


def _phases(anatomy: Anatomy) -> Table:
    """Where a step's time goes, in rows that add up to it."""
    table = plain_table("share", "ms", "for", right=("share", "ms"))
    whole = max(anatomy.step_seconds, sum(anatomy.phases.values()))
    for phase, taken in sorted(anatomy.phases.items(), key=lambda item: -item[1]):
        table.add_row(f"{taken / whole:.0%}", f"{1000 * taken:.1f}", PHASES[phase])
    rest = anatomy.rest_seconds
    share, what = (f"{rest / whole:.0%}", REST) if rest >= 0 else ("", STOPS)
    table.add_row(share, f"{1000 * rest:.1f}", what)
    return table


def _limit(found: Diagnosis) -> str:
    """What limits the training, and whether that is for its many operations or for how slowly they run."""
    told = f"Limited by {LIMITS[found.verdict.limit]}. That is {found.verdict.share:.0%} of an epoch"
    if found.verdict.limit != "compute" or found.floor_seconds is None:
        return f"{told}."
    times = (found.anatomy.computing_seconds - found.anatomy.fixed_seconds) / found.floor_seconds
    slow = f", and takes {times:.1f} times the least: small layers stay far below that rate"
    return f"{told}{slow if times >= SLOW else ''}."


def _short(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _memory(found: Diagnosis) -> str:
    memory, anatomy = found.memory, found.anatomy
    taken = f"Memory: at most {memory.peak_bytes / 2**20:,.0f} MiB"
    if memory.largest is None:
        free = f", and {memory.free_bytes / 2**30:.1f} GiB are free" if memory.free_bytes is not None else ""
        return f"{taken} of this machine's for the whole process{free}; larger batches are tried on GPUs alone."
    of = f" of {memory.total_bytes / 2**30:.0f} GiB" if memory.total_bytes is not None else ""
    if memory.largest.too_large is None:
        fits = f"batches of {memory.largest.batch_size:,} fit"
        limit = (
            ", all samples" if memory.largest.batch_size >= anatomy.num_train else ", and larger ones were not tried"
        )
        return f"{taken}{of}; {fits}{limit}."
    return f"{taken}{of}; the largest batch that fits: {memory.largest.batch_size:,}."


def _show_remedies(out: Console, found: Diagnosis, file_or_name: str, metric: str, threads: int) -> None:
    from tunefast.doctor.diagnosis import epochs_to_pay

    out.print()
    if not found.gains:
        out.print("No remedy was measured.")
        return
    table = plain_table("speed", "interval", metric, "put into [recipe], or type", right=("speed", metric))
    for gain in found.gains:
        span = f"{gain.low:.2f} to {gain.high:.2f}"
        cell = Text(_line(gain.remedy, file_or_name, threads))
        epochs = epochs_to_pay(gain.first_seconds, gain.ratio, found.anatomy)
        cell.append(f"\n{_what(gain, epochs, found.anatomy.epochs)}", "dim")
        pays = gain.is_certain and epochs <= found.anatomy.epochs
        table.add_row(f"{gain.ratio:.2f}x", span, _change(gain), cell, style="green" if pays else "")
    out.print(table)
    out.print(f"{metric}: by how much better a short run over as many samples was.", style="dim", soft_wrap=True)
    for line in _advice(found, file_or_name, threads):
        out.print(line, markup=False, soft_wrap=True)


def _what(gain: Gain, epochs: float, planned: int) -> str:
    """What was tried, and what speaks against it; it pays after `epochs`, and a trial has `planned` of them."""
    told = [gain.remedy.name, gain.remedy.result]
    once = f"once {duration(gain.first_seconds)}"
    if epochs > 0 and math.isfinite(epochs):
        after = math.ceil(epochs)
        has = f", and a trial has {planned}" if epochs > planned else ""
        told.append(f"{once}: pays after {after:,} epoch{'s' * (after != 1)}{has}")
    elif epochs > 0:
        told.append(once)
    if gain.ratio < 1:
        told.append("does not pay")
    return "; ".join(told)


def _change(gain: Gain) -> str:
    if gain.metric_change is None:
        return "?"
    return f"{'+' if gain.metric_change >= 0 else '-'}{number(abs(gain.metric_change))}"


def _line(remedy: Remedy, file_or_name: str, threads: int) -> str:
    """What to put into the spec, or to type."""
    if remedy.threads is not None:
        workers = max(1, threads // remedy.threads)
        return command("study", "run", file_or_name, "-n", workers)
    return "\n".join(f"{path} = {toml(value)}" for path, value in remedy.changes.items())


def toml(value: Any) -> str:
    """A value as a spec has it, in one line."""
    if isinstance(value, dict):
        inner = ", ".join(f"{name} = {toml(each)}" for name, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return str(tomlkit.item(value).as_string())


def _advice(found: Diagnosis, file_or_name: str, threads: int) -> Iterator[str]:
    from tunefast.doctor.diagnosis import together

    changes = together(found.advised).changes
    if changes:
        yield "\nWhat surely helps and changes nothing but rounding, for [recipe] (--apply writes it):"
    yield from (f"  {path} = {toml(value)}" for path, value in changes.items())
    fewer = [gain for gain in found.gains if gain.remedy.threads is not None and gain.remedy.threads < threads]
    best = max(fewer, key=lambda gain: gain.ratio / (gain.remedy.threads or 1), default=None)
    if best is not None and best.remedy.threads is not None:
        workers = threads // best.remedy.threads
        yield (
            f"\nWith {best.remedy.threads} of {threads} threads a trial is {best.ratio:.2f} times as fast, so "
            f"{workers} at once get through up to {best.ratio * workers:.2f} times as much: "
            f"{command('study', 'check', file_or_name, '-n', workers)} measures them side by side."
        )


def _left(found: Diagnosis, seconds: float) -> Iterator[str]:
    """What was not tried, and why."""
    if found.failed:
        yield f"\nLeft out, in {duration(seconds)} (--seconds gives it more):"
        for each in found.failed:
            yield f"  {each.remedy.name}: {each.why}"
    if found.left_alone:
        yield "\nNothing to try:"
        for alone in found.left_alone:
            yield f"  {alone.name}: {alone.why}"
