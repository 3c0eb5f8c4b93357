"""`tunefast explain` and `tunefast schema`: what a spec can say."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Literal

import typer
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.text import Text

from tunefast.cli.options import Json, Verbose
from tunefast.cli.output import console, plain_table, print_json, scaled, short_params
from tunefast.errors import UserError, nearest
from tunefast.recipe.augment import Augment
from tunefast.recipe.data import Data
from tunefast.recipe.docs import field_docs
from tunefast.recipe.hardware import Hardware
from tunefast.recipe.losses import Loss
from tunefast.recipe.models import Head, Model
from tunefast.recipe.optimizers import Optimizer
from tunefast.recipe.part import Part
from tunefast.recipe.preprocess import Preprocess
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.recipe.regularize import Averaging, Clipping, Penalty
from tunefast.recipe.schedules import LrScaling, Schedule
from tunefast.recipe.stopping import Patience
from tunefast.recipe.transfer import Transfer
from tunefast.run.describe import Description, describe
from tunefast.run.specs import find_spec, shipped
from tunefast.spec.points import FromStudy
from tunefast.spec.pruners import Pruner
from tunefast.spec.samplers import Sampler
from tunefast.spec.sections import Budget, Notify, TrialSection
from tunefast.spec.study import StudySpec
from tunefast.spec.study_section import StudySection

UNIONS: dict[str, Any] = {
    "data": Data,
    "model": Model,
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "sampler": Sampler,
    "pruner": Pruner,
}
_BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
SINGLES: dict[str, type[Part]] = {
    "study": StudySection,
    "budget": Budget,
    "trial": TrialSection,
    "notify": Notify,
    "enqueue": FromStudy,
    "recipe": TrainingRecipe,
    "preprocess": Preprocess,
    "augment": Augment,
    "transfer": Transfer,
    "head": Head,
    "lr_scaling": LrScaling,
    "penalty": Penalty,
    "clipping": Clipping,
    "averaging": Averaging,
    "hardware": Hardware,
    "early_stopping": Patience,
}


def parts() -> dict[str, dict[str, type[Part]]]:
    """Every part by kind and name; a kind of which there is one has it under its own name."""
    unions = {
        kind: {_name(part): part for part in typing.get_args(typing.get_args(union)[0])}
        for kind, union in UNIONS.items()
    }
    return {**{kind: {kind: part} for kind, part in SINGLES.items()}, **unions}


def explain(
    kind: Annotated[
        str | None, typer.Argument(help="A kind of part, such as optimizer, or a spec file.", metavar="[KIND|FILE]")
    ] = None,
    name: Annotated[str | None, typer.Argument(help="A part of that kind, such as adamw.", metavar="[NAME]")] = None,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List the parts of a recipe, explain one and its options, or show the layers of a spec's model."""
    if kind is not None and (kind.endswith(".toml") or kind in shipped("studies")):
        _explain_spec(kind, to_json=to_json)
        return
    chosen = _chosen(kind, name)
    if to_json:
        print_json({kind: {name: part.model_json_schema() for name, part in of.items()} for kind, of in chosen.items()})
        return
    out = console()
    if kind is None:
        _show_kinds(out, chosen)
        return
    for part in chosen[kind].values():
        _show_part(out, kind, part)


def schema(verbose: Verbose = False) -> None:
    """Print the JSON Schema of a spec, for editors and checks."""
    print_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **StudySpec.model_json_schema()})


def _explain_spec(file: str, *, to_json: bool) -> None:
    description = describe(find_spec(file, single=True))
    if to_json:
        print_json(description._asdict())
        return
    _show_layers(console(), description)


