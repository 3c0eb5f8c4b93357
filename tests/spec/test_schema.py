"""The JSON Schema of a spec accepts what the loader accepts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from tests.conftest import REPOSITORY
from tests.spec.specs import BASE, spaces, spec, table
from tunefast.spec.domains import DomainPart
from tunefast.spec.study import StudySpec

SCHEMA = StudySpec.model_json_schema()
STUDIES = sorted((REPOSITORY / "studies").glob("*.toml"))


def _check(document: Any) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


def test_is_a_schema() -> None:
    """Editors can read it."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_shipped_study(path: Path) -> None:
    """Every study that tunefast ships conforms, and stops doing so with a typo in any section."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    _check(document)
    for section in document.keys() & {"study", "budget", "recipe"}:
        with pytest.raises(jsonschema.ValidationError):
            _check({**document, section: {**document[section], "batchsize": 3}})
    first, domain = next(iter(document["space"].items()))
    with pytest.raises(jsonschema.ValidationError):
        _check({**document, "space": {**document["space"], first: {**domain, "hihg": 3}}})
    with pytest.raises(jsonschema.ValidationError):
        _check({**document, "recipes": {}})


@given(spaces())
def test_every_domain_conforms(space: dict[str, DomainPart]) -> None:
    """Whole bounds, which are real numbers too, are no conflict; nor is what a database keeps."""
    _check(spec().model_copy(update={"space": space}).table())


@pytest.mark.parametrize(
    "extra",
    [
        "[space]\nbatch_size = { low = 1, high = 4 }",
        "[space]\nbatch_size = { choices = [1, 2], when = { epochs = [1, 2] } }",
        '[space]\noptimizer = { choices = [{ name = "sgd", label = "a" }] }',
        "batch_size = 3",
        'early_stopping = { monitor = "val_loss" }',
        'model = { name = "small_cnn", depth = 3 }',
    ],
)
def test_accepted(extra: str) -> None:
    """Each way to write a setting or a domain conforms."""
    _check(table(extra))


def test_objective() -> None:
    """A spec for a user's own objective conforms too."""
    own = BASE.replace(
        'data = { name = "digits" }\noptimizer = { name = "sgd" }', 'objective = "a:b"\nparams = { x = 1 }'
    )
    _check(table(base=own))


@pytest.mark.parametrize(
    "extra",
    [
        'model = { name = "resnet" }',
        'model = { name = "mlp", widht = 3 }',
        'batch_size = "64"',
        "batch_size = 0",
        "[space]\nbatch_size = { low = 1 }",
        "[space]\nbatch_size = 3",
    ],
)
def test_refused(extra: str) -> None:
    """An editor marks unknown names, mistyped options, wrong types and values out of range."""
    with pytest.raises(jsonschema.ValidationError):
        _check(table(extra))
