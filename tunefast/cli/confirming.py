"""`tunefast study confirm`."""

from __future__ import annotations

from typing import Annotated

import typer

from tunefast.api import DEFAULT_STORAGE
from tunefast.cli.lend import lend
from tunefast.cli.options import Detach, Device, Grace, Json, Storage, StudyName, Verbose, Workers
from tunefast.cli.output import console, print_json
from tunefast.cli.result import result_document, show_result
from tunefast.run.commands import confirm_study
from tunefast.run.host import GRACE_SECONDS
from tunefast.run.prepare import check_objective
from tunefast.run.slots import devices_for
from tunefast.search.confirming import confirmation_spec, ranking
from tunefast.spec.costs import RACES
from tunefast.store.engine import database_path
from tunefast.store.rows import num_in_budget
from tunefast.store.snapshot import StudySnapshot, snapshot


def confirm(
    name: StudyName,
    top: Annotated[int, typer.Option("--top", help="How many trials, the best ones.", metavar="K", min=1)] = 3,
    seeds: Annotated[
        int, typer.Option("--seeds", help="New seeds for each of them.", metavar="S", min=1, max=1000)
    ] = 3,
    workers: Workers = None,
    device: Device = "auto",
    storage: Storage = DEFAULT_STORAGE,
    grace: Grace = GRACE_SECONDS,
    detached: Detach = False,
    to_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train the best trials again on new seeds, and say which of them is the best by mean, and how sure that is."""
    path = database_path(storage)
    devices_for(device, workers)
    study = snapshot(path, name)
    spec = confirmation_spec(study, top, seeds)
    check_objective(study.spec)
    confirm_study(path, study, spec)
    confirming = snapshot(path, spec.study.name)
    out = console(to_json=to_json)
    workers = 1 if workers is None and _compares_seconds(study) else workers
    if not confirming.is_used_up:
        out.print(_announced(study, confirming, top, seeds), soft_wrap=True)
        code = lend(confirming.name, workers, device, storage, grace, detached=detached, to_json=to_json)
        raise typer.Exit(code)
    if to_json:
        print_json(result_document(path, confirming, "trials"))
    show_result(out, path, confirming, "trials", storage)
    raise typer.Exit(0 if confirming.best is not None else 1)


def _compares_seconds(study: StudySnapshot) -> bool:
    """Whether its trials are compared by seconds, which they are to have for themselves, one after the other."""
    section = study.spec.study
    return "train_seconds" in (*section.metrics, *(RACES[metric] for metric in section.metrics if metric in RACES))


def _announced(study: StudySnapshot, confirming: StudySnapshot, top: int, seeds: int) -> str:
    """What is about to be trained."""
    num = len(ranking(study))
    which = f"the best {top} trials" if num > top else f"all {num} complete trials" if num > 1 else "the complete trial"
    on = f"{seeds} new seeds" if seeds > 1 else "a new seed"
    runs = num_in_budget(confirming.trials)
    done = runs - sum(not trial.state.is_finished() for trial in confirming.trials)
    before = f", of which {done} have ended" if done else ""
    what = f"{runs} run{'s' * (runs != 1)}{before}"
    return f"Training {which} of {study.name} again on {on}: {what}, kept as study {confirming.name}."
