"""tunefast's pages: every study, every page, whatever a study is called."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from tests.dashboard.asking import Answer, ask, pages_of
from tests.run.test_commands import coordinator
from tests.store.databases import STUDY, execute, mirrored, prepared, stock, study_spec, uuid_of, write_everything
from tunefast.cli.report import pages as report_pages
from tunefast.dashboard.pages import static
from tunefast.dashboard.pages.app import Pages
from tunefast.dashboard.pages.html import where
from tunefast.spec.progress import Assignment
from tunefast.store import studies
from tunefast.store.database import Database
from tunefast.store.epochs import TrialLog
from tunefast.store.ownership import StateDirectory
from tunefast.store.reading import ReadingStorage

ODD = [
    "<img src=x onerror=alert(1)> & \"quoted\" 'name'",
    "50 % of ?x=1#frag",
    "Größe ☃ 学习",
    "a+b;c,d",
    "...",
    "{mark} {0}",
]


@pytest.fixture
def app(path: Path) -> Iterator[Pages]:
    """The pages of the database in `path`."""
    with closing(ReadingStorage(path)) as storage:
        yield pages_of(path, storage)


def get(app: Pages, address: str) -> Answer:
    """The answer to a browser that has no use for compression; names are decoded as a server does."""
    path, _, query = address.partition("?")
    decoded = unquote_to_bytes(path).decode("latin-1")
    return ask(app, address, PATH_INFO=decoded, QUERY_STRING=query, HTTP_ACCEPT_ENCODING="")


def test_the_list_names_every_study_and_leads_to_its_pages(path: Path, app: Pages) -> None:
    """Its standing, its trials and best value stand there; so does a study of stock Optuna, without pages of ours."""
    with stock(path) as storage:
        storage.create_new_study([], "theirs")
    text = get(app, "/tunefast/").body.decode()
    assert '<a href="/tunefast/studies/study/overview">study</a>'.replace('"', "'") in text
    assert "1 of 10 trials" in text
    assert "nobody works on it, 1 unfinished" in text
    assert "score " in text
    assert "<a href='/dashboard/studies/1'>optuna-dashboard</a>" in text
    assert "<a href='/dashboard/studies/2'>theirs</a>" in text
    assert "/tunefast/studies/theirs/" not in text


@pytest.mark.parametrize("address", ["/tunefast/", "/tunefast/studies/study/overview"])
@pytest.mark.usefixtures("runtime")
def test_a_coordinator_that_does_not_answer_may_have_workers(path: Path, app: Pages, address: str) -> None:
    """Trials that run are not said to wait because nobody says who works; once that is known the page is another."""
    database = Database(path)
    log, storage = TrialLog(database, uuid_of(database)), mirrored(database)
    assigned = Assignment(study=STUDY, trial=1, token=1, attempt=1, recipe={}, seed=1, threads=1, device="cpu")
    log.start(storage.group, assigned, "w1", {})
    storage.flush()
    database.close()
    with coordinator(path, None):
        text = get(app, address).body.decode()
    assert "who works on it is not known" in text
    assert "1 running" in text
    assert "waiting" not in text
    StateDirectory(path).make_socket_path().unlink()
    text = get(app, address).body.decode()
    assert "nobody works on it, 1 unfinished" in text
    assert "1 waiting" in text


@pytest.mark.parametrize("page", report_pages())
def test_every_page_of_a_study_is_served(app: Pages, page: str) -> None:
    """With the way to the other pages, to the list and to the study in optuna-dashboard; and nothing inline runs."""
    answer = get(app, f"/tunefast/studies/study/{page}")
    text = answer.body.decode()
    assert answer.status == 200
    assert "<h1>study</h1>" in text
    assert f"<a href='/tunefast/studies/study/{page}' aria-current='page'>" in text
    for other in report_pages():
        assert f"'/tunefast/studies/study/{other}'" in text
    assert "'/dashboard/studies/1'" in text
    assert "'/tunefast/'" in text
    scripts = re.findall(r"<script([^>]*)>", text)
    assert all("src=" in script or "type='application/json'" in script for script in scripts)
    assert "style=" not in text
    assert len(answer.body) < 200_000


@pytest.mark.parametrize("name", ODD)
def test_a_study_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """Its links lead to it, and its name is text wherever it stands."""
    path = tmp_path / "odd.db"
    database = prepared(path)
    studies.create(database, study_spec(name))
    studies.create(database, study_spec("other"))
    storage = mirrored(database, name)
    write_everything(storage, storage.create_new_trial(storage.study_id))
    storage.flush()
    database.close()
    with closing(ReadingStorage(path)) as reading:
        app = pages_of(path, reading)
        found = re.findall(r"href='(/tunefast/studies/[^']+/overview)'", get(app, "/tunefast/").body.decode())
        assert where(name, "overview") in found
        for text in (get(app, "/tunefast/").body, *(get(app, address).body for address in found)):
            assert b"<img" not in text
        assert get(app, where(name, "overview")).status == 200
        moved = get(app, f"/tunefast/studies/{where(name, '').split('/')[3]}")
        assert (moved.status, moved.headers["Location"]) == (302, where(name, "overview"))
        assert get(app, "/tunefast/ids/1").headers["Location"] == where(name, "overview")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/tunefast/studies/stuy/overview", "There is no study &#x27;stuy&#x27; in this database. Did you mean"),
        ("/tunefast/studies/study/overveiw", "there are overview, pruning, speed. Did you mean"),
        ("/tunefast/studies/study/terminal", "There is no page"),
        ("/tunefast/studies/%ff%fe/overview", "There is no study"),
        ("/tunefast/studies/%3Cscript%3E/overview", "&lt;script&gt;"),
        ("/tunefast/studies/a/b/overview", "There is no study &#x27;a/b&#x27;"),
        ("/tunefast/ids/7", "There is no study with the number 7"),
        ("/tunefast/static/0a/plotly.map", "There is no such file"),
        ("/tunefast/static/0a/page.js", "There is no such file"),
        ("/tunefastx", "There is no such page"),
    ],
)
def test_what_is_not_there_is_told_in_words(app: Pages, address: str, words: str) -> None:
    """404, and a page that says what is missing."""
    answer = get(app, address)
    assert answer.status == 404
    assert words in answer.body.decode()
    assert b"<script>" not in answer.body


def test_a_study_of_stock_optuna_is_left_to_optuna_dashboard(path: Path, app: Pages) -> None:
    """Its address says so and leads there."""
    with stock(path) as storage:
        storage.create_new_study([], "theirs")
    answer = get(app, "/tunefast/studies/theirs/overview")
    assert answer.status == 404
    assert b'href="/dashboard/studies/2"' in answer.body


@pytest.mark.parametrize("address", ["/tunefast/", "/tunefast/studies/study/overview"])
def test_who_asks_for_news_gets_none_until_the_database_changed(path: Path, app: Pages, address: str) -> None:
    """The mark of the page is answered with 204; after a change there is a page with another mark."""
    mark = re.search(r'data-mark="(\w+)"', get(app, address).body.decode())
    assert mark is not None
    nothing = get(app, f"{address}?since={mark[1]}")
    assert (nothing.status, nothing.body) == (204, b"")
    execute(path, "UPDATE trials SET state = 'FAIL' WHERE number = 1")
    app._kept._views.update({key: view._replace(seconds=0.0) for key, view in app._kept._views.items()})
    changed = get(app, f"{address}?since={mark[1]}")
    assert changed.status == 200
    assert mark[1] not in changed.body.decode()


def test_files_are_kept_by_browsers_and_sent_compressed(app: Pages) -> None:
    """Each page names scripts and styles by what is in them; Plotly goes as a third of its size."""
    text = get(app, "/tunefast/studies/study/overview").body.decode()
    named = re.findall(r"""(?:src|href)="(/tunefast/static/[^"]+)\"""", text)
    assert len(named) == 5
    for address in named:
        name = address.rpartition("/")[2]
        assert get(app, address).body.decode() == static.text(name)
        packed = ask(app, address)
        assert gzip.decompress(packed.body).decode() == static.text(name)
        assert len(packed.body) < 1_600_000
    assert ask(app, "/tunefast/", "HEAD").body == b""


def test_a_database_that_is_gone_is_told_in_words(path: Path, app: Pages) -> None:
    """503, no traceback."""
    path.unlink()
    answer = get(app, "/tunefast/studies/study/overview")
    assert answer.status == 503
    assert b"studies.db" in answer.body
    assert b"Traceback" not in answer.body
