"""One trial of a program: starts it, takes its numbers from wherever they come, and ends it when that is the answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tunefast.recipe.own_training import CommandRecipe
from tunefast.run.oom import num_oom_kills
from tunefast.run.script.epochs import Epochs, numbers, numbers_in
from tunefast.run.script.following import Followed, follow
from tunefast.run.script.process import (
    Program,
    command_words,
    environment,
    facts,
    followed_path,
    working_directory,
)
from tunefast.run.script.unread import forget, note_start, open_printed
from tunefast.spec.progress import NO_REPORT, Answer, Assignment, EpochReport, Verdict

POLL_SECONDS = 0.5
"""Between two looks at a file that is followed."""
PATIENCE_SECONDS = 30.0
"""From a verdict that a program was told until it is ended."""
SILENT_SECONDS = 60.0
"""Without a report until people are told."""

KILLED = 128 + signal.SIGKILL

Judge = Callable[[EpochReport], Answer]
Tell = Callable[[str], None]


class ProgramError(Exception):
    """A program failed; the message is what people should read."""


def run_program(recipe: CommandRecipe, assignment: Assignment, judge: Judge, tell: Tell) -> None:
    """Run the program of a trial to its end, asking `judge` for an answer after each epoch, and `tell` people things.

    What it says stays in the trial's directory for `unread` where the trial has not ended with it.

    Raises `ProgramError` where it fails, or ends without a report, and what `judge` raises.
    """
    Path(facts(assignment)["checkpoints"]).mkdir(parents=True, exist_ok=True)
    asyncio.run(_Trial(recipe, assignment, judge, tell).run())


class _Trial:
    def __init__(self, recipe: CommandRecipe, assignment: Assignment, judge: Judge, tell: Tell) -> None:
        self._recipe = recipe
        self._assignment = assignment
        self._judge = judge
        self._tell = tell
        self._epochs = Epochs(assignment.metrics, assignment.earlier)
        self._verdict: Verdict | None = None
        """The answer to the last report; None before the first."""
        self._reports = False
        """Whether the program reports with ``tunefast_report``."""
        self._error: Exception | None = None
        self._directory = Path(assignment.directory)
        self._program: Program | None = None
        self._judging = asyncio.Lock()
        self._ending = asyncio.Event()
        """Set when the program is to end now."""
        self._ended = asyncio.Event()
        """Set when the program has ended."""
        self._oom_kills = num_oom_kills()
        self._told = asyncio.Event()
        """Set when the program was told that it should end."""

    async def run(self) -> None:
        path = followed_path(self._recipe, self._assignment)
        followed = None if path is None else follow(path)
        if followed is not None:
            note_start(self._directory, followed)
        with tempfile.TemporaryDirectory(prefix="tunefast-") as place:
            socket = Path(place) / "report"
            server = await asyncio.start_unix_server(self._serve, socket)
            words = command_words(self._recipe, self._assignment)
            directory = working_directory(self._recipe, self._assignment)
            surroundings = environment(self._recipe, self._assignment, socket)
            with open_printed(self._directory) as kept:
                self._program = program = await Program.start(words, directory, surroundings, kept)
            if followed is not None:
                program.keep_no_lines()
            try:
                code = await self._attend(program, followed)
            finally:
                program.kill()
                server.close()
        if self._error is not None:
            raise self._error
        if self._verdict is not Verdict.PAUSE:
            forget(self._directory)
        if self._verdict in (None, Verdict.CONTINUE):
            self._check_end(code, program.tail)

    async def _attend(self, program: Program, followed: Followed | None) -> int:
        """Listen until the program has ended; its exit code."""
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        program.listen(lines.put_nowait, self._fail)
        sources = [asyncio.create_task(self._read(lines))]
        if followed is not None:
            sources.append(asyncio.create_task(self._watch(followed)))
        others = [asyncio.create_task(self._end_when_asked(program)), asyncio.create_task(self._remind(program))]
        code = await program.ended()
        lines.put_nowait(None)
        self._ended.set()
        results = await asyncio.gather(*sources, return_exceptions=True)  # what was said last still counts
        for task in others:
            task.cancel()
        for result in results + await asyncio.gather(*others, return_exceptions=True):
            if isinstance(result, Exception):
                self._fail(result)
        return code

    def _fail(self, error: Exception) -> None:
        """End the program; the first error is raised when it has ended."""
        self._error = self._error or error
        self._ending.set()

    # Where numbers come from.

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a program that reports with ``tunefast_report``; what it prints or writes besides counts no more."""
        while line := await reader.readline():
            found = numbers(json.loads(line))
            first, self._reports = not self._reports, True
            if first and self._program is not None:
                self._program.keep_no_lines()
            printed = first and self._epochs.repeats(found)  # before anybody knew that it reports
            verdict = await (self._answered() if printed else self._take(found, asks=True))
            writer.write(json.dumps({"verdict": verdict}).encode() + b"\n")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        writer.close()

    async def _answered(self) -> Verdict:
        """The answer to the last report."""
        async with self._judging:
            return self._verdict or Verdict.CONTINUE

    async def _read(self, lines: asyncio.Queue[str | None]) -> None:
        while (line := await lines.get()) is not None:
            await self._take_line(line)

    async def _take_line(self, line: str) -> None:
        found = numbers_in(line)
        if found and not self._reports and self._recipe.follow is None:
            await self._take(found)

    async def _watch(self, followed: Followed) -> None:
        while not self._ended.is_set():
            await self._take_rows(followed)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), POLL_SECONDS)
        await self._take_rows(followed)

    async def _take_rows(self, followed: Followed) -> None:
        for row in await asyncio.to_thread(lambda: list(followed.new())):
            if not self._reports:
                await self._take(row)

    async def _take(self, found: Mapping[str, float], *, asks: bool = False) -> Verdict:
        """Take in numbers; the answer to them. A program that was answered before, or does not ask, is ended."""
        async with self._judging:
            if self._verdict not in (None, Verdict.CONTINUE):
                self._ending.set()
                return self._verdict
            report = self._epochs.add(found)
            if report is None:
                return Verdict.CONTINUE
            try:
                answer = await asyncio.to_thread(self._judge, report)
            except Exception as error:  # noqa: BLE001
                self._verdict = Verdict.STOP
                self._fail(error)
                return self._verdict
            self._verdict = answer.verdict
            if answer.verdict is not Verdict.CONTINUE:
                (self._told if asks else self._ending).set()
            return answer.verdict

    # How it ends.

    async def _end_when_asked(self, program: Program) -> None:
        """End the program when it is to end, after some time where it knows and has things to save."""
        ending = asyncio.create_task(self._ending.wait())
        told = asyncio.create_task(self._told.wait())
        await asyncio.wait({ending, told}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({ending}, timeout=PATIENCE_SECONDS)
        await program.end()

    async def _remind(self, program: Program) -> None:
        """Say that there was no report yet, once."""
        await asyncio.sleep(SILENT_SECONDS)
        async with self._judging:  # since one connection serves reports and this
            if self._verdict is None:
                text = f"no report after {SILENT_SECONDS:g} s{self._seen()}. {_last_lines(program.tail)}"
                await asyncio.to_thread(self._tell, text)

    def _seen(self) -> str:
        metric = f" of {', '.join(map(repr, self._assignment.metrics))}"
        return f"{metric}, only of {', '.join(sorted(self._epochs.seen))}" if self._epochs.seen else metric

    def _check_end(self, code: int, tail: str) -> None:
        if code == KILLED and num_oom_kills() > self._oom_kills:
            raise ProgramError(f"the kernel killed the program: the machine was out of memory\n{tail}")
        if code:
            how = f"was ended by signal {code - 128}" if code > 128 else f"left with exit code {code}"  # noqa: PLR2004
            raise ProgramError(f"the program {how}:\n{tail}" if tail else f"the program {how}, and printed nothing")
        if self._verdict is None and not self._assignment.earlier:  # else an earlier attempt had said all
            raise ProgramError(f"the program ended {NO_REPORT}{self._seen()}. {_last_lines(tail)}")


def _last_lines(tail: str) -> str:
    return f"Its last lines:\n{tail}" if tail else "It printed nothing"
