"""`tunefast doctor`: why a training takes long, and what helps, measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tomlkit
import typer
from rich.console import Console
from rich.text import Text

from tunefast.cli.options import Device, Json, Verbose
from tunefast.cli.output import console, duration, number, plain_table, print_json, scaled, short_params
from tunefast.errors import SpecError, UserError
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.run.driver import use_threads
from tunefast.run.prepare import located
from tunefast.run.slots import devices_for, num_cores
from tunefast.run.specs import find_spec
from tunefast.spec.study import StudySpec
from tunefast.train.process import prepare_process

if TYPE_CHECKING:
    from tunefast.doctor.examine import Diagnosis
    from tunefast.doctor.trying import Gain

DOCTOR_SECONDS = 60.0
LIMITS = {
    "data": "the data: samples come, or are prepared, more slowly than the model trains on them",
    "evaluation": "evaluation: epochs spend more time on judging than on training",
    "launch": "what a step costs whatever its samples: it is too small; larger batches cost little more",
    "compute": "arithmetic: fewer or cheaper operations help (precision, a smaller model, smaller images)",
}
PHASES = {
    "data": "fetching samples",
    "preparation": "preparing them: scaling, augmentation",
    "forward": "forward",
    "backward": "backward",
    "optimizer": "optimizer",
}


def doctor(
    file_or_name: Annotated[str, typer.Argument(help="A spec file, or a study that ships.", metavar="FILE|NAME")],
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option("--threads", help="Default: all cores.", metavar="N", min=1)] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Time to measure for, about.", metavar="SECONDS", min=1, max=86400)
    ] = DOCTOR_SECONDS,
    apply: Annotated[bool, typer.Option("--apply", help="Write a spec with what surely helps.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where --apply writes it; default: FILE.faster.toml.")
    ] = None,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure where the time of a recipe's steps goes, and which remedies pay."""
    prepare_process()
    spec = find_spec(file_or_name)
    target = _target(file_or_name, output) if apply else None
    params = next(spec.samples(), {})
    recipe = located(spec).recipe_for(params)
    if not isinstance(recipe, TrainingRecipe):
        raise UserError(
            message=f"the recipe trains with {recipe.trainer}: its steps cannot be seen from outside, only its epochs "
            "(tunefast study check)"
        )
    (place,) = devices_for(device, 1)
    out = console(to_json=to_json)
    num_threads = threads or num_cores()
    out.print(f"{spec.study.name} on {place}, {num_threads} thread{'s' * (num_threads != 1)}{_assumed(params)}.")
    use_threads(num_threads)
    found = _examined(spec, recipe, place, seconds, console(to_json=True))
    if to_json:
        print_json(_document(found))
    else:
        _show(out, found)
    if target is not None:
        _apply(out, Path(file_or_name), target, found)


def _assumed(params: dict[str, Any]) -> str:
    return f", with {short_params(params)}" if params else ""


def _examined(spec: StudySpec, recipe: TrainingRecipe, place: str, seconds: float, out: Console) -> Diagnosis:
    import torch

    from tunefast.doctor.examine import examine
    from tunefast.doctor.trying import Aim

    aim = Aim(spec.study.curve_metric, spec.study.curve_maximize)
    with out.status("measuring") as status:
        try:
            return examine(
                recipe,
                spec.trial_seed(0),
                torch.device(place),
                seconds,
                aim,
                searched=spec.space,
                on_progress=lambda what: status.update(f"measuring: {what}"),
            )
        except ValueError as error:
            raise SpecError(where=f"study {spec.study.name!r}", problem=str(error)) from error


def _document(found: Diagnosis) -> dict[str, Any]:
    gains = [
        {
            "remedy": gain.remedy.name,
            "changes": dict(gain.remedy.changes),
            "result": gain.remedy.result,
            **{name: value for name, value in gain._asdict().items() if name != "remedy"},
        }
        for gain in found.gains
    ]
    return {
        "anatomy": found.anatomy._asdict(),
        "rates": found.rates._asdict(),
        "floor_seconds": found.floor_seconds,
        "limit": found.verdict.limit,
        "share": found.verdict.share,
        "remedies": gains,
        "failed": [{"remedy": each.remedy.name, "why": each.why} for each in found.failed],
    }


