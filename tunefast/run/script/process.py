"""The process of a program: its surroundings, its output, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

from tunefast.errors import UserError
from tunefast.recipe.own_training import FACTS, SETTINGS_VARIABLE, CommandRecipe
from tunefast.run.script import guard
from tunefast.spec.progress import CHECKPOINTS, Assignment

SCRIPT_SUFFIXES = (".py", ".sh")
TAIL_LINES = 30
MAX_SEED = 2**32
"""NumPy, and what is built on it, takes no larger seeds."""
KILL_SECONDS = 10.0
"""From SIGTERM to SIGKILL."""


def facts(assignment: Assignment) -> dict[str, Any]:
    """What a command is told about its trial, by the names of `FACTS`."""
    directory = Path(assignment.directory)
    return {
        "trial": assignment.trial,
        "study": assignment.study,
        "seed": assignment.seed % MAX_SEED,
        "device": visible_device(assignment.device),
        "threads": assignment.threads,
        "directory": str(directory),
        "checkpoints": str(directory / CHECKPOINTS),
    }


def visible_device(device: str) -> str:
    """The name of a device in a program that sees no other one of its kind."""
    return device.partition(":")[0]


def environment(recipe: CommandRecipe, assignment: Assignment, socket: Path) -> dict[str, str]:
    """The program's environment: where to report, its trial's facts and settings, and the device that it may use."""
    known = facts(assignment)
    told = {f"TUNEFAST_{name.upper()}": str(value) for name, value in known.items()}
    settings = {SETTINGS_VARIABLE: json.dumps(recipe.told(known))}
    found = {**os.environ, **told, **settings, "TUNEFAST_SOCKET": str(socket)}
    kind, _, index = assignment.device.partition(":")
    if kind == "cpu":
        found["CUDA_VISIBLE_DEVICES"] = ""
    elif index:
        allowed = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        found["CUDA_VISIBLE_DEVICES"] = allowed[int(index)] if int(index) < len(allowed) else index
    if recipe.run_in == "trial" and recipe.root:
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (recipe.root, os.environ.get("PYTHONPATH"))))
    found.setdefault("PYTHONUNBUFFERED", "1")  # so that lines come when they are printed
    return found


def working_directory(recipe: CommandRecipe, assignment: Assignment) -> Path:
    """Where the program runs."""
    return Path(assignment.directory) if recipe.run_in == "trial" else Path(recipe.root or ".")


def followed_path(recipe: CommandRecipe, assignment: Assignment) -> Path | None:
    """The file or directory that the program writes its metrics to, where one is followed."""
    path = recipe.followed(facts(assignment))
    return None if path is None else working_directory(recipe, assignment) / path


def command_words(recipe: CommandRecipe, assignment: Assignment) -> list[str]:
    """The command with everything filled in; files of the project by their absolute paths where it runs elsewhere."""
    words = recipe.words(facts(assignment))
    if recipe.run_in == "root" or recipe.root is None:
        return words
    root = Path(recipe.root)
    return [str(root / word) if (root / word).is_file() else word for word in words]


def check_command(recipe: CommandRecipe) -> None:
    """Raise `UserError` where a located recipe's command is not to be found, or a script that it names is not."""
    root = Path(recipe.root or ".")
    if not root.is_dir():
        raise UserError(message=f"[recipe] root: there is no directory {root}")
    check_program(recipe.words(dict.fromkeys(FACTS, "0")), root, "[recipe] command")


def check_program(words: Sequence[str], root: Path, where: str) -> None:
    """Raise `UserError` where the program that `words` begin with is not to be found, or a script that they name."""
    program, *rest = words
    if shutil.which(program) is None and not (root / program).is_file():
        raise UserError(message=f"{where}: there is no program {program!r} in PATH or in {root}")
    script = next((word for word in rest if not word.startswith("-")), "")
    if Path(script).suffix in SCRIPT_SUFFIXES and not (root / script).is_file():
        raise UserError(message=f"{where}: there is no file {script!r} in {root}")


class Program:
    """A program that runs, under a guard that ends it with this process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._pumps: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, words: list[str], directory: Path, surroundings: Mapping[str, str], kept: BinaryIO) -> Self:
        """Start the program, whose numbers go to the file `kept` too as it prints them.

        One that cannot be started ends at once, with its reason in `tail`.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-IS",
            str(Path(guard.__file__)),
            str(kept.fileno()),
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(kept.fileno(),),
            cwd=directory,
            env=surroundings,
            limit=guard.MAX_LINE_BYTES,
            process_group=0,
        )
        return cls(process)

    @property
    def tail(self) -> str:
        """The last lines that it printed."""
        return "\n".join(self._tail)

    def listen(self, on_line: Callable[[str], None], on_error: Callable[[OSError], None]) -> None:
        """Pass each line of its standard output on, and copy that and its errors to this process's own output.

        Lines come on where they cannot be copied, of which `on_error` is told.
        """
        out, err = self._process.stdout, self._process.stderr
        if out is None or err is None:
            raise TypeError("a program has pipes")
        self._pumps = [
            asyncio.create_task(self._pump(out, sys.stdout, on_line, on_error)),
            asyncio.create_task(self._pump(err, sys.stderr, lambda _: None, on_error)),
        ]

    async def _pump(
        self,
        stream: asyncio.StreamReader,
        copy: Any,
        on_line: Callable[[str], None],
        on_error: Callable[[OSError], None],
    ) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the limit; what was read of it is gone
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\n")
            self._tail.append(text.rpartition("\r")[2])
            on_line(text)
            try:
                copy.write(text + "\n")
                copy.flush()
            except OSError as error:
                on_error(error)

    def keep_no_lines(self) -> None:
        """What it prints is of no account, and was of none."""
        if self._process.stdin is not None:
            self._process.stdin.write(b".")

    async def ended(self) -> int:
        """Wait for its end, and for what it has printed; its exit code. What it has started and left is killed."""
        code = await self._process.wait()
        self._signal(signal.SIGKILL)
        await asyncio.gather(*self._pumps)
        return code

    async def end(self) -> None:
        """Ask it to end with SIGTERM, and make it end where it does not within `KILL_SECONDS`."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), KILL_SECONDS)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """End it and all that it has started."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
