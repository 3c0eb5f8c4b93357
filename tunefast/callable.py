"""Packages that are called like the public function of their name: ``tunefast.run(...)`` beside ``tunefast.run.host``.

Python lets a package stand under its name in the package above it as soon as a module of it is imported, so that a
function of the same name would be hidden from then on.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any


def make_callable(package: str, home: str) -> None:
    """Let a call of `package` call the function of the same last name in the module `home`, imported only then."""
    name = package.rpartition(".")[2]

    class Callable(ModuleType):
        """A package that is called like a function."""

        def __call__(self, *arguments: Any, **named: Any) -> Any:
            return getattr(importlib.import_module(home), name)(*arguments, **named)

        @property
        def __signature__(self) -> inspect.Signature:
            """Of the function, for notebooks that show it."""
            return inspect.signature(getattr(importlib.import_module(home), name))

    sys.modules[package].__class__ = Callable
