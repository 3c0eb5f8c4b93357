"""`tunefast doctor`: why a training takes long, and what helps, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tomlkit
import typer
from rich.console import Console

from tunefast.cli.diagnosis import diagnosis_document, show_diagnosis
from tunefast.cli.options import Device, Json, Verbose
from tunefast.cli.output import console, print_json, short_params
from tunefast.cli.own_diagnosis import examine_own
from tunefast.errors import SpecError, UserError
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.run.prepare import located
from tunefast.run.slots import devices_for, num_cores
from tunefast.run.specs import find_spec
from tunefast.spec.start import written_params
from tunefast.spec.study import StudySpec

if TYPE_CHECKING:
    from tunefast.doctor.diagnosis import Diagnosis

DOCTOR_SECONDS = 60.0


def doctor(
    file_or_name: Annotated[str, typer.Argument(help="A spec file, or a study that ships.", metavar="FILE|NAME")],
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option("--threads", help="Default: all cores.", metavar="N", min=1)] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Time to measure for.", metavar="SECONDS", min=1, max=86400)
    ] = DOCTOR_SECONDS,
    apply: Annotated[bool, typer.Option("--apply", help="Write a spec with what surely helps.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where --apply writes it; default: FILE.faster.toml.")
    ] = None,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure where the time of a recipe's steps goes, and which remedies pay."""
    spec = find_spec(file_or_name)
    target = _target(file_or_name, output) if apply else None
    params = written_params(spec) or next(spec.samples(), {})
    recipe = located(spec).recipe_for(params)
    if target is not None and not isinstance(recipe, TrainingRecipe):
        raise UserError(message=f"--apply changes tunefast's own recipes; this one trains with {recipe.trainer}")
    (place,) = devices_for(device, 1)
    out, num_threads = console(to_json=to_json), threads or num_cores()
    what = f"{spec.study.name} on {place}, {num_threads} thread{'s' * (num_threads != 1)}"
    out.print(f"{what}{f', with {short_params(params)}' if params else ''}.", soft_wrap=True)
    if not isinstance(recipe, TrainingRecipe):
        examine_own(out, spec, recipe, place, num_threads, seconds, file_or_name, to_json=to_json)
        return
    found = _examined(spec, recipe, place, num_threads, seconds)
    if to_json:
        print_json(diagnosis_document(found))
    else:
        show_diagnosis(out, found, file_or_name, spec.study.curve_metric, num_threads, seconds)
    if target is not None:
        _apply(out, Path(file_or_name), target, found)


def _examined(spec: StudySpec, recipe: TrainingRecipe, place: str, threads: int, seconds: float) -> Diagnosis:
    from tunefast.doctor.apart import diagnosed
    from tunefast.doctor.findings import Aim, Request

    request = Request(
        recipe=recipe.table(),
        seed=spec.trial_seed(0),
        device=place,
        threads=threads,
        cores=num_cores(),
        seconds=seconds,
        aim=Aim(spec.study.curve_metric, spec.study.curve_maximize),
        searched=list(spec.space),
    )
    with console(to_json=True).status("measuring") as status:
        try:
            return diagnosed(request, on_doing=lambda what: status.update(f"measuring: {what}"))
        except ValueError as error:
            raise SpecError(where=f"study {spec.study.name!r}", problem=str(error)) from error


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
    from tunefast.doctor.diagnosis import together

    changes = together(found.advised).changes
    if not changes:
        out.print("Nothing to apply: no change of the recipe surely helps and leaves the result as it is.")
        return
    document = tomlkit.parse(source.read_text(encoding="utf-8"))
    _rename(document)
    for path, value in changes.items():
        *sections, last = path.split(".")
        place: Any = document["recipe"]
        for section in sections:
            if section not in place:
                place[section] = tomlkit.inline_table()
            place = place[section]
        place[last] = _inline(value)
    target.write_text(tomlkit.dumps(document), encoding="utf-8")
    out.print(f"Written: {target}")


def _rename(document: tomlkit.TOMLDocument) -> None:
    """Let it be a study of its own: under the name of the old one its database refuses another spec.

    A name that is left out is the file's, which is another one anyway.
    """
    study: Any = document.get("study", {})
    if "name" in study:
        study["name"] = f"{study['name']}-faster"


def _inline(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    table.update(value)
    return table
