"""What follows from an error of a trial: whose fault it was."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from tunefast.errors import DataError
from tunefast.run.oom import num_oom_kills
from tunefast.run.script.drive import ProgramError
from tunefast.run.troubles import trouble
from tunefast.spec.progress import Ending, Outcome, Returned


def _caused(cause: BaseException) -> Exception:
    error = RuntimeError("while it trained")
    error.__cause__ = cause
    return error


NO_SPACE = "No space left on device"
TROUBLES: dict[str, tuple[BaseException, str]] = {
    "no space": (OSError(errno.ENOSPC, "No space left on device"), "disk"),
    "over quota": (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk"),
    "no space below": (_caused(OSError(errno.ENOSPC, "No space left on device")), "disk"),
    "safetensors without space": (RuntimeError(f"I/O error: {NO_SPACE} (os error 28)"), "disk"),
    "a program without space": (ProgramError(f"exit code 1:\nOSError: [Errno 28] {NO_SPACE}\n"), "disk"),
    "data gone": (DataError(path="/data", problem="is not there"), "data"),
    "data gone below": (_caused(DataError(path="/data", problem="is not there")), "data"),
    "out of memory": (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), "infeasible"),
    "no memory on the CPU": (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "infeasible"),
    "MemoryError": (MemoryError(), "infeasible"),
    "a program out of memory": (ProgramError("exit code 1:\ntorch.OutOfMemoryError: too much\n"), "infeasible"),
    "assert on the device": (RuntimeError("CUDA error: device-side assert triggered"), "device"),
    "illegal access": (RuntimeError("CUDA error: an illegal memory access was encountered"), "device"),
    "cublas": (RuntimeError("cublas failed: CUBLAS_STATUS_EXECUTION_FAILED"), "device"),
    "nccl": (RuntimeError("NCCL error in: ../ProcessGroupNCCL.cpp"), "device"),
    "no memory left to fork": (OSError(errno.ENOMEM, "Cannot allocate memory"), "infeasible"),
    "cublas without memory": (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), "infeasible"),
    "a loader that was killed": (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "infeasible"),
    "data that do not suit": (DataError(path=Path(__file__), problem="too few samples for validation"), "failed"),
    "words of its own": (ValueError("they said: No space left on device"), "failed"),
    "own error": (ValueError("bad"), "failed"),
    "own file missing": (FileNotFoundError(errno.ENOENT, "No such file", "x.csv"), "failed"),
    "SystemExit": (SystemExit(3), "failed"),
    "a program that fails": (ProgramError("left with exit code 1:\nValueError: bad"), "failed"),
}  # fmt: skip


@pytest.mark.parametrize(("error", "wanted"), TROUBLES.values(), ids=TROUBLES)
def test_whose_fault_it_is(error: BaseException, wanted: str) -> None:
    """The machine's, the recipe's, the device's or the trial's own; each says what people need to know."""
    found = trouble(error)
    if isinstance(found, Returned):
        assert found.why == wanted
        assert found.text
    else:
        assert found.ending == wanted
        assert found.error


def test_real_allocations() -> None:
    """What torch really raises where it gets no memory makes a recipe infeasible."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    assert isinstance(found := trouble(raised.value), Outcome)
    assert (found.ending, found.reason) == (Ending.INFEASIBLE, "out of memory")


def test_words_in_own_code_decide_nothing() -> None:
    """An error that only passes through a line with such words in it is a failure like any other."""
    with pytest.raises(ValueError, match="bad") as raised:
        raise ValueError("bad")  # CUDA error: out of memory
    assert isinstance(found := trouble(raised.value), Outcome)
    assert found.ending is Ending.FAILED


def test_counting_kills(tmp_path: Path) -> None:
    """The kernel's count is that of the machine, else that of this process's group, else 0."""
    cgroup, cgroups, vmstat = tmp_path / "cgroup", tmp_path / "fs", tmp_path / "vmstat"
    where = (cgroup, cgroups, vmstat)
    assert num_oom_kills(*where) == 0
    (cgroups / "own").mkdir(parents=True)
    cgroup.write_text("0::/own\n")
    (cgroups / "memory.events").write_text("oom 1\noom_kill 3\n")
    assert num_oom_kills(*where) == 3
    (cgroups / "own" / "memory.events").write_text("oom 1\noom_kill 2\n")
    assert num_oom_kills(*where) == 2
    vmstat.write_text("nr_free_pages 7\noom_kill 5\n")
    assert num_oom_kills(*where) == 5
    assert num_oom_kills() >= 0
