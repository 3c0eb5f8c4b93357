"""The heartbeat of a worker that has a trial."""

from __future__ import annotations

import threading

from tunefast.run.heartbeat import heartbeat


def test_it_beats_while_the_block_runs() -> None:
    """Several times per lease, from a thread of its own, and not after the block."""
    beats: list[str] = []
    enough = threading.Event()

    def beat() -> None:
        beats.append(threading.current_thread().name)
        if len(beats) == 3:
            enough.set()

    with heartbeat(beat, lease_seconds=0.06):
        assert enough.wait(10)
    count = len(beats)
    assert set(beats) == {"heartbeat"}
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
    assert len(beats) == count


def test_nobody_to_hear_it() -> None:
    """A line that broke ends the beating and harms nothing else."""
    broken = threading.Event()

    def beat() -> None:
        broken.set()
        raise BrokenPipeError

    with heartbeat(beat, lease_seconds=0.06):
        assert broken.wait(10)
