"""Channels: messages over a Unix socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunefast.errors import ProtocolError
from tunefast.run.channel import Channel
from tunefast.run.messages import Dismiss, Leave, Told, encode


@pytest.fixture
def ends(runtime: Path) -> Iterator[tuple[Channel, socket.socket]]:
    """Both ends of a connection."""
    path = runtime / "a.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with Channel(path) as channel:
            other, _ = listener.accept()
            with other:
                yield channel, other


def test_messages_arrive_one_by_one(ends: tuple[Channel, socket.socket]) -> None:
    """However the bytes are cut on the way, messages arrive whole and in order."""
    channel, other = ends
    line = encode(Told(trial=1, token=2)) + encode(Dismiss())
    other.sendall(line[:5])
    other.sendall(line[5:])
    assert channel.receive() == Told(trial=1, token=2)
    assert channel.receive() == Dismiss()
    channel.send(Leave())
    assert other.recv(100) == encode(Leave())


def test_the_end_is_none(ends: tuple[Channel, socket.socket]) -> None:
    """Where the other end is gone, also in the middle of a message, there is no message; to send is an OSError."""
    channel, other = ends
    other.sendall(encode(Dismiss())[:-3])
    other.close()
    assert channel.receive() is None
    assert channel.receive() is None
    with pytest.raises(OSError, match="Broken pipe"):
        channel.send(Leave())


def test_noise_is_a_protocol_error(ends: tuple[Channel, socket.socket]) -> None:
    """What is no message is said to be none."""
    channel, other = ends
    other.sendall(b"noise\n")
    with pytest.raises(ProtocolError):
        channel.receive()


def test_a_detached_socket_goes_on(ends: tuple[Channel, socket.socket]) -> None:
    """Who goes on in another way gets the open socket."""
    channel, other = ends
    bare = channel.detach()
    bare.sendall(b"x")
    assert other.recv(1) == b"x"


def test_nobody_listens(runtime: Path) -> None:
    """Where nobody listens there is no channel, whether a socket was left behind or not."""
    path = runtime / "a.sock"
    with pytest.raises(FileNotFoundError):
        Channel(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    with pytest.raises(ConnectionRefusedError):
        Channel(path)


def test_whether_something_has_arrived(ends: tuple[Channel, socket.socket]) -> None:
    """What has arrived is known without waiting: nothing, one message after the other, and that the other end left."""
    channel, other = ends
    assert not channel.has_received()
    other.sendall(encode(Told(trial=1, token=2)) + encode(Dismiss()))
    for message in (Told(trial=1, token=2), Dismiss()):
        assert channel.has_received()
        assert channel.receive() == message
    assert not channel.has_received()
    other.close()
    assert channel.has_received()
    assert channel.receive() is None


def test_a_message_without_end(ends: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is longer than any message is not waited for."""
    channel, other = ends
    monkeypatch.setattr("tunefast.run.channel.LINE_LIMIT", 1000)
    other.sendall(b"x" * 2000)
    assert channel.receive() is None
