"""Finding the spec that is meant, and telling whether a stored one is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tunefast.errors import SpecChanged, SpecError, StudyExists, nearest
from tunefast.run.commands import create_study
from tunefast.run.prepare import located, with_paths
from tunefast.shell import command
from tunefast.spec.load import load_spec, parse_spec
from tunefast.spec.study import StudySpec
from tunefast.store.snapshot import snapshot, study_names
from tunefast.store.studies import check_usable


def shipped(folder: str) -> dict[str, Path]:
    """The TOML files that come with tunefast in `folder` (studies, dashboards), by name."""
    package = Path(__file__).parent.parent
    for place in (package / "shipped" / folder, package.parent / folder):
        if place.is_dir():
            return {path.stem: path for path in sorted(place.glob("*.toml"))}
    return {}


def optuna_page() -> Path:
    """The file that says which figures a study holds for optuna-dashboard."""
    return shipped("dashboards")["optuna"]


def find_spec(file_or_name: str, name: str | None = None, *, single: bool = False) -> StudySpec:
    """The spec in a file, or of a study that comes with tunefast, named `name` if given; `single` as in `load_spec`.

    Raises `SpecError`.
    """
    path = Path(file_or_name)
    if path.suffix == ".toml" or path.is_file():
        return load_spec(path, name, single=single)
    studies = shipped("studies")
    if file_or_name in studies:
        return load_spec(studies[file_or_name], name, single=single)
    hint = nearest(file_or_name, studies)
    raise SpecError(
        where=file_or_name, problem=f"neither a spec file, nor a study in the database, nor one that ships.{hint}"
    )


class Ensured(NamedTuple):
    """A study that is there."""

    name: str
    created: StudySpec | None
    """Its spec, where there was none of that name before."""
    budget: list[str]
    """How the budget that was asked for differs from the stored one, which counts; a line each."""


def ensure_study(path: Path, wanted: StudySpec | Mapping[str, Any] | Path | str, name: str | None = None) -> Ensured:
    """The study that is meant in the database at `path`, created where it is new.

    `wanted` is a spec, its plain data, or text: the name of a study there, a file, or a study that ships. `name`
    replaces the name of a file's study. Raises `SpecChanged` where there is one with another spec.
    """
    check_usable(path)
    known = study_names(path) if path.exists() else {}
    if isinstance(wanted, str) and wanted in known and name is None:
        return Ensured(wanted, None, [])
    spec = _checked(wanted, name)
    if spec.study.name not in known:
        try:
            create_study(path, located(spec))
        except StudyExists:
            pass
        else:
            return Ensured(spec.study.name, spec, [])
    budget, others = differences(snapshot(path, spec.study.name).spec, spec)
    if others:
        raise _changed(path, spec.study.name, others)
    return Ensured(spec.study.name, None, budget)


def _changed(path: Path, name: str, lines: list[str]) -> SpecChanged:
    return SpecChanged(
        name=name,
        difference="\n".join(f"  {line}" for line in lines),
        run=command("study", "run", name, storage=path),
        edit=command("study", "edit", name, "--set", "PATH=VALUE", storage=path),
        create=command("study", "create", "FILE", "--name", "ANOTHER", storage=path),
    )


def _checked(wanted: StudySpec | Mapping[str, Any] | Path | str, name: str | None) -> StudySpec:
    if isinstance(wanted, StudySpec):
        return wanted
    return parse_spec(wanted) if isinstance(wanted, Mapping) else find_spec(str(wanted), name)


def differences(stored: StudySpec, given: StudySpec) -> tuple[list[str], list[str]]:
    """What differs between a stored spec and a file's, a line each: in the budget, and elsewhere.

    A data directory that the file does not name, but the environment did, is no difference.
    """
    given_data = given.recipe.get("data")
    names_root = isinstance(given_data, dict) and "root" in given_data
    old, new = stored.model_dump(mode="json"), with_paths(given).model_dump(mode="json")
    if isinstance(given_data, dict) and not names_root:
        for tables in (old, new):
            tables["recipe"].get("data", {}).pop("root", None)
    new["enqueue"] = old["enqueue"]  # which was queued once, as trials
    lines = list(_compare(old, new, ""))
    budget = [line for line in lines if line.startswith("budget.")]
    return budget, [line for line in lines if line not in budget]


def _compare(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _compare(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield f"{path}: stored {old!r}, file {new!r}"