def _show_layers(out: Console, description: Description) -> None:
    table = plain_table("layer", "type", "output", "parameters", "trains", right=("parameters",))
    for layer in description.layers:
        shape = "x".join(map(str, layer["output_shape"]))
        count = layer["parameters"]
        trains = ("yes" if layer["trains"] else "frozen") if count else ""
        table.add_row(layer["name"], layer["type"], shape, f"{count:,}" if count else "", trains)
    out.print(table)
    out.print()
    shape = "x".join(map(str, description.sample_shape))
    parts = f"{description.train_samples:,} to train on, {description.validation_samples:,} to validate on"
    out.print(f"samples     {shape} in, {description.outputs} out; {parts}", soft_wrap=True)
    out.print(f"steps       {description.steps_per_epoch:,} an epoch")
    out.print(f"parameters  {description.num_parameters:,}, of which {description.trainable_parameters:,} train")
    out.print(f"forward     {scaled(description.forward_flops)}FLOP a sample")
    if description.features:
        out.print(f"features    {description.features}", soft_wrap=True)
    if description.params:
        out.print(f"with        {short_params(description.params)}, the first values of the space")


def _chosen(kind: str | None, name: str | None) -> dict[str, dict[str, type[Part]]]:
    known = parts()
    if kind is None:
        return known
    if kind not in known:
        options = _options_like(kind, known)
        if options:
            raise UserError(message=f"{kind!r} is no kind of part, but in options: {', '.join(options)}")
        raise UserError(message=f"there is no kind of part {kind!r}.{nearest(kind, known)}")
    if name is None:
        return {kind: known[kind]}
    if name not in known[kind]:
        raise UserError(message=f"there is no {kind} {name!r}.{nearest(name, known[kind])}")
    return {kind: {name: known[kind][name]}}


def _show_kinds(out: Console, known: dict[str, dict[str, type[Part]]]) -> None:
    table = plain_table("kind", "names, or what it is")
    for kind, of in known.items():
        table.add_row(kind, _summary(of[kind]) if kind in SINGLES else ", ".join(of))
    out.print(table)
    out.print("\nOne of them, with its options: tunefast explain optimizer adamw")
    out.print("What a spec's model is made of: tunefast explain FILE")


def _show_part(out: Console, kind: str, part: type[Part]) -> None:
    title = kind if kind in SINGLES else f"{kind} {_name(part)}"
    out.print(Text(title, style="bold"))
    out.print(Text(_plain(part.__doc__)))
    table, described = plain_table("option", "default", "meaning"), field_docs(part)
    for option, field in part.model_fields.items():
        if option != "name" or kind in SINGLES:
            table.add_row(
                option, _default(field), Text(f"{_plain(described.get(option))} {valid_values(field)}".strip())
            )
    if table.row_count:
        out.print(table)
    out.print()


def valid_values(field: FieldInfo) -> str:
    """What an option takes, where its type or its bounds say so: ``(cos, linear)``, ``(0 to 1)``; else nothing."""
    kinds = [kind for kind in (field.annotation, *typing.get_args(field.annotation)) if kind is not None]
    names = [name for kind in kinds if typing.get_origin(kind) is Literal for name in typing.get_args(kind)]
    if names:
        return f"({', '.join(map(str, names))})"
    bounds = {name: getattr(each, name) for each in field.metadata for name in _BOUNDS if hasattr(each, name)}
    return f"({', '.join(f'{_BOUNDS[name]} {value:g}' for name, value in bounds.items())})" if bounds else ""


def _options_like(word: str, known: dict[str, dict[str, type[Part]]]) -> list[str]:
    """Options whose name has `word` in it, as ``kind.option``, or as they stand in a recipe."""
    found = {
        option if kind == "recipe" else f"{kind}.{option}"
        for kind, of in known.items()
        for part in of.values()
        for option in part.model_fields
        if word in option
    }
    return sorted(found)


def _summary(part: type[Part]) -> str:
    return _plain(part.__doc__).partition(". ")[0].rstrip(".")


def _plain(text: str | None) -> str:
    return " ".join((text or "").replace("``", "").replace("`", "").split())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Part):
        return f"{{ name = {_name(type(default))} }}" if "name" in type(default).model_fields else "{ }"
    return "-" if default is None else str(default)


def _name(part: type[Part]) -> str:
    return str(part.model_fields["name"].default)
