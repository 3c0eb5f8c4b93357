"""Before a study is created: what is held against what, and which paths are made absolute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from tests.files import write_npz
from tunefast.errors import DataError, SpecError, UserError
from tunefast.recipe.data import DataPart, Decoded
from tunefast.run import prepare
from tunefast.run.prepare import check_objective, located, warnings, with_paths
from tunefast.spec.load import parse_spec
from tunefast.spec.study import StudySpec
from tunefast.train.cache import decoded


def spec(recipe: dict[str, Any], space: dict[str, Any] | None = None) -> StudySpec:
    """A study of a recipe."""
    table = {"study": {"name": "s", "metric": "val_loss"}, "budget": {"trials": 2}, "recipe": recipe}
    return parse_spec({**table, "space": space or {}})


def test_every_combination_of_parts_is_held_against_the_data() -> None:
    """A choice that does not fit is found, whichever of the study's it is; a batch too large for drop_last too."""
    space = {"model": {"choices": [{"name": "mlp"}, {"name": "small_cnn", "depth": 4}]}}
    with pytest.raises(SpecError, match="at least 16 pixels"):
        located(spec({"data": {"name": "digits"}}, space))
    space = {"batch_size": {"choices": [128, 4096]}}
    assert located(spec({"data": {"name": "digits"}}, space))
    with pytest.raises(SpecError, match=r"1458 training samples with batch_size = 4096"):
        located(spec({"data": {"name": "digits"}, "drop_last": True}, space))


def test_data_that_several_models_share_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding may take long, and so may splitting."""
    read: list[str] = []

    def counted(part: DataPart) -> Decoded:
        read.append(part.title)
        return decoded(part)

    monkeypatch.setattr(prepare, "decoded", counted)
    located(spec({"data": {"name": "digits"}}, {"model.width": {"choices": [8, 16, 32]}}))
    assert len(read) == 1


def test_paths_of_data_and_weights_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers may start elsewhere; published weights have a name and no path."""
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "sets" / "table.npz")
    found = with_paths(
        spec(
            {
                "data": {"name": "npz", "root": "sets", "file": "table.npz"},
                "model": {"name": "torchvision", "weights": "own.pt"},
            }
        )
    )
    assert found.recipe["data"]["root"] == str(tmp_path / "sets")
    assert found.recipe["model"]["weights"] == str(tmp_path / "own.pt")
    named = with_paths(spec({"data": {"name": "digits"}, "model": {"name": "torchvision", "weights": "DEFAULT"}}))
    assert named.recipe["model"]["weights"] == "DEFAULT"


def test_missing_files_and_objectives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, weights, and a function of one's own."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"data\.npz: no such file"):
        located(spec({"data": {"name": "npz"}}))
    missing = {"name": "torchvision", "weights": "own.pt"}
    with pytest.raises(SpecError, match=r"own\.pt: no such file"):
        located(spec({"data": {"name": "digits"}, "model": missing, "preprocess": {"image_size": 32}}))
    own = spec({"objective": "tests.integration.objectives:none_such"})
    with pytest.raises(UserError, match="has no function 'none_such'"):
        located(own)
    with pytest.raises(UserError, match="no_such_module"):
        check_objective(spec({"objective": "no_such_module:run"}))


def test_precisions_that_are_the_same_here_are_told() -> None:
    """On a CPU tf32 is fp32; a study that searches no precision is told nothing."""
    (said,) = warnings(spec({"data": {"name": "digits"}}, {"precision": {"choices": ["fp32", "tf32"]}}), "cpu")
    assert said.startswith("precision fp32 and tf32: the same on this CPU")
    assert warnings(spec({"data": {"name": "digits"}}), "cpu") == []


def test_images_that_are_small_for_the_weights_are_told(tmp_path: Path) -> None:
    """Weights that were made for 224 pixels see little in 32; with enough pixels nothing is said."""
    save_file({}, tmp_path / "own.safetensors")
    recipe = {
        "data": {"name": "digits"},
        "model": {"name": "torchvision", "weights": str(tmp_path / "own.safetensors")},
        "transfer": {"freeze": "backbone"},
    }
    (said,) = warnings(spec({**recipe, "preprocess": {"image_size": 32}}), "cpu")
    assert said.startswith("model.weights were made for images of 224 pixels a side and get 32")
    assert warnings(spec({**recipe, "preprocess": {"image_size": 112}}), "cpu") == []
