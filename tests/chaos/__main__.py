"""``python -m tests.chaos --seed S --budget SECONDS``: all stages; exit code 1 where a promise was broken."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.checker import check
from tests.chaos.stages import duels, full_disk, trials_that_go_wrong
from tests.chaos.storm import storm

FULL = {"kill": 42, "stop": 16, "coordinator": 8, "damage": 8, "host": 2, "lock": 3}
FULL_TRIALS = 200
FULL_SECONDS = 240.0
WORKERS = 4


def main() -> int:
    """Run the stages, and say what was done and what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="decides what happens when")
    parser.add_argument("--budget", type=float, default=FULL_SECONDS, help="seconds; fewer strikes in less time")
    parser.add_argument("--keep", type=Path, help="where to leave the studies, to look at them")
    parser.add_argument("--storm-only", action="store_true", help="leave out the other stages")
    options = parser.parse_args()
    share = min(1.0, options.budget / FULL_SECONDS)
    with tempfile.TemporaryDirectory(prefix="chaos") as scratch:
        place = options.keep or Path(scratch)
        broken = _storm(place / "storm", options.seed, share, 4 * options.budget)
        if not options.storm_only:
            broken += _others(place, options.seed, share)
    print("all promises kept" if not broken else f"{len(broken)} promises broken; again: --seed {options.seed}")
    return 1 if broken else 0


def _others(place: Path, seed: int, share: float) -> list[str]:
    _say("trials that go wrong by themselves", wrong := trials_that_go_wrong(place / "wrong", seed, share))
    _say("a disk that is full", full := full_disk(place / "disk"))
    _say("zombies, damage and a rival", fought := duels(place / "duels"))
    return [*wrong, *(full or []), *fought]


def _storm(place: Path, seed: int, share: float, seconds: float) -> list[str]:
    plan = {kind: max(1, round(share * count)) for kind, count in FULL.items()}
    print(f"seed {seed}: {plan}", flush=True)
    arena = Arena(place, max(20, round(share * FULL_TRIALS)), WORKERS)
    weather = storm(arena, plan, seed, seconds)
    found = check(arena, weather.done["damage"])
    broken = [*found.broken, *(["complete trials became fewer"] if weather.went_back else [])]
    print(f"done to it in {weather.seconds:.0f} s: {dict(weather.done)}, {weather.starts} starts")
    print(f"{found.results} of {arena.trials} results, {found.attempts} attempts, {found.redone} epochs redone")
    _say("the storm", broken)
    return broken


def _say(stage: str, broken: list[str] | None) -> None:
    print(f"{stage}: {'skipped' if broken is None else 'broken' if broken else 'kept'}", flush=True)
    for line in broken or []:
        print(f"  BROKEN: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
