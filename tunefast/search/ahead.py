"""Asking ahead: the settings of the next trials are drawn while others train, in a thread of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from optuna.trial import FrozenTrial

from tunefast.store.sketch import SketchStorage
from tunefast.store.trials import MirroredStorage

Draw = Callable[[SketchStorage, Sequence[FrozenTrial]], FrozenTrial]
"""Draws a trial, for a sketch of the study and after others that were drawn and that nobody has been given yet."""


class AskingAhead:
    """Drawn trials by number. They are in memory alone: nobody else sees them, and what is not taken is forgotten.

    Where others add trials meanwhile, what was drawn for their numbers is thrown away.
    """

    def __init__(self, storage: MirroredStorage, draw: Draw) -> None:
        self._storage = storage
        self._draw = draw
        self._drawn: dict[int, Future[FrozenTrial]] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._is_closed = False

    def order(self, num: int, then: Callable[[], None]) -> None:
        """Let the next `num` trials be drawn; `then` is called after each, from another thread."""
        first = len(self._storage.all_trials())
        self._drawn = {number: drawn for number, drawn in self._drawn.items() if number >= first}
        for number in range(first, first + num):
            if number not in self._drawn:
                self._submit(number).add_done_callback(lambda _: None if self._is_closed else then())

    @property
    def is_drawing(self) -> bool:
        """Whether the next trial has been ordered, and is not there yet."""
        drawn = self._drawn.get(len(self._storage.all_trials()))
        return drawn is not None and not drawn.done()

    def take(self) -> FrozenTrial:
        """The next trial; one that was not ordered is drawn now."""
        number = len(self._storage.all_trials())
        if self._thread is None:
            return self._draw(SketchStorage(self._storage, number), ())
        if number not in self._drawn:
            self._submit(number)
        return self._drawn.pop(number).result()

    def _submit(self, number: int) -> Future[FrozenTrial]:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="asking")
        before = [drawn for earlier, drawn in sorted(self._drawn.items()) if earlier < number]
        self._drawn[number] = self._thread.submit(self._after, before, SketchStorage(self._storage, number))
        return self._drawn[number]

    def _after(self, before: Sequence[Future[FrozenTrial]], sketch: SketchStorage) -> FrozenTrial:
        """Draw after others, which one thread has drawn already."""
        return self._draw(sketch, [drawn.result() for drawn in before if drawn.exception() is None])

    def close(self) -> None:
        """Draw no more, and call nobody back."""
        self._is_closed = True
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
