"""`tunefast dashboard`."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
from collections.abc import Mapping
from typing import Annotated

import typer

from tunefast.cli.options import Storage, Verbose
from tunefast.cli.output import console
from tunefast.cli.report import pages
from tunefast.shell import DEFAULT_STORAGE, storage_flag
from tunefast.store.engine import database_path

SSH_PORT = "22"


def dashboard(
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on; a free one where it is taken.", min=0, max=65535)
    ] = 8080,
    allow_edits: Annotated[
        bool, typer.Option("--allow-edits", help="Let the browser change studies: notes, attributes, deleting them.")
    ] = False,
    listen: Annotated[
        str | None,
        typer.Option("--listen", help="Other address than loopback to listen on, for a proxy.", metavar="ADDRESS"),
    ] = None,
    behind_proxy: Annotated[
        str | None,
        typer.Option("--behind-proxy", help="Address that a proxy with TLS serves it under.", metavar="https://NAME"),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    verbose: Verbose = False,
) -> None:
    """Browse the studies on pages of tunefast's and in optuna-dashboard, after logging in by a link, only to look."""
    import optuna

    from tunefast.dashboard.serve import Database, serve
    from tunefast.dashboard.server import bind
    from tunefast.dashboard.site import Site, checked_proxy

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # importance needs a study in memory, which is no news
    path = database_path(storage)
    proxy = checked_proxy(listen, behind_proxy)
    out = console()
    with contextlib.closing(bind(port, listen)) as listener:
        site = Site(listener.getsockname()[1], listen, proxy)
        if port not in (0, site.port):
            out.print(f"Port {port} is taken; using {site.port}.")
        started = [
            f"Studies on {site.url}/tunefast/, optuna-dashboard on {site.url}/ (Ctrl-C ends it)",
            "Changes are allowed." if allow_edits else "It only reads; --allow-edits lets the browser change studies.",
            *([] if proxy else ssh_lines(os.environ, site.port)),
        ]

        def ready(link: str, token: object) -> None:
            """Say how to get in, also to the next browser."""
            for line in started:
                out.print(line, soft_wrap=True)
            out.print(f"Log in{'' if started else ' with another browser'}: {link} (works once)", soft_wrap=True)
            if started:
                out.print(f'Scripts send "Authorization: Bearer TOKEN" with the token in {token}', soft_wrap=True)
            started.clear()

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does: the token's file goes too
        with contextlib.suppress(KeyboardInterrupt):
            serve(Database(path, pages(), storage_flag(storage)), listener, site, allow_edits=allow_edits, ready=ready)


def ssh_lines(environ: Mapping[str, str], port: int) -> list[str]:
    """What to type on one's own machine first, where this one is reached over SSH."""
    parts = environ.get("SSH_CONNECTION", "").split()
    if len(parts) != 4:  # noqa: PLR2004  both ends' address and port
        return []
    _, _, host, ssh_port = parts
    at = "" if ssh_port == SSH_PORT else f" -p {ssh_port}"
    command = f"ssh -N -L {port}:127.0.0.1:{port}{at} {getpass.getuser()}@{host}"
    return [f"On your own machine first: {command}"]
