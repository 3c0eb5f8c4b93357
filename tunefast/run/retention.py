"""Which checkpoints stay: those of trials that go on, and of the best ones that ended; the others are deleted."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

from tunefast.search.live import LiveStudy
from tunefast.spec.progress import CHECKPOINTS
from tunefast.store.ownership import StateDirectory

_GONE = f".{CHECKPOINTS}-gone"


class Retention:
    """Deletes the checkpoints of a study's trials that nobody will go on from, off the coordinator's own thread.

    What a coordinator that was killed has left to delete, the next one deletes when it takes up the study.
    """

    def __init__(self, study: LiveStudy, state: StateDirectory) -> None:
        self._study = study
        self._kept = study.spec.trial.kept_checkpoints
        self._trials = state.trials(study.uuid)
        self._deleting = ThreadPoolExecutor(1, thread_name_prefix="deleting")
        if self._trials.is_dir():
            present = [int(place.parent.name) for place in self._trials.glob(f"*/{CHECKPOINTS}")]
            best = study.tally.ranking[: self._kept]
            self._delete({number for number in present if number in study.tally and number not in best})
        study.just_ended.clear()

    def tidy(self) -> None:
        """Delete what nobody needs any more, after the trials that have ended since the last time."""
        ended = self._study.just_ended
        if ended:
            sources = {self._study.source(number) for number in ended} - {None}
            ranking = self._study.tally.ranking
            dethroned = ranking[self._kept : self._kept + len(ended)]
            self._delete(
                {*ended, *dethroned, *(source for source in sources if source is not None)} - set(ranking[: self._kept])
            )
            ended.clear()

    def close(self) -> None:
        """Tidy up for the last time, and wait until all is deleted."""
        self.tidy()
        self._deleting.shutdown()

    def _delete(self, losers: set[int]) -> None:
        for number in losers:
            place = self._trials / str(number) / CHECKPOINTS
            if place.is_dir() and not self._study.goes_on(number):
                gone = place.with_name(_GONE)
                place.rename(gone)
                self._deleting.submit(shutil.rmtree, gone, ignore_errors=True)
