"""Kept: a page is made once for one version."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tunefast.dashboard.pages.kept import MOST_PAGES, Kept


def counting() -> tuple[list[str], Callable[[], str]]:
    """What makes a page, and the pages that it has made."""
    made: list[str] = []

    def make() -> str:
        made.append(f"page {len(made)}")
        return made[-1]

    return made, make


def test_a_page_is_made_again_for_another_version_only() -> None:
    """The same version is answered from memory, with the same mark; another one has another mark."""
    made, make = counting()
    kept = Kept()
    first = kept.view("a", 1, make)
    assert kept.view("a", 1, make) == first
    second = kept.view("a", 2, make)
    assert (first.text, second.text) == ("page 0", "page 1")
    assert first.mark != second.mark
    assert kept.view("b", 2, make).text == "page 2"
    assert len(made) == 3


def test_who_asks_for_news_waits_where_a_page_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that took 2 s is made again for its reader 40 s later; at once for who has none."""
    clock = [0.0]
    monkeypatch.setattr("tunefast.dashboard.pages.kept.time.monotonic", lambda: clock[0])

    def make() -> str:
        clock[0] += 2.0
        return "slow"

    kept = Kept()
    first = kept.view("a", 1, make)
    clock[0] += 39.0
    assert kept.view("a", 2, make, first.mark) == first
    clock[0] += 2.0
    second = kept.view("a", 2, make, first.mark)
    assert second.mark != first.mark
    assert kept.view("a", 3, make).mark != second.mark


def test_the_oldest_pages_are_forgotten() -> None:
    """Memory holds so many pages and no more."""
    made, make = counting()
    kept = Kept()
    for key in range(MOST_PAGES + 1):
        kept.view(key, 1, make)
    kept.view(MOST_PAGES, 1, make)
    assert len(made) == MOST_PAGES + 1
    kept.view(0, 1, make)
    assert len(made) == MOST_PAGES + 2


def test_several_who_ask_at_once_get_one_that_was_made_once() -> None:
    """The second waits for what the first lets be made."""
    made, make = counting()
    kept, begun, go_on = Kept(), threading.Event(), threading.Event()

    def slowly() -> str:
        begun.set()
        assert go_on.wait(30)
        return make()

    threads = [threading.Thread(target=kept.view, args=("a", 1, slowly)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert made == ["page 0"]


def test_a_page_that_cannot_be_made_is_tried_again() -> None:
    """An error is told to who asked, and kept for nobody."""
    kept = Kept()

    def fail() -> str:
        raise KeyError("gone")

    with pytest.raises(KeyError):
        kept.view("a", 1, fail)
    assert kept.view("a", 1, lambda: "there").text == "there"
