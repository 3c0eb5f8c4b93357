"""Recipes in short."""

from __future__ import annotations

from tunefast.recipe.recipe import TrainingRecipe
from tunefast.report.recipes import WIDTH, in_short, lines_of

PLAIN = {"data": {"name": "digits"}}


def test_what_was_left_out_is_named_too() -> None:
    """A reader sees the parts that a recipe has by default; those that do nothing are not there."""
    assert in_short(TrainingRecipe.model_validate(PLAIN)) == [
        "model mlp",
        "data digits",
        "loss cross_entropy",
        "optimizer adamw",
        "schedule constant",
        "batch_size 128",
        "accumulation_steps 1",
        "precision fp32",
        "epochs 10",
    ]


def test_options_that_were_set_are_named() -> None:
    """Parts without a name of their own are called after their field."""
    changes = {
        "optimizer": {"name": "sgd", "lr": 0.12345, "momentum": 0.5},
        "early_stopping": {"patience": 2},
        "metrics": ("f1", "auc"),
        "drop_last": True,
    }
    said = in_short(TrainingRecipe.model_validate(PLAIN | changes))
    assert {"optimizer sgd(lr=0.123, momentum=0.5)", "early_stopping(patience=2)", "metrics f1, auc"} <= set(said)
    assert "drop_last True" in said


def test_lines_fit_into_a_terminal() -> None:
    """No field is torn apart."""
    words = [f"field_{number} of(some=words)" for number in range(9)]
    lines = lines_of(words)
    assert max(map(len, lines)) <= WIDTH
    assert [word for line in lines for word in line.rstrip(";").split("; ")] == words
