"""Which checkpoints stay: those of trials that go on, and of the best ones that ended; the others are deleted."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tunefast.run.checkpoint_files import num_bytes
from tunefast.search.live import LiveStudy
from tunefast.spec.progress import CHECKPOINTS
from tunefast.store.ownership import StateDirectory
from tunefast.store.rows import CONTINUES

KEPT_PAUSED = 20
"""Of how many trials that wait at a rung the checkpoints stay; others would begin anew, which is seldom and early."""
_GONE = f".{CHECKPOINTS}-gone"
Act = Callable[[], None]


class Retention:
    """Deletes the checkpoints of a study's trials that nobody will go on from, off the coordinator's own thread.

    A trial has ended here once its outcome is on disk: until then a power cut has it go on, from its checkpoints.
    `once_on_disk` calls what it is given once all that is committed now is on disk, or never, where it cannot be.
    What a coordinator that was killed has left to delete, the next one deletes when it takes up the study.
    """

    def __init__(self, study: LiveStudy, state: StateDirectory, once_on_disk: Callable[[Act], None]) -> None:
        self._study = study
        self._once_on_disk = once_on_disk
        self.trials = state.trials(study.uuid)
        """Where each of the study's trials has its directory."""
        self._rooms: dict[int, int] = {}
        """Bytes that the checkpoints of unfinished trials may take, as they were told."""
        self._num_paused = 0
        """When checkpoints of trials that wait were deleted last."""
        self._deleting = ThreadPoolExecutor(1, thread_name_prefix="deleting")
        self._serial = itertools.count(time.time_ns())
        self._present: set[int] = set()
        """Trials that ended and may have checkpoints."""
        self._unsynced: set[int] = set()
        """Trials that ended, of which it is not known yet that this is on disk."""
        self._closed = False
        for gone in self.trials.glob(f"*/{_GONE}*"):
            self._deleting.submit(shutil.rmtree, gone, ignore_errors=True)
        study.just_ended.clear()
        self._note_ended(self._found())

    def room(self, number: int, num_slots: int) -> int | None:
        """Bytes that the checkpoints of a trial may take that one of as many slots is given; None for any.

        The slots share half of the study's room, of which no byte is given away twice; the best ones make way.
        """
        limit = self._study.spec.trial.checkpoint_bytes
        if limit is None:
            return None
        self._rooms.pop(number, None)
        room = max(0, min(limit // 2 // max(1, num_slots), limit - self._held(besides=number)))
        self._rooms[number] = room
        self._sweep()
        return room

    def _held(self, besides: int | None = None) -> int:
        """Bytes that the unfinished trials' checkpoints may take, or take already."""
        unfinished = {trial.number for trial in self._study.storage.all_trials() if not trial.state.is_finished()}
        self._rooms = {number: room for number, room in self._rooms.items() if number in unfinished}
        others = unfinished - {besides}
        return sum(max(self._rooms.get(number, 0), num_bytes(self._place(number))) for number in others)

    def tidy(self) -> None:
        """Delete what nobody needs any more, after the trials that have ended since the last time."""
        ended = set(self._study.just_ended)
        self._study.just_ended.clear()
        self._note_ended(ended)
        self._drop_paused()

    def _note_ended(self, ended: set[int]) -> None:
        """Have the checkpoints of trials that ended, and those that they started from, deleted once that is safe."""
        sources = {_source(self._study, number) for number in ended}
        present = {number for number in ended | sources if number is not None and self._place(number).is_dir()}
        if present:
            self._unsynced |= ended
            self._once_on_disk(partial(self._take_in, ended, present))

    def _take_in(self, ended: set[int], present: set[int]) -> None:
        """The outcomes of trials are on disk."""
        if not self._closed:
            self._unsynced -= ended
            self._present |= present
            self._sweep()

    def _found(self) -> set[int]:
        """The trials that ended and have checkpoints."""
        places = self.trials.glob(f"*/{CHECKPOINTS}") if self.trials.is_dir() else ()
        numbers = [int(place.parent.name) for place in places if place.parent.name.isdecimal()]
        return {number for number in numbers if number in self._study.tally}

    def _drop_paused(self) -> None:
        """Delete the checkpoints of trials that wait at a rung and are far from going on, where there are many."""
        num_paused = len(self._study.paused)
        if num_paused <= KEPT_PAUSED or num_paused == self._num_paused:
            return
        self._num_paused = num_paused
        for number in self._study.waiting_at_rungs()[KEPT_PAUSED:]:
            self._rooms.pop(number, None)
            self._put_away(self._place(number))

    def _sweep(self) -> None:
        best = self._best()
        for number in self._present - best:
            self._delete(number)
        self._present &= best

    def _best(self) -> set[int]:
        """The trials that ended and keep their checkpoints: the best ones, as far as there is room."""
        limits = self._study.spec.trial
        best: set[int] = set()
        limit, taken = limits.checkpoint_bytes, 0
        room = None if limit is None else min(limit // 2, limit - self._held())
        for number in self._study.tally.ranking(limits.kept_checkpoints):
            taken += num_bytes(self._place(number))
            if room is None or taken <= room:
                best.add(number)
        return best

    def _place(self, number: int) -> Path:
        return self.trials / str(number) / CHECKPOINTS

    def close(self, *, on_disk: bool = True, wait: bool = False) -> None:
        """Delete for the last time, if all is `on_disk`; the process does not end before that is done."""
        if on_disk:
            self._study.just_ended.clear()
            self._unsynced.clear()
            self._present = self._found()
            self._sweep()
        self._closed = True
        self._deleting.shutdown(wait=wait)

    def _delete(self, number: int) -> None:
        place = self._place(number)
        if place.is_dir() and not self._goes_on(number):
            self._put_away(place)

    def _goes_on(self, number: int) -> bool:
        """Whether a trial has not ended, or a variant that starts from it has not."""
        ended_here = self._unsynced.union(self._study.just_ended)
        trials = self._study.storage.all_trials()
        going = [trial.number for trial in trials if not trial.state.is_finished() or trial.number in ended_here]
        return any(number in (other, _source(self._study, other)) for other in going)

    def _put_away(self, place: Path) -> None:
        if place.is_dir():
            gone = place.with_name(f"{_GONE}-{next(self._serial)}")
            with contextlib.suppress(OSError):  # it stays until the study is taken up again
                place.rename(gone)
                self._deleting.submit(shutil.rmtree, gone, ignore_errors=True)


def _source(study: LiveStudy, number: int) -> int | None:
    """The trial from whose checkpoint this one started, if there is one."""
    return study.storage.all_trials()[number].system_attrs.get(CONTINUES)
