"""A process that examines a training: ``python -m tunefast.doctor.process``, which reads a request and says findings.

It is one of its own, since only a process can be ended in the midst of compiling, and what compilers print stays there.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import IO

from tunefast.doctor.findings import Finding, Request, Trouble
from tunefast.errors import TunefastError
from tunefast.recipe.own_errors import own_traceback
from tunefast.train.process import load_torch, prepare_process

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main() -> None:
    """Answer the request on standard input; the process ends with that."""
    request = Request.model_validate_json(sys.stdin.readline())
    findings = _own_output()
    threading.Thread(target=_leave_with_asker, daemon=True).start()

    def tell(finding: Finding) -> None:
        print(finding.model_dump_json(), file=findings, flush=True)

    prepare_process()
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(request.threads)
    try:
        load_torch()
        import torch

        from tunefast.doctor.examine import examine

        torch.set_num_threads(request.threads)
        examine(request, tell)
    except (ValueError, TunefastError) as error:
        tell(Trouble(problem=str(error) or own_traceback(error)))
    except Exception as error:  # noqa: BLE001  whatever a recipe raises is what its trials would
        tell(Trouble(problem=own_traceback(error)))
    findings.flush()
    os._exit(0)  # whatever threads a compiler has left behind


def _own_output() -> IO[str]:
    """Standard output, kept for findings: what others print there goes to standard error from now on."""
    findings = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return findings


def _leave_with_asker() -> None:
    """End when nobody waits for findings any more, which the end of standard input says.

    Not through ``sys.stdin``, whose lock would be held all the time: processes that a DataLoader forks close it first.
    """
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
