"""A channel of messages over a Unix socket, for processes whose main thread does one thing at a time."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tunefast.run.messages import Message, decode, encode
from tunefast.spec.progress import Record

LINE_LIMIT = 2**24
"""Bytes in one message at most."""


class Channel:
    """A connection to a coordinator. Raises `OSError` where nobody listens at `path`."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self._lines = self.socket.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: Record) -> None:
        """Send a message, from any thread; raises `OSError` where the other end is gone."""
        with self._sending:
            self.socket.sendall(encode(message))

    def receive(self) -> Message | None:
        """The next message, or None where the other end is gone."""
        try:
            line = self._lines.readline(LINE_LIMIT)
        except ConnectionError:
            return None
        return decode(line) if line.endswith(b"\n") else None

    def detach(self) -> socket.socket:
        """The bare socket, for who goes on with it in another way."""
        self._lines.close()
        return self.socket

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
