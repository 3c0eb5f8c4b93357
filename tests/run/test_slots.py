"""Slots: how many places there are to train, and who gets which share of the machine."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.errors import DeviceError, UserError
from tunefast.run import slots
from tunefast.run.slots import CPU, Lent, crowding, device_free, devices_for, fair_share, num_cores, threads_free

hosts = st.lists(
    st.builds(lambda count, explicit: Lent([CPU] * count, explicit), st.integers(1, 6), st.booleans()),
    min_size=1,
    max_size=4,
)


@given(cores=st.integers(1, 8), joining=hosts, rng=st.randoms(use_true_random=False))
def test_no_more_threads_than_cores(*, cores: int, joining: list[Lent], rng: random.Random) -> None:
    """Whoever joins when, all trials have no more threads than there are cores, or one command asked workers for."""
    lent: list[Lent] = []
    held: list[int] = []
    for host in joining:
        lent.append(host)
        num_slots = sum(len(one.devices) for one in lent)
        limit = max([cores, *(len(one.devices) for one in lent if one.explicit)])
        for _ in range(20):
            threads = threads_free(cores, lent, sum(held)) if len(held) < num_slots else None
            if threads is not None and rng.random() < 0.7:
                assert threads >= 1
                held.append(threads)
            elif held:
                held.pop(rng.randrange(len(held)))
            assert sum(held) <= limit
    assert threads_free(cores, lent, 0) is not None, "an idle machine trains"


@pytest.mark.parametrize("count", [1, 2, 3, 8, 40])
def test_a_number_that_the_user_gave_is_honoured(count: int) -> None:
    """A single command with -n trains on all of its workers at once, also where they outnumber the cores."""
    lent = [Lent([CPU] * count, explicit=True)]
    busy = 0
    for _ in range(count):
        threads = threads_free(4, lent, busy)
        assert threads == max(1, 4 // count)
        busy += threads


def test_two_commands_share_the_cores() -> None:
    """Commands that join divide the cores; what runs keeps its threads, and the next trial waits for room."""
    one, another = Lent([CPU, CPU], explicit=False), Lent([CPU, CPU], explicit=True)
    assert threads_free(4, [one], 2) == 2
    assert threads_free(4, [one, another], 4) is None
    assert threads_free(4, [one, another], 2) == 1
    assert fair_share(2, [one, another]) == 1
    assert fair_share(4, []) == 4


def test_a_gpu_takes_one_trial() -> None:
    """A GPU trains one trial, or as many as commands asked for by number; a CPU as many as have threads."""
    default, asked = Lent(["cuda:0", "cuda:1"], explicit=False), Lent(["cuda:0"] * 3, explicit=True)
    assert device_free(CPU, [default], 99)
    assert [device_free("cuda:0", [default], busy) for busy in range(2)] == [True, False]
    assert [device_free("cuda:0", [default, default], busy) for busy in range(2)] == [True, False]
    assert [device_free("cuda:0", [default, asked], busy) for busy in range(4)] == [True, True, True, False]
    assert [device_free("cuda:1", [default, asked], busy) for busy in range(2)] == [True, False]


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with eight cores and four GPUs."""
    monkeypatch.setattr(slots, "_num_gpus", lambda: 4)
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(slots, "num_cores", lambda: 8)


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("device", "count", "expected"),
    [
        ("cpu", None, ["cpu"] * 4),
        ("cpu", 3, ["cpu"] * 3),
        ("auto", None, ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        ("cuda", 2, ["cuda:0", "cuda:1"]),
        ("cuda:1,3", None, ["cuda:1", "cuda:3"]),
        ("cuda:1,3", 3, ["cuda:1", "cuda:3", "cuda:1"]),
        ("cuda:2", None, ["cuda:2"]),
    ],
)
def test_devices(device: str, count: int | None, expected: list[str]) -> None:
    """One worker per GPU, or half as many as cores, unless the user says how many; they take turns on the devices."""
    assert devices_for(device, count) == expected


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("device", "problem"),
    [
        ("gpu", "unknown; use auto"),
        ("", "unknown; use auto"),
        ("cpu:0", "unknown; use auto"),
        ("cuda:x", "unknown; use auto"),
        ("cuda:0,", "unknown; use auto"),
        ("cuda:-1", "unknown; use auto"),
        ("cuda:4", "not there; this machine has cuda:0 to cuda:3"),
        ("cuda:0,9", "not there"),
    ],
)
def test_devices_that_are_refused(device: str, problem: str) -> None:
    """A device that is misspelt or not there is refused by its name, with what there is."""
    with pytest.raises(DeviceError, match=problem) as raised:
        devices_for(device, None)
    assert str(raised.value).startswith(f"--device {device}: ")


def test_a_machine_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no GPU, auto means the CPU and cuda is refused; torch is not asked without need."""
    monkeypatch.setattr(slots, "num_cores", lambda: 1)
    monkeypatch.setattr("shutil.which", lambda _program: None)
    monkeypatch.setattr(slots, "_num_gpus", lambda: pytest.fail("torch was asked"))
    assert devices_for("auto", None) == ["cpu"]
    monkeypatch.setattr(slots, "_num_gpus", lambda: 0)
    for device in ("cuda", "cuda:0"):
        with pytest.raises(DeviceError, match="this machine has no CUDA device"):
            devices_for(device, 1)
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    assert devices_for("auto", 2) == ["cpu", "cpu"]


@pytest.mark.parametrize("count", [0, -3])
def test_no_workers_are_refused(count: int) -> None:
    """There must be at least one worker."""
    with pytest.raises(UserError, match=f"-n {count}: there must be at least 1 worker"):
        devices_for("cpu", count)


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was given two of many cores has two."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {3, 5})
    assert num_cores() == 2


def test_more_workers_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said, of those that train on them."""
    monkeypatch.setattr(slots, "num_cores", lambda: 2)
    assert crowding([CPU] * 2 + ["cuda:0"] * 4) is None
    assert (crowding([CPU] * 3) or "").startswith("3 workers share 2 cores: ")
