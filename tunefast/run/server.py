"""The coordinator's process: ``python -m tunefast.run.server DATABASE``, started by the first host that finds none.

It listens on the database's socket, prints one line when it is ready, and ends when the last host has left.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import optuna

from tunefast.errors import ProtocolError, TunefastError
from tunefast.run.channel import LINE_LIMIT
from tunefast.run.coordinator import Coordinator
from tunefast.run.dispatcher import TICK_SECONDS
from tunefast.run.launch.starting import READY
from tunefast.run.messages import decode, encode
from tunefast.run.peers import Peer
from tunefast.spec.progress import Record
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.ownership import StateDirectory

LONELY_SECONDS = 10.0
"""How long a new coordinator waits for its first host."""

log = logging.getLogger("tunefast.server")


async def serve(database: Database, state: StateDirectory, over: asyncio.Event | None = None) -> None:
    """Serve hosts and workers until the last host has left, or `over` is set."""
    over = over or asyncio.Event()
    coordinator = Coordinator(database, os.getpid(), on_empty=over.set)

    conversations: dict[asyncio.StreamWriter, asyncio.Event] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = conversations[writer] = asyncio.Event()
        try:
            await _converse(coordinator, reader, writer)
        finally:
            del conversations[writer]
            ended.set()

    address = state.make_socket_path()
    address.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(connected, address, limit=LINE_LIMIT)
    state.announce(address)
    print(READY, flush=True)  # noqa: T201  the host that started us waits for it
    try:
        async with asyncio.timeout(LONELY_SECONDS):
            while not coordinator.hosts and not over.is_set():
                await _tick(coordinator, over)
    except TimeoutError:
        log.info("no host came")
    else:
        while not over.is_set():
            await _tick(coordinator, over)
    finally:
        address.unlink(missing_ok=True)
        server.close()
        for writer, ended in list(conversations.items()):
            writer.close()
            await ended.wait()


async def _serve_until_ended(database: Database, state: StateDirectory) -> None:
    """Serve, until SIGTERM at the latest."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await serve(database, state, over)


async def _tick(coordinator: Coordinator, over: asyncio.Event) -> None:
    """One turn of the clock, cut short when the last host leaves."""
    try:
        async with asyncio.timeout(TICK_SECONDS):
            await over.wait()
    except TimeoutError:
        coordinator.tick()


async def _converse(coordinator: Coordinator, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what one peer says, until it is gone."""

    def send(message: Record) -> None:
        if not writer.is_closing():
            writer.write(encode(message))

    peer = Peer(send)
    try:
        while line := await reader.readline():
            coordinator.receive(peer, decode(line))
    except (ConnectionError, ProtocolError) as error:
        log.warning("a connection ended: %s", error)
    except Exception:  # one peer's trouble must not end the others' studies
        log.exception("a connection ended")
    finally:
        coordinator.gone(peer)
        writer.close()


def main(database_path: str) -> int:
    """Own the database, prepare it, serve. What keeps it from starting goes to standard output as JSON.

    The work is done in a child, so that whoever started this process need not outlive it or wait for it.
    """
    if os.fork():
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = Path(database_path)
    state = StateDirectory(path)
    try:
        with state.owning():
            database = studies.open_database(path)
            log.info("coordinator %d of %s", os.getpid(), path)
            asyncio.run(_serve_until_ended(database, state))
            database.close()
    except TunefastError as error:
        log.exception("the coordinator ends")
        print(json.dumps({"error": type(error).__name__, "message": str(error)}), flush=True)  # noqa: T201
        return error.exit_code
    log.info("no host is left")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
