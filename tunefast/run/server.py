"""The coordinator's process: ``python -m tunefast.run.server DATABASE``, started by the first host that finds none.

It listens on the database's socket, prints one line when it is ready, and ends when the last host has left.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import cast

import optuna

from tunefast.errors import ProtocolError, TunefastError
from tunefast.run.channel import LINE_LIMIT
from tunefast.run.coordinator import Coordinator
from tunefast.run.launch.starting import READY
from tunefast.run.messages import decode, encode
from tunefast.run.peers import Peer
from tunefast.run.timekeeper import TICK_SECONDS
from tunefast.spec.progress import Record
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.ownership import StateDirectory

SWITCH_SECONDS = 0.0005
"""After which the thread that asks ahead lets a report be answered."""
LONELY_SECONDS = 10.0
"""How long a new coordinator waits for its first host."""

log = logging.getLogger("tunefast.server")


async def serve(database: Database, state: StateDirectory, over: asyncio.Event | None = None) -> None:
    """Serve hosts and workers until the last host has left, or `over` is set."""
    over = over or asyncio.Event()
    loop = asyncio.get_running_loop()
    coordinator = Coordinator(database, os.getpid(), on_empty=over.set, later=loop.call_soon_threadsafe)
    conversations: set[Conversation] = set()
    address = state.make_socket_path()
    address.unlink(missing_ok=True)
    server = await loop.create_unix_server(lambda: Conversation(coordinator, conversations), address)
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
        for conversation in list(conversations):
            await conversation.close()
        database.syncing.close()  # which calls the loop


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


class Conversation(asyncio.Protocol):
    """Passes on what one peer says, until it is gone."""

    def __init__(self, coordinator: Coordinator, all_of_them: set[Conversation]) -> None:
        self._coordinator = coordinator
        self._all = all_of_them
        self._peer = Peer(self._send)
        self._begun: list[bytes] = []
        """Of a line whose end has not come."""
        self._ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._all.add(self)

    def data_received(self, data: bytes) -> None:
        """Act on the messages whose lines have ended."""
        *ends, rest = data.split(b"\n")
        try:
            for end in ends:
                line = b"".join([*self._begun, end])
                self._begun.clear()
                if not self._transport.is_closing():
                    self._coordinator.receive(self._peer, decode(line))
        except ProtocolError as error:
            log.warning("a connection ended: %s", error)
            self._transport.close()
        except Exception:  # one peer's trouble must not end the others' studies
            log.exception("a connection ended")
            self._transport.close()
        self._begun.append(rest)
        if sum(map(len, self._begun)) > LINE_LIMIT:
            log.warning("a connection ended: a message of more than %d bytes", LINE_LIMIT)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone, or was sent away."""
        if exc is not None:
            log.warning("a connection ended: %s", exc)
        self._all.discard(self)
        self._ended.set()
        self._coordinator.gone(self._peer)

    async def close(self) -> None:
        """End the conversation, after what was said has been sent."""
        self._transport.close()
        await self._ended.wait()

    def _send(self, message: Record) -> None:
        if not self._transport.is_closing():
            self._transport.write(encode(message))


def main(database_path: str) -> int:
    """Own the database, prepare it, serve. What keeps it from starting goes to standard output as JSON.

    The work is done in a child, so that whoever started this process need not outlive it or wait for it.
    """
    if os.fork():
        return 0
    gc.freeze()  # no report is to wait while somebody looks for garbage among modules
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sys.setswitchinterval(SWITCH_SECONDS)
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
