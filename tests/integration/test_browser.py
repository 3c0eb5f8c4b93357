"""The dashboard and a report in a real browser: one server, one browser, one visitor who has logged in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, ViewportSize, expect

from tests.integration.browsers import DESKTOP, PHONE, Complaints, cut_words, drawn, launched, overflow
from tests.integration.processes import Terminal, ended
from tests.integration.specs import digits, objective
from tests.integration.test_dashboard import served
from tunefast.dashboard.stored import store_figures
from tunefast.run.specs import optuna_page

Scheme = Literal["light", "dark"]
PATIENCE = 60_000
"""Milliseconds that something which is to come may take on a busy machine."""


class Site(NamedTuple):
    """What all tests look at."""

    terminal: Terminal
    url: str
    link: str
    context: BrowserContext
    """Of a visitor who has logged in."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The one of this module."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dashboard of a study that is done, with figures in it, and of one that nobody has begun."""
    directory = tmp_path_factory.mktemp("browser")
    runtime = directory / "run"
    runtime.mkdir(mode=0o700)
    terminal = Terminal(directory, {"XDG_RUNTIME_DIR": str(runtime)})
    terminal.tunefast("study", "run", str(terminal.write("s.toml", digits("shown", "random", 8))), "-n", "1")
    terminal.tunefast(
        "study", "create", str(terminal.write("odd.toml", objective("odd", "paced", 2))), "--name", "odd &"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tunefast.dashboard.stored.LEAST_SECONDS", 0.0)
        store_figures(terminal.database, "shown", optuna_page())
    context = browser.new_context(viewport=DESKTOP)
    with served(terminal, "--port", "0") as (_, url, link):
        page = context.new_page()
        complaints = Complaints(page, url)
        page.goto(link)
        assert page.url == f"{url}/tunefast/"
        expect(page.get_by_role("link", name="shown", exact=True)).to_be_visible()
        assert complaints.found == []
        page.close()
        yield Site(terminal, url, link, context)
        context.close()


@contextmanager
def opened(site: Site, address: str, width: ViewportSize = DESKTOP, scheme: Scheme = "light") -> Iterator[Page]:
    """A page of the dashboard for the visitor; nothing that happens on it is a complaint."""
    page = site.context.new_page()
    complaints = Complaints(page, site.url)
    page.set_viewport_size(width)
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site.url}{address}")
    try:
        yield page
    except AssertionError as error:
        error.add_note(f"What the page complained of: {complaints.found}")
        raise
    finally:
        page.close()
    assert complaints.found == []


def test_the_link_lets_in_one_browser(site: Site, browser: Browser) -> None:
    """It was used: another browser is told so in words, and one without a link too."""
    stranger = browser.new_context().new_page()
    stranger.goto(site.link)
    expect(stranger.locator("body")).to_contain_text("This login link was used")
    stranger.goto(f"{site.url}/tunefast/studies/shown/overview")
    expect(stranger.locator("body")).to_contain_text("Please log in")
    stranger.context.close()


def test_from_the_list_to_a_page_to_another_and_back(site: Site) -> None:
    """Every link leads where it says; each page draws its figures; optuna-dashboard leads to the same study."""
    with opened(site, "/tunefast/") as page:
        page.get_by_role("link", name="shown", exact=True).click()
        expect(page).to_have_title("shown: Overview")
        expect(page.locator("[data-figure]").first.locator("svg .xtick").first).to_be_visible(timeout=PATIENCE)
        figures = page.locator("[data-figure]").count()
        assert drawn(page) == figures > 4
        page.get_by_role("link", name="Speed").click()
        expect(page).to_have_title("shown: Speed")
        page.get_by_text("Other studies").click()
        page.get_by_role("link", name="odd &").click()
        expect(page).to_have_title("odd &: Speed")
        expect(page.locator("main")).to_contain_text("Nothing to show yet")
        page.get_by_role("link", name="All studies").click()
        expect(page).to_have_title("Studies: tunefast")
        page.locator("article", has_text="shown").get_by_role("link", name="optuna-dashboard").click()
        expect(page.locator("#tunefast-link")).to_be_visible()
        expect(page.locator("body")).to_contain_text("shown", timeout=PATIENCE)
        page.locator("#tunefast-link").click()
        expect(page).to_have_title("shown: Overview")


def test_optuna_dashboard_shows_figures_of_ours_among_its_own(site: Site) -> None:
    """Those that are stored in the study, drawn by optuna-dashboard's script; and its WebGL pages work."""
    with opened(site, "/dashboard/studies/1") as page:
        ours = page.locator("[id^='user-defined-plot:tunefast-'] svg.main-svg .gtitle")
        expect(ours.filter(has_text="Result against training time")).to_be_visible(timeout=PATIENCE)
        page.goto(f"{site.url}/dashboard/studies/1/analytics")
        expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["/tunefast/", "/tunefast/studies/shown/overview", "/tunefast/studies/shown/speed"])
