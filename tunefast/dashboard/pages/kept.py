"""Kept: pages that were made, so that the next request for one is answered at once."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from typing import NamedTuple

MOST_PAGES = 32
REST = 20.0
"""Times as long as a page took to be made it is not made again for who only asks whether there is another."""


class View(NamedTuple):
    """A page as it was made last."""

    mark: str
    """Another one whenever it is made again."""
    text: str
    version: Hashable
    """Of all that it depends on."""
    seconds: float
    """That it took to be made."""
    at: float
    """When it was ready, on the monotonic clock."""


class Kept:
    """The last pages by key; those that were made longest ago are forgotten first."""

    def __init__(self) -> None:
        self._views: OrderedDict[Hashable, View] = OrderedDict()
        self._lock = threading.Lock()
        self._making: defaultdict[Hashable, threading.Lock] = defaultdict(threading.Lock)

    def view(self, key: Hashable, version: Hashable, make: Callable[[], str], known: str | None = None) -> View:
        """The page `key` as it is at `version`, which `make` makes where it is not there yet.

        Who has the one marked `known` and asks for news gets the same again, until so much time has passed that making
        it costs a few percent of that. Of several who ask at once one lets it be made.
        """
        with self._lock:
            making = self._making[key]
        with making:
            view = self._views.get(key)
            asks_soon = view is not None and known == view.mark and time.monotonic() < view.at + REST * view.seconds
            if view is None or (view.version != version and not asks_soon):
                view = _made(version, make)
                self._keep(key, view)
            return view

    def _keep(self, key: Hashable, view: View) -> None:
        with self._lock:
            self._views[key] = view
            self._views.move_to_end(key)
            while len(self._views) > MOST_PAGES:
                forgotten, _ = self._views.popitem(last=False)
                self._making.pop(forgotten, None)


def _made(version: Hashable, make: Callable[[], str]) -> View:
    start = time.monotonic()
    text = make()
    end = time.monotonic()
    return View(secrets.token_hex(8), text, version, end - start, end)
