"""Recipes whose training is the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tunefast.recipe.own_training import FACTS, CommandRecipe, ObjectiveRecipe
from tunefast.recipe.placeholders import filled, flat, names_in, words_of
from tunefast.recipe.recipe import RECIPE

NO_FACTS = dict.fromkeys(FACTS, "")


def command(command: Any, **settings: Any) -> CommandRecipe:
    """A recipe of a command."""
    recipe = RECIPE.validate_python({"command": command, **settings})
    assert isinstance(recipe, CommandRecipe)
    return recipe


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.text(max_size=8), max_size=4), st.data())
def test_filled(known: dict[str, str], data: st.DataObject) -> None:
    """Every known name is replaced by its value, whatever that has in it, and doubled braces stand for themselves."""
    names = data.draw(st.lists(st.sampled_from(sorted(known)), max_size=4)) if known else []
    text = "{{" + "-".join(f"{{{name}}}" for name in names) + "}}"
    assert filled(text, known, "") == "{" + "-".join(known[name] for name in names) + "}"
    assert names_in(text) == set(names)


def test_values_as_words() -> None:
    """Numbers and text as they are, booleans as true and false, tables and lists as JSON; a value is never split."""
    recipe = command(
        "train {a} {b.c} --x={flag} '{text}' {list} {b}",
        a=1e-5,
        b={"c": 3},
        flag=False,
        text="a b",
        list=[1, "x"],
    )
    words = recipe.words(NO_FACTS)
    assert words == ["train", "1e-05", "3", "--x=false", "a b", '[1, "x"]', '{"c": 3}']


def test_a_command_of_words() -> None:
    """A list is taken word for word, for shells and for words with spaces."""
    assert command(["sh", "-c", "a | b {x}"], x=1).words(NO_FACTS) == ["sh", "-c", "a | b 1"]
    assert words_of("a 'b c' d") == ["a", "b c", "d"]


def test_facts_and_epochs() -> None:
    """Facts of the trial, and the recipe's own settings, can be named too."""
    recipe = command("train {trial} {epochs} {checkpoints}", epochs=7)
    assert recipe.words({**NO_FACTS, "trial": 3, "checkpoints": "/x"}) == ["train", "3", "7", "/x"]
    assert recipe.told({}) == {"epochs": 7}
    nested = command("train {log.file}", log={"file": "{directory}/log {other}", "parts": ["{trial}", 1]})
    known = {**NO_FACTS, "directory": "/d", "trial": 3}
    assert nested.words(known) == ["train", "/d/log {other}"]
    assert nested.told(known) == {"epochs": 10, "log": {"file": "/d/log {other}", "parts": ["3", 1]}}
    assert recipe.named() == {"trial", "epochs", "checkpoints"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"command": "train {lr}"}, "{lr} is no setting of [recipe] or [space]"),
        ({"command": "train {optimzer.lr}", "optimizer": {"lr": 1}}, "Did you mean 'optimizer.lr'"),
        ({"command": "train 'x"}, "No closing quotation in"),
        ({"command": "  "}, "command is empty"),
        ({"command": []}, "command is empty"),
        ({"command": "train", "follow": "metrics.csv"}, 'run_in = "trial"'),
        ({"command": "train", "follow": "{x}.csv"}, "{x} is no setting"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    """What cannot work is told with what might be meant."""
    with pytest.raises(ValidationError) as caught:
        RECIPE.validate_python(settings)
    assert message in str(caught.value)


def test_follow() -> None:
    """A file of the trial's own, or any where trials run in directories of their own."""
    assert command("t", follow="{directory}/m.csv").followed({**NO_FACTS, "directory": "/d"}) == "/d/m.csv"
    assert command("t", follow="m.csv", run_in="trial").followed(NO_FACTS) == "m.csv"
    assert command("t").followed(NO_FACTS) is None


def test_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's directory is that in which the study is created."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    assert command("t").located().root == str(tmp_path)
    assert command("t", root="sub").located().root == str(tmp_path / "sub")
    assert command("t", root="sub").located().located().root == str(tmp_path / "sub")


def test_settings_are_kept() -> None:
    """A recipe as data makes the same recipe, with all that is the program's."""
    recipe = command("t {x.y}", x={"y": 1}, epochs=3)
    assert RECIPE.validate_python(recipe.table()) == recipe
    assert recipe.settings() == {"command": "t {x.y}", "x": {"y": 1}, "epochs": 3}


def test_standard_sections_of_an_objective() -> None:
    """An objective's recipe has the parts of a loop, checked, with their rules on schedules and batches."""
    recipe = RECIPE.validate_python(
        {
            "objective": "a:b",
            "optimizer": {"name": "sgd"},
            "schedule": {"name": "one_cycle"},
            "lr_scaling": {"rule": "linear", "base_batch_size": 64},
            "early_stopping": {"monitor": "val_loss"},
        }
    )
    assert isinstance(recipe, ObjectiveRecipe)
    assert recipe.annealed
    assert recipe.lr_factor == 2
    patience = recipe.patience()
    assert patience is not None
    assert patience.start_from_epoch == 3
    with pytest.raises(ValidationError, match="extra_forbidden"):
        RECIPE.validate_python({"objective": "a:b", "optimizer": {"name": "sgd", "betas": [0.9, 0.9]}})


def test_flat() -> None:
    """Tables can be named whole, and by what is in them."""
    assert flat({"a": {"b": {"c": 1}}, "d": 2}) == {"a": {"b": {"c": 1}}, "a.b": {"c": 1}, "a.b.c": 1, "d": 2}
