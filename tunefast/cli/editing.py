"""`tunefast study edit`."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any

import typer

from tunefast.cli.check import check_quickly
from tunefast.cli.going_on import how_it_goes_on
from tunefast.cli.options import Json, Storage, StudyName, Verbose
from tunefast.cli.output import console, print_json
from tunefast.cli.showing import change_in_words
from tunefast.errors import UserError
from tunefast.run.commands import edit_study
from tunefast.run.looking import look
from tunefast.run.prepare import located
from tunefast.search.confirming import check_extensible
from tunefast.shell import DEFAULT_STORAGE
from tunefast.spec.editing import edited
from tunefast.store.engine import database_path
from tunefast.store.snapshot import snapshot

Changes = Annotated[
    list[str],
    typer.Option("--set", help="A value of [space] or [budget], as in space.optimizer.lr.high=0.01.", metavar="P=V"),
]


def edit(
    name: StudyName,
    changes: Changes = [],  # noqa: B006  typer's way
    storage: Storage = DEFAULT_STORAGE,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Narrow or widen intervals, add choices, or change the budget of a study, also while it runs."""
    if not changes:
        raise UserError(message="give at least one --set PATH=VALUE, as in --set space.optimizer.lr.high=0.01")
    wanted = dict(change_of(text) for text in changes)
    path = database_path(storage)
    study = snapshot(path, name)
    if any(where.startswith(("space.", "budget.trials")) for where in wanted):
        check_extensible(study, storage)
    old = study.spec
    new = located(edited(old, wanted))
    if new.space != old.space:
        check_quickly(new, "auto", console(to_json=to_json))
    result = edit_study(path, name, wanted)
    if to_json:
        print_json({"study": name, **result})
        return
    out = console()
    if not result["changes"]:
        out.print(f"Study {name} is like that already.")
        return
    out.print(f"Study {name}:")
    for where, (before, after) in result["changes"].items():
        out.print(f"  {change_in_words(where, before, after)}", soft_wrap=True)
    if result["outside"] and any(where.startswith("space.") for where in result["changes"]):
        out.print(outside_in_words(result["outside"]), soft_wrap=True)
    out.print(how_it_goes_on(look(path, name), storage), soft_wrap=True)


def outside_in_words(num_trials: int) -> str:
    """That so many trials are no points of the space any more, in a sentence."""
    if num_trials == 1:
        return "1 earlier trial lies outside of it now; it stays."
    return f"{num_trials} earlier trials lie outside of it now; they stay."


def change_of(text: str) -> tuple[str, Any]:
    """A path and its value, written as in TOML; a word needs no quotes."""
    path, equals, value = text.partition("=")
    if not (path.strip() and equals):
        raise UserError(message=f"--set {text}: should be PATH=VALUE, as in --set space.optimizer.lr.high=0.01")
    try:
        return path.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return path.strip(), value.strip()
