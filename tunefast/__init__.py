"""tunefast: find the training recipe that reaches the accuracy you need soonest.

The public names, each usable from a notebook; everything else may change. They are imported when they are first used,
so that ``import tunefast`` costs nothing::

    study = tunefast.run("digits", workers=2)  # or a spec's file, or its plain data
    study.best.params
    study.trials  # a pandas data frame
    tunefast.open("digits")  # later, or while another process works on it
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunefast.api import create_study as create_study
    from tunefast.api import open as open  # noqa: A004
    from tunefast.api import read_study as read_study
    from tunefast.api import run as run
    from tunefast.api import run_study as run_study
    from tunefast.errors import TunefastError as TunefastError
    from tunefast.errors import UserError as UserError
    from tunefast.notebook.study import Study as Study
    from tunefast.recipe.stopping import EarlyStopping as EarlyStopping
    from tunefast.spec.load import load_spec as load_spec
    from tunefast.spec.load import parse_spec as parse_spec
    from tunefast.spec.progress import EpochReport as EpochReport
    from tunefast.spec.progress import Verdict as Verdict
    from tunefast.spec.study import StudySpec as StudySpec
    from tunefast.store.snapshot import StudySnapshot as StudySnapshot
    from tunefast.train.export import load_model as load_model
    from tunefast.train.loop import train as train
    from tunefast.train.objective import Context as Context

_HOMES = {  # ``run`` and ``train`` are packages that can be called
    "Context": "tunefast.train.objective",
    "EarlyStopping": "tunefast.recipe.stopping",
    "EpochReport": "tunefast.spec.progress",
    "Study": "tunefast.notebook.study",
    "StudySnapshot": "tunefast.store.snapshot",
    "StudySpec": "tunefast.spec.study",
    "TunefastError": "tunefast.errors",
    "UserError": "tunefast.errors",
    "Verdict": "tunefast.spec.progress",
    "create_study": "tunefast.api",
    "load_model": "tunefast.train.export",
    "load_spec": "tunefast.spec.load",
    "open": "tunefast.api",
    "parse_spec": "tunefast.spec.load",
    "read_study": "tunefast.api",
    "run": "tunefast.run",
    "run_study": "tunefast.api",
    "train": "tunefast.train",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605  made from the one list of names


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tunefast' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    return home if _HOMES[name] == f"{__name__}.{name}" else getattr(home, name)


def __dir__() -> list[str]:
    return list(__all__)
