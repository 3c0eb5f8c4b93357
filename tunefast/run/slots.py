"""Slots: how many places to train a machine has, and who gets which share of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from tunefast.errors import DeviceError, UserError

CPU = "cpu"


@dataclass(frozen=True)
class Lent:
    """The slots that one host lends."""

    devices: Sequence[str]
    """One per slot."""
    explicit: bool
    """Whether the user said how many, rather than left it to the default."""


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fair_share(cores: int, lent: Sequence[Lent]) -> int:
    """Threads per trial when every slot trains: the cores divided by the slots, at least one."""
    return max(1, cores // max(1, sum(len(host.devices) for host in lent)))


def threads_free(cores: int, lent: Sequence[Lent], busy_threads: int) -> int | None:
    """Threads for one more trial, or None where the cores are taken.

    No more threads are handed out than there are cores, except that a single command which asks for more workers than
    cores gets a thread for each: its user said so.
    """
    share = fair_share(cores, lent)
    capacity = max([cores, *(len(host.devices) for host in lent if host.explicit)])
    return share if busy_threads + share <= capacity else None


def device_free(device: str, lent: Sequence[Lent], busy: int) -> bool:
    """Whether one more trial may train on `device`: a GPU takes one, or as many as users asked for by number."""
    if device == CPU:
        return True
    asked = sum(list(host.devices).count(device) for host in lent if host.explicit)
    return busy < max(1, asked)


def devices_for(device: str, num_workers: int | None) -> list[str]:
    """The device of each slot that a command lends.

    `device` is auto, cpu, cuda, or a list like cuda:0,1. The default number of workers is one per GPU, else half the
    cores. Raises `DeviceError` for a device that is not there, and `UserError` for a number below 1.
    """
    if num_workers is not None and num_workers < 1:
        raise UserError(message=f"-n {num_workers}: there must be at least 1 worker")
    places = _places(device)
    if num_workers is None:
        num_workers = len(places) if places != [CPU] else max(1, num_cores() // 2)
    return [places[index % len(places)] for index in range(num_workers)]


def crowding(devices: Sequence[str]) -> str | None:
    """What to say of more workers than this machine has cores for; None where it has."""
    num_workers, cores = devices.count(CPU), num_cores()
    if num_workers <= cores:
        return None
    places = "1 core" if cores == 1 else f"{cores} cores"
    return (
        f"{num_workers} workers share {places}: together they are no faster than {cores}, and each takes memory of its "
        "own. A trial that finds no memory left ends as infeasible."
    )


def _places(device: str) -> list[str]:
    if device == CPU:
        return [CPU]
    if device == "auto":
        gpus = _num_gpus() if shutil.which("nvidia-smi") else 0  # asking torch takes seconds
        return [f"cuda:{index}" for index in range(gpus)] or [CPU]
    kind, _, numbers = device.partition(":")
    if kind != "cuda" or not all(number.isdecimal() for number in numbers.split(",") if numbers):
        raise DeviceError(device=f"--device {device}", problem="unknown; use auto, cpu, cuda, or cuda:0,1")
    count = _num_gpus()
    wanted = [int(number) for number in numbers.split(",")] if numbers else list(range(count))
    missing = [number for number in wanted if number >= count]
    if missing or not wanted:
        has = f"cuda:0 to cuda:{count - 1}" if count else "no CUDA device"
        raise DeviceError(device=f"--device {device}", problem=f"not there; this machine has {has}")
    return [f"cuda:{number}" for number in wanted]


def _num_gpus() -> int:
    import torch

    return torch.cuda.device_count()
