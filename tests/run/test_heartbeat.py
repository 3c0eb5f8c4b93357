"""The heartbeat of a worker that has a trial."""

from __future__ import annotations

import threading

from tunefast.run.heartbeat import Heartbeat


def test_it_beats_while_the_block_runs() -> None:
    """Several times per lease, from a thread of its own, and not after the block."""
    beats: list[str] = []
    enough = threading.Event()

    def beat() -> None:
        beats.append(threading.current_thread().name)
        if len(beats) >= 3:
            enough.set()

    with Heartbeat() as heart:
        with heart.beating(beat, lease_seconds=0.06):
            assert enough.wait(10)
        count = len(beats)
        enough.clear()
        assert not enough.wait(0.1)
    assert set(beats) == {"heartbeat"}
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
    assert len(beats) == count


def test_it_beats_for_one_trial_after_the_other() -> None:
    """A trial with a short lease after one with a long one is heard of in time, and a broken line is of one alone."""
    enough = threading.Event()

    def broken() -> None:
        raise BrokenPipeError

    with Heartbeat() as heart:
        with heart.beating(broken, lease_seconds=600):
            pass
        for _ in range(2):
            with heart.beating(enough.set, lease_seconds=0.06):
                assert enough.wait(10)
            enough.clear()


def test_nobody_to_hear_it() -> None:
    """A line that broke ends the beating and harms nothing else."""
    broken = threading.Event()

    def beat() -> None:
        broken.set()
        raise BrokenPipeError

    with Heartbeat() as heart, heart.beating(beat, lease_seconds=0.06):
        assert broken.wait(10)