def _show(out: Console, found: Diagnosis) -> None:
    anatomy = found.anatomy
    out.print(
        f"\nA step takes {1000 * anatomy.step_seconds:.1f} ms for {anatomy.samples_per_step:,} samples; an epoch is "
        f"{anatomy.steps_per_epoch:,} of them and an evaluation of {duration(anatomy.eval_seconds)}.",
        soft_wrap=True,
    )
    table = plain_table("share", "ms", "for", right=("share", "ms"))
    whole = sum(anatomy.phases.values())
    for phase, taken in sorted(anatomy.phases.items(), key=lambda item: -item[1]):
        table.add_row(f"{taken / whole:.0%}", f"{1000 * taken:.1f}", PHASES[phase])
    out.print(table)
    if found.floor_seconds is not None and anatomy.step_flops is not None:
        times = anatomy.step_seconds / found.floor_seconds
        rate = f"{scaled(anatomy.step_flops)}FLOP at {scaled(found.rates.flops)}FLOP/s, as it multiplies large matrices"
        out.print(
            f"The least it could take here: {1000 * found.floor_seconds:.1f} ms ({rate}); it takes {times:.1f} times "
            "that.",
            soft_wrap=True,
        )
    out.print(Text(f"Limited by {LIMITS[found.verdict.limit]} ({found.verdict.share:.0%}).", "bold"), soft_wrap=True)
    _show_remedies(out, found)


def _show_remedies(out: Console, found: Diagnosis) -> None:
    out.print()
    if not found.gains:
        out.print("No remedy applies to it.")
    else:
        table = plain_table("times as fast", "interval", "remedy", "result", right=("times as fast",))
        for gain in found.gains:
            style = "green" if gain.is_certain else "dim"
            span = f"{gain.low:.2f} to {gain.high:.2f}"
            table.add_row(f"{gain.ratio:.2f}", span, _named(gain), _result(gain), style=style)
        out.print(table)
        for line in _lines(found.advised):
            out.print(line, markup=False, soft_wrap=True)
    for each in found.failed:
        out.print(f"Not tried: {each.remedy.name} ({each.why})", soft_wrap=True, markup=False)


def _named(gain: Gain) -> str:
    first = f" (first {duration(gain.first_seconds)} longer)" if gain.first_seconds >= 1 else ""
    return f"{gain.remedy.name}{first}"


def _result(gain: Gain) -> str:
    if gain.metric_change is None:
        return str(gain.remedy.result)
    sign = "+" if gain.metric_change >= 0 else "-"
    return f"{gain.remedy.result}, {sign}{number(abs(gain.metric_change))} in a short run"


def _lines(gains: list[Gain]) -> Iterator[str]:
    if gains:
        yield "\nWhat surely helps and changes nothing but rounding, for [recipe]:"
    for gain in gains:
        for path, value in gain.remedy.changes.items():
            yield f"  {path} = {tomlkit.item(value).as_string()}"


def _target(file_or_name: str, output: Path | None) -> Path:
    source = Path(file_or_name)
    if not source.is_file():
        raise UserError(message=f"--apply changes a file; {file_or_name} is a study that ships: copy it first")
    target = output or source.with_suffix(".faster.toml")
    if target.exists():
        raise UserError(message=f"{target} is there already; name another file with -o")
    return target


def _apply(out: Console, source: Path, target: Path, found: Diagnosis) -> None:
    """Write the spec with the remedies that surely help, its comments and order as they were."""
    if not found.advised:
        out.print("Nothing to apply: no remedy surely helps without changing the result.")
        return
    from tunefast.doctor.examine import together

    document = tomlkit.parse(source.read_text(encoding="utf-8"))
    for path, value in together(found.advised).changes.items():
        *sections, last = path.split(".")
        place: Any = document["recipe"]
        for section in sections:
            if section not in place:
                place[section] = tomlkit.inline_table()
            place = place[section]
        place[last] = value
    target.write_text(tomlkit.dumps(document), encoding="utf-8")
    out.print(f"Written: {target}")
