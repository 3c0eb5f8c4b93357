"""`tunefast dashboard`."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from tunefast.api import DEFAULT_STORAGE
from tunefast.cli.options import Storage, Verbose
from tunefast.cli.output import console
from tunefast.store.engine import database_path


def dashboard(
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on; a free one where it is taken.", min=0, max=65535)
    ] = 8080,
    storage: Storage = DEFAULT_STORAGE,
    verbose: Verbose = False,
) -> None:
    """Browse the studies in optuna-dashboard, on this machine only, without being able to change them."""
    from tunefast.dashboard.serve import bind, serve

    path = database_path(storage)
    listener = bind(port)
    asked = listener.getsockname()[1]
    out = console()
    if port not in (0, asked):
        out.print(f"Port {port} is taken; using {asked}.")
    with contextlib.suppress(KeyboardInterrupt):
        serve(path, listener, lambda url: out.print(f"optuna-dashboard on {url} (Ctrl-C ends it)", soft_wrap=True))