def test_a_phone_shows_it_whole_by_day_and_by_night(site: Site, address: str, scheme: Scheme) -> None:
    """Nothing is wider than 390 pixels; text and lines stand out from the page; no word of a figure is cut off."""
    with opened(site, address, PHONE, scheme) as page:
        page.wait_for_load_state("networkidle")
        assert overflow(page) == 0
        paper, ink = _style(page.locator("body"), "backgroundColor"), _style(page.locator("body"), "color")
        assert (_lightness(paper) > 200) == (_lightness(ink) < 60) == (scheme == "light")
        if page.locator("[data-figure]").count():
            assert drawn(page) == page.locator("[data-figure]").count()
            assert cut_words(page) == []
            text = _style(page.locator("[data-figure] svg .xtick text").first, "fill")
            assert abs(_lightness(text) - _lightness(paper)) > 120


def _style(element: Locator, name: str) -> str:
    """How an element looks."""
    return str(element.evaluate("(each, name) => getComputedStyle(each)[name]", name))


def _lightness(colour: str) -> float:
    """Of ``rgb(r, g, b)``, from 0 to 255."""
    return sum(float(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3]) / 3


def test_a_study_is_seen_to_advance(site: Site) -> None:
    """Nobody touches the page: it shows more trials by and by, keeps its place, and says when the study is done."""
    spec = site.terminal.write("live.toml", objective("live", "paced", 8, pause=0.25))
    site.terminal.tunefast("study", "create", str(spec))
    with opened(site, "/tunefast/studies/live/overview") as page, opened(site, "/tunefast/") as index:
        expect(page.locator("main")).to_contain_text("0 of 8 trials")
        with site.terminal.started("study", "run", "live", "-n", "1") as running:
            expect(page.locator(".standing")).to_contain_text("running with 1 worker", timeout=PATIENCE)
            expect(page.locator("[data-figure]").first.locator("svg .xtick").first).to_be_visible(timeout=PATIENCE)
            page.locator("summary", has_text="Numbers").first.click()
            page.evaluate("window.scrollTo(0, 500); window.stays = document.querySelector('[data-figure]')")
            seen = page.locator(".standing").inner_text()
            expect(page.locator(".standing")).not_to_contain_text(seen, timeout=PATIENCE)
            assert page.evaluate("window.scrollY") == 500
            assert page.evaluate("window.stays === document.querySelector('[data-figure]')")
            assert page.locator("details[open]").count() == 1
            ended(running, 0)
        for each in (page.locator(".standing"), index.locator("article", has_text="live")):
            expect(each).to_contain_text("done", timeout=PATIENCE)
            expect(each).to_contain_text("8 of 8 trials")


def test_a_page_that_nobody_sees_asks_for_nothing(site: Site) -> None:
    """Hidden it is silent; seen again it asks at once."""
    with opened(site, "/tunefast/") as page:
        page.evaluate("""() => {
            Object.defineProperty(document, "hidden", { get: () => window.isHidden, configurable: true });
            window.isHidden = true;
            document.dispatchEvent(new Event("visibilitychange"));
        }""")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(2500)
        assert asked == []
        with page.expect_request(lambda request: "?since=" in request.url):
            page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_report_is_whole_without_a_server(site: Site, browser: Browser) -> None:
    """The file opens by itself, by night and on a phone too, and asks nobody for anything."""
    site.terminal.tunefast("report", "shown")
    file = (site.terminal.directory / "shown.html").as_uri()
    page = browser.new_context(viewport=PHONE, color_scheme="dark").new_page()
    complaints = Complaints(page, "file://")
    page.goto(file)
    expect(page).to_have_title("shown: Overview")
    assert drawn(page) == page.locator("[data-figure]").count() > 4
    assert overflow(page) == 0
    assert complaints.found == []
    page.context.close()
