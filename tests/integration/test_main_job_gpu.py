"""The user's own words on a GPU."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import torch

from tests.integration.processes import Terminal, ended
from tests.integration.specs import digits

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


@pytest.mark.parametrize(("sampler", "trials"), [("grid", 24), ("tpe", 12)])
def test_two_terminals_share_a_gpu(terminal: Terminal, sampler: str, trials: int) -> None:
    """Two `worker start -n 1` train a study over rate, batch, accumulation and precision on the GPU."""
    terminal.tunefast("study", "create", str(terminal.write("s.toml", digits("gpu", sampler, trials, 8))))
    with ExitStack() as stack:
        command = ("worker", "start", "gpu", "-n", "1", "--device", "cuda:0")
        for host in [stack.enter_context(terminal.started(*command)) for _ in range(2)]:
            ended(host, 0)
    study = terminal.study("gpu")
    assert len(study.trials) == trials
    assert {row["device"] for row in study.attempts} == {"cuda:0"}
    assert study.best is not None
    assert study.best.value is not None
    assert study.best.value > 0.9
