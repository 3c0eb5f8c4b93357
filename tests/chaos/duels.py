"""Duels: one safeguard at a time against the fault that it is there for. Each can be switched off."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos.arena import EPOCHS, LEASE_SECONDS, Arena
from tests.chaos.checker import Findings, check
from tests.chaos.storm import end

SITE = Path(__file__).parent / "site"
DEADLINE_SECONDS = 60.0
PACE_SECONDS = 0.2
NUM_ZOMBIES = 2


def arena_without(directory: Path, *switches: str, trials: int = 3, workers: int = 2) -> Arena:
    """An arena whose processes lack some safeguards."""
    environment = {"PYTHONPATH": str(SITE), "CHAOS_SWITCHED_OFF": ",".join(switches)}
    return Arena(directory, trials, workers, environment, PACE_SECONDS)


def zombies(arena: Arena) -> Findings:
    """Workers are stopped until their trials train elsewhere, and wake then; meant for arenas where none is killed."""
    host = arena.started()
    try:
        for _ in range(NUM_ZOMBIES):
            worker = _soon(lambda: _young(arena))
            os.kill(worker["pid"], signal.SIGSTOP)
            _soon(partial(_elsewhere, arena, worker))
            time.sleep(PACE_SECONDS)
            os.kill(worker["pid"], signal.SIGCONT)
        host.wait(DEADLINE_SECONDS)
    finally:
        end(host)
    return check(arena)


def corrupted(arena: Arena) -> Findings:
    """The newest checkpoint of a trial gets other numbers, and its worker is killed, so that it is needed."""
    host = arena.started(workers=1)
    try:
        worker = _soon(lambda: _young(arena, files=2, epochs=EPOCHS - 2))
        os.kill(worker["pid"], signal.SIGSTOP)
        before, newest = arena.checkpoints(worker["trial"])[-2:]
        behind = arena.logs()[worker["trial"]].count(", epoch ") - int(before.stem.removeprefix("epoch-"))
        content = bytearray(newest.read_bytes())
        for position in range(len(content) - len(content) // 8, len(content)):
            content[position] ^= 0x10
        newest.write_bytes(content)
        os.kill(worker["pid"], signal.SIGKILL)
        host.wait(DEADLINE_SECONDS)
    finally:
        end(host)
    return check(arena, damages=1, behind=behind)


def rivals(arena: Arena) -> Findings:
    """A second command does not find the coordinator, and starts another one."""
    host = arena.started(workers=1)
    rival: subprocess.Popen[bytes] | None = None
    twice: list[str] = []
    try:
        _soon(lambda: _young(arena))
        (arena.state.path / "socket").unlink()
        rival = arena.started(workers=1)
        _soon(lambda: rival.poll() is not None or len(_owners(arena)) > 1 or host.poll() is not None)
        host.wait(DEADLINE_SECONDS)
        twice = _at_once(arena)
    finally:
        for process in (host, *([rival] if rival is not None else [])):
            end(process)
    found = check(arena)
    return found._replace(broken=[*twice, *found.broken])


def _owners(arena: Arena) -> list[str]:
    """What each coordinator wrote down from the moment that the database was its own."""
    said = (arena.state.logs / "coordinator.log").read_text(encoding="utf-8", errors="replace")
    return said.split(": coordinator ")[1:]


def _at_once(arena: Arena) -> list[str]:
    """Whether a coordinator began before the one before it had ended."""
    together = [said for said in _owners(arena)[:-1] if "no host is left" not in said]
    return ["two coordinators owned the database at once"] if together else []


def _young(arena: Arena, files: int = 1, epochs: int = 2) -> dict[str, Any] | None:
    """A worker whose trial has so many checkpoints, and trains its first attempt, for at most so many epochs."""
    logs = arena.logs()
    for worker in arena.processes()["workers"]:
        text = logs.get(worker["trial"], "")
        young = text.count("epoch ") in range(files, epochs + 1) and "attempt 2" not in text
        if young and len(arena.checkpoints(worker["trial"])) >= files:
            return dict(worker)
    return None


def _elsewhere(arena: Arena, stopped: dict[str, Any]) -> bool:
    """Whether another worker has the trial, and has trained an epoch of it."""
    return "attempt 2, epoch" in arena.logs().get(stopped["trial"], "")


def _soon(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it does."""
    deadline = time.monotonic() + DEADLINE_SECONDS + 10 * LEASE_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError("waited in vain")
        time.sleep(0.02)
    return found
