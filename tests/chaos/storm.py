"""The storm: a study is run to its end while the nemesis strikes, spread evenly over it."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.chaos.arena import Arena
from tests.chaos.nemesis import Nemesis

SHARE = 0.9
"""Of the trials: by then all harm is done."""
PAUSE_SECONDS = 0.15
"""Between two strikes, at least."""
LOOK_SECONDS = 0.05


class Weather(NamedTuple):
    """What happened in a storm."""

    done: Counter[str]
    seconds: float
    starts: int
    finished: bool
    went_back: bool
    """Whether fewer trials were complete at some moment than had been before."""


def storm(
    arena: Arena, plan: Mapping[str, int], seed: int, budget_seconds: float, done: Callable[[], bool] | None = None
) -> Weather:
    """Run the arena's study under the strikes of `plan`, kind -> how often, until it is `done`, within some time."""
    done = done or (lambda: _complete(arena) == arena.trials)
    rng = random.Random(seed)
    strikes = [kind for kind, count in plan.items() for _ in range(count)]
    rng.shuffle(strikes)
    nemesis = Nemesis(arena, rng)
    started, struck, most, went_back, starts = time.monotonic(), 0.0, 0, False, 1
    planned = len(strikes)
    host = arena.started()
    try:
        while (seconds := time.monotonic() - started) < budget_seconds:
            if host.poll() is not None:
                if host.returncode == 0 and not strikes:
                    break
                if done():
                    break
                host, starts = arena.started(), starts + 1
            complete = _complete(arena)
            went_back = went_back or (complete is not None and complete < most)
            most = max(most, complete or 0)
            ended = max(most, arena.num_ended())
            due = SHARE * arena.trials * (planned - len(strikes)) / max(1, planned)
            if strikes and ended >= due and seconds - struck > PAUSE_SECONDS and nemesis.strike(strikes[-1], host.pid):
                strikes.pop()
                struck = seconds
            nemesis.wake()
            time.sleep(LOOK_SECONDS)
    finally:
        nemesis.wake_all()
        end(host)
    return Weather(nemesis.done, time.monotonic() - started, starts, done(), went_back)


def _complete(arena: Arena) -> int | None:
    states = arena.states()
    return states.get("COMPLETE", 0) if states else None


def end(host: subprocess.Popen[bytes]) -> None:
    """Let a command end, by force if need be."""
    if host.poll() is None:
        host.terminate()
    try:
        host.wait(40)
    except subprocess.TimeoutExpired:
        host.kill()
        host.wait()
