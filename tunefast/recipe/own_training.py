"""Recipes whose training is the user's own: a function, or a program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tunefast.recipe.base import LoopPart, RecipePart
from tunefast.recipe.own import DOTTED_PATH
from tunefast.recipe.placeholders import filled, flat, names_in, words_of

FACTS = ("trial", "study", "seed", "device", "threads", "directory", "checkpoints")
"""What a command can be told about its trial beside its settings."""
SETTINGS_VARIABLE = "TUNEFAST_SETTINGS"
"""The environment variable that holds all settings, as JSON."""
_OF_ONE_TRIAL = ("trial", "directory", "checkpoints")
_NOT_TOLD = ("command", "follow", "root", "run_in", "early_stopping")


class ObjectiveRecipe(LoopPart):
    """One run of a user's own objective: ``objective(recipe, context)``.

    What a loop needs may be given as in other recipes; the context makes optimizers, schedules and the rest of it.
    """

    objective: str = Field(pattern=DOTTED_PATH)
    """Dotted path of a function, ``my_package.my_module:function``."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Free settings, searched as ``params.NAME``."""
    style: Literal["tunefast", "optuna"] = "tunefast"
    """How it is called: ``objective(recipe, context)``, or as Optuna calls it, ``objective(trial)``, which suggests its
    settings itself; those in `params` are taken from there."""

    @property
    def trainer(self) -> str:
        """Who trains, in words."""
        return f"its own objective {self.objective!r}"


class CommandRecipe(RecipePart):
    """One run of a user's own program, which reports its metrics or writes them to a file.

    Every other key is a free setting, which the command names in braces; a setting may be a table of settings.
    """

    model_config = ConfigDict(extra="allow")

    command: str | list[str]
    """What to run, ``"python train.py --lr {optimizer.lr}"``: settings in braces are filled in, and a brace is written
    twice. It is no shell's command line; for a shell's write ``["sh", "-c", "..."]``."""
    follow: str | None = None
    """A file that the program writes its metrics to, by name: .csv, or .jsonl with a JSON object a line; otherwise a
    directory of TensorBoard's. Left out, the program reports with ``tunefast_report``, or prints JSON objects."""
    root: str | None = None
    """The project's directory; by default that in which the study is created."""
    run_in: Literal["root", "trial"] = "root"
    """Where the program runs: in the project's directory, or in a directory of the trial's own, so that trials which
    write to the same relative path do not meet. Files of the project that the command names are still found."""

    @model_validator(mode="after")
    def _placeholders_known(self) -> Self:
        if not self.words(dict.fromkeys(FACTS, "")):
            raise ValueError("command is empty")
        if self.follow is not None:
            self._check_follow(self.follow)
        return self

    def _check_follow(self, follow: str) -> None:
        self._filled(follow, dict.fromkeys(FACTS, ""))
        of_one_trial = any(f"{{{name}}}" in follow for name in _OF_ONE_TRIAL)
        if self.run_in == "root" and not of_one_trial:
            raise ValueError(
                f"follow = {follow!r}: trials that run at the same time would write to one file; put {{directory}} or "
                '{trial} into command and follow, or let each trial run in a directory of its own with run_in = "trial"'
            )

    @property
    def trainer(self) -> str:
        """Who trains, in words."""
        return f"the command {self.command!r}"

    def located(self) -> Self:
        """The same recipe with the project's directory made absolute."""
        return self.model_copy(update={"root": str(Path(self.root or "").expanduser().absolute())})

    def words(self, facts: Mapping[str, Any]) -> list[str]:
        """The command with settings and the trial's `facts` filled in. Raises `ValueError` for an unknown name."""
        try:
            words = words_of(self.command)
        except ValueError as error:
            raise ValueError(f"command: {error}") from error
        return [self._filled(word, facts) for word in words]

    def followed(self, facts: Mapping[str, Any]) -> str | None:
        """The path of the file that is followed, with settings and `facts` filled in."""
        return None if self.follow is None else self._filled(self.follow, facts)

    def told(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that are the program's, as nested tables; the names of `facts` in braces are filled in."""
        settings = {key: value for key, value in self.table().items() if key not in _NOT_TOLD and value is not None}
        return {key: _resolved(value, facts) for key, value in settings.items()}

    @property
    def names_settings(self) -> bool:
        """Whether the command itself hands all settings on, as a shell's may."""
        words = [self.command] if isinstance(self.command, str) else self.command
        return any(SETTINGS_VARIABLE in word for word in words)

    def named(self) -> set[str]:
        """The settings that the command and `follow` name in braces."""
        words = [self.command] if isinstance(self.command, str) else self.command
        return {name for text in (*words, self.follow or "") for name in names_in(text)}

    def _filled(self, text: str, facts: Mapping[str, Any]) -> str:
        return filled(text, {**flat(self.told(facts)), **facts}, "no setting of [recipe] or [space], nor of the trial")


def _resolved(value: Any, facts: Mapping[str, Any]) -> Any:
    """A setting in which facts of the trial stand in braces, with these filled in; other braces are the program's."""
    if isinstance(value, dict):
        return {key: _resolved(inner, facts) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, facts) for inner in value]
    if isinstance(value, str):
        for name, fact in facts.items():
            value = value.replace(f"{{{name}}}", str(fact))
    return value
