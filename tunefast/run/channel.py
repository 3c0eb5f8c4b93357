"""A channel of messages over a Unix socket, for processes whose main thread does one thing at a time."""

from __future__ import annotations

import select
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tunefast.run.messages import Message, decode, encode
from tunefast.spec.progress import Record

LINE_LIMIT = 2**24
"""Bytes in one message at most."""
CHUNK_BYTES = 2**16


class Channel:
    """A connection to a coordinator. Raises `OSError` where nobody listens at `path`."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self._received = b""
        """After the last message that was taken."""
        self._arriving = select.poll()
        self._arriving.register(self.socket, select.POLLIN)
        self._sending = threading.Lock()

    def send(self, message: Record) -> None:
        """Send a message, from any thread; raises `OSError` where the other end is gone."""
        with self._sending:
            self.socket.sendall(encode(message))

    def receive(self) -> Message | None:
        """The next message, or None where the other end is gone."""
        parts = [self._received]
        while b"\n" not in parts[-1]:
            try:
                parts.append(self.socket.recv(CHUNK_BYTES))
            except ConnectionError:
                return None
            if not parts[-1] or sum(map(len, parts)) > LINE_LIMIT:
                return None
        line, self._received = b"".join(parts).split(b"\n", 1)
        return decode(line)

    def has_received(self) -> bool:
        """Whether `receive` would find something at once: a message, as a rule whole, or that the other end is gone."""
        return b"\n" in self._received or bool(self._arriving.poll(0))

    def detach(self) -> socket.socket:
        """The bare socket, for who goes on with it in another way."""
        return self.socket

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
