"""`tunefast study confirm`."""

from __future__ import annotations

from typing import Annotated

import typer

from tunefast.cli.lend import Lending, lend
from tunefast.cli.options import Detach, Device, Grace, Json, Seeds, Storage, StudyName, Verbose, Workers
from tunefast.cli.output import console, print_json
from tunefast.cli.result import result_document, show_result
from tunefast.cli.then_confirm import Wish, announced, begin_confirmation, compares_seconds
from tunefast.run.host import GRACE_SECONDS
from tunefast.run.prepare import check_objective
from tunefast.run.slots import devices_for
from tunefast.shell import DEFAULT_STORAGE
from tunefast.store.engine import database_path
from tunefast.store.snapshot import snapshot


def confirm(
    name: StudyName,
    top: Annotated[int, typer.Option("--top", help="How many trials, the best ones.", metavar="K", min=1)] = 3,
    seeds: Seeds = 3,
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
    study, wish = snapshot(path, name), Wish(top, seeds)
    check_objective(study.spec)
    confirming = begin_confirmation(path, study, wish)
    out = console(to_json=to_json)
    workers = 1 if workers is None and compares_seconds(study) else workers
    if not confirming.is_used_up:
        out.print(announced(study, confirming, wish), soft_wrap=True)
        code = lend(confirming.name, Lending(workers, device, storage, grace, detached=detached, to_json=to_json))
        raise typer.Exit(code)
    if to_json:
        print_json(result_document(path, confirming, "trials"))
    show_result(out, path, confirming, "trials", storage)
    raise typer.Exit(0 if confirming.best is not None else 1)
