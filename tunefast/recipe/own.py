"""What a part needs that the user has written: a dotted path to import, and options to call it with."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from tunefast.recipe.own_errors import own_traceback
from tunefast.recipe.part import Part

DOTTED_PATH = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
"""Pattern of ``package.module:name``."""

_seen: dict[str, tuple[int, int]] = {}
"""Size and time of an imported module's file, so that one which was edited since is imported anew."""


class Options(Mapping[str, Any]):
    """Keyword options as plain JSON data: a table that cannot change, so that a part which has one can be a key."""

    def __init__(self, table: Mapping[str, Any] | None = None) -> None:
        self._text = json.dumps(dict(table or {}), sort_keys=True, allow_nan=False)

    def __getitem__(self, key: str) -> Any:
        return json.loads(self._text)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self._text))

    def __len__(self) -> int:
        return len(json.loads(self._text))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return self._text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Takes a table of JSON values, and is written as one."""
        return core_schema.no_info_plain_validator_function(
            cls._validated, serialization=core_schema.plain_serializer_function_ser_schema(dict)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A table of anything."""
        return {"type": "object", "additionalProperties": True}

    @classmethod
    def _validated(cls, value: Any) -> Options:
        if isinstance(value, Options):
            return value
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise ValueError(f"must be a table of options, not {value!r}")
        try:
            return cls(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"options must be finite numbers, text, booleans, lists or tables ({error})") from error


def module_file(path: str, root: Path) -> Path | None:
    """The file of the module of ``package.module:name``, looked for in `root` too; None where it is built in.

    `root` stays on Python's path. Raises `ValueError` where there is no such module. Imports the packages around the
    module, but not the module.
    """
    module_name = path.partition(":")[0]
    _look_in(root)
    try:
        found = importlib.util.find_spec(module_name)
    except ModuleNotFoundError:
        found = None
    except Exception as error:
        raise ValueError(f"a package of it cannot be imported ({type(error).__name__}: {error})") from error
    if found is None:
        raise ValueError(f"there is no module {module_name!r} to be imported from {root}")
    return Path(found.origin) if found.has_location and found.origin else None


def find_module(path: str, root: Path) -> None:
    """Raise `ValueError` where the module of ``package.module:name`` is in no package, or is none of `root`.

    Imports nothing, so that a path into a large package costs no time.
    """
    top = path.partition(":")[0].partition(".")[0]
    _look_in(root)
    found = importlib.util.find_spec(top)
    if found is None:
        raise ValueError(f"there is no module {top!r} to be imported from {root}")
    origin = found.origin or next(iter(found.submodule_search_locations or []), "")
    if Path(origin).is_relative_to(root):
        module_file(path, root)


def _look_in(root: Path) -> None:
    """Let Python look for modules in `root` too, as it is now."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()


def load(path: str, root: Path) -> Any:
    """What ``package.module:name`` names; raises `ValueError` where it cannot be imported or called."""
    module_name, _, name = path.partition(":")
    file = module_file(path, root)
    stamp = (file.stat().st_size, file.stat().st_mtime_ns) if file is not None else (0, 0)
    try:
        module = importlib.import_module(module_name)
        if _seen.get(module_name, stamp) != stamp:
            module = importlib.reload(module)
    except Exception as error:
        problem = f"cannot be imported ({type(error).__name__}: {error})\n{own_traceback(error)}".rstrip()
        raise ValueError(problem) from error
    _seen[module_name] = stamp
    named = getattr(module, name, None)
    if named is None or not callable(named):
        raise ValueError(f"module {module_name} has no class or function {name!r}")
    return named


class OwnPart(Part):
    """A piece of a recipe that the user has written: what to import, and what to call it with.

    It is imported from the directory that the command runs in, or from wherever Python finds it.
    """

    path: str
    options: Options = Options()
    """Keyword options that it is called with."""

    @staticmethod
    def at(example: str) -> Any:
        """The field of a dotted path; `example` stands in it where it is left out."""
        return Field(example, pattern=DOTTED_PATH)

    def named(self) -> Any:
        """What the path names. Raises `ValueError` where it cannot be imported."""
        return _named(self.path)

    def made(self, *arguments: Any, **facts: Any) -> Any:
        """What the class or function makes of the options, and of those `facts` that it takes and they leave open.

        Raises what it raises.
        """
        named = self.named()
        known = {name: value for name, value in facts.items() if name not in self.options and takes(named, name)}
        return named(*arguments, **known, **self.options)

    def function(self) -> Callable[..., Any]:
        """What to call again and again: an instance of a class, made once; a function with its options filled in."""
        return _function(self.path, self.options)


@functools.cache
def _named(path: str) -> Any:
    try:
        return load(path, Path.cwd())
    except ValueError as error:
        raise ValueError(f"{path!r}: {error}") from error


@functools.cache
def _function(path: str, options: Options) -> Callable[..., Any]:
    named = _named(path)
    if not inspect.isclass(named):
        return functools.partial(named, **options)
    made = named(**options)
    if not callable(made):
        raise ValueError(f"{path!r} makes what cannot be called")  # noqa: TRY004 - the value of a setting
    return made


def import_anew() -> None:
    """Let modules that were edited since be imported anew, and classes be made anew, where they are next used."""
    _named.cache_clear()
    _function.cache_clear()


def takes(named: Any, name: str) -> bool:
    """Whether a function, or a class's constructor, has a parameter of that name."""
    called = named if inspect.isclass(named) else getattr(named, "forward", named)
    try:
        return name in inspect.signature(called).parameters
    except (TypeError, ValueError):
        return False
