"""Pages as HTML and as Markdown."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go
import pytest

from tests.report.made import FAILED, PRUNED, RUNNING, attempt, epoch, study, trial
from tests.store.databases import study_spec
from tunefast.cli.report import pages
from tunefast.report.html import for_script, html
from tunefast.report.markdown import markdown
from tunefast.report.page import Report, read_page, report
from tunefast.report.registry import FIGURES
from tunefast.store.snapshot import StudySnapshot

MOMENT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
EVIL = "</script><img src=x onerror=alert(1)>"
VOID = {"meta", "img", "br", "link", "input"}


class Parsed(HTMLParser):
    """What a browser would see: tags with attributes, the text of each script, and tags that nobody closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        """Every end belongs to the last start."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the text of scripts."""
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data

    def drawings(self) -> Iterator[dict[str, Any]]:
        """The figures' data."""
        scripts = [attributes for tag, attributes in self.tags if tag == "script"]
        for attributes, text in zip(scripts, self.scripts, strict=True):
            if attributes.get("type") == "application/json":
                yield json.loads(text)


def page_of(made: StudySnapshot, name: str = "overview") -> Report:
    """A page that ships."""
    return report(made, None, read_page(pages()[name]), MOMENT)


def whole() -> StudySnapshot:
    """A study of which every figure but throughput has numbers."""
    trials = [trial(number / 30, params={"x": number / 30, "depth": 1 + number % 5}) for number in range(25)]
    rows = [epoch(of, at, of / 30, pruner_threshold=0.1) for of in range(26) for at in range(1, 4)]
    stays = [attempt(of, "w1", of * 10, of * 10 + 9) for of in range(26)]
    return study(*trials, trial(None, PRUNED, reason="pruner"), epochs=rows, attempts=stays)


STUDIES: dict[str, StudySnapshot] = {
    "whole": whole(),
    "empty": study(),
    "one": study(trial(0.5, params={"x": 0.5}), epochs=[epoch(0, 1, 0.5)], attempts=[attempt(0, "w", 0, 1)]),
    "all failed": study(trial(None, FAILED, error=f"Error: {EVIL}"), attempts=[attempt(0, "w", 0, 1, "failed")]),
    "running": study(trial(None, RUNNING), attempts=[attempt(0, "w", 0, None)]),
    "race without winner": study(
        trial(None, PRUNED, reason="race"),
        spec=study_spec(metric="seconds_to_target", target={"metric": "val_accuracy", "value": 0.9}),
    ),
    "several": study(
        trial([0.5, 2.0], params={"x": 0.5}),
        spec=study_spec(metric=["score", "train_seconds"], direction=["maximize", "minimize"]),
    ),
    "hostile": study(
        trial(0.5, params={"model": "<b>cnn</b>"}),
        epochs=[epoch(0, 1, 0.5)],
        attempts=[attempt(0, EVIL, 0, 1)],
        spec=study_spec(EVIL.replace("/", ""), direction="maximize"),
        name=EVIL,
    ),
}


def test_pages_name_figures_that_exist() -> None:
    """Every name in ``dashboards/*.toml`` is a figure, and every figure is on a page."""
    named = {name for path in pages().values() for name in read_page(path).figures}
    assert named == set(FIGURES)
    assert set(pages()) == {"overview", "speed", "pruning"}


@pytest.mark.parametrize("kind", STUDIES)
@pytest.mark.parametrize("name", ["overview", "speed", "pruning"])
def test_every_study_has_a_page(kind: str, name: str) -> None:
    """Whatever the study holds, the HTML is well-formed, its figures are Plotly's, and it loads nothing."""
    parsed = Parsed(html(page_of(STUDIES[kind], name)))
    assert parsed.open == []
    assert not {"img", "link", "iframe", "form", "base"} & {tag for tag, _ in parsed.tags}
    assert not any({"src", "href"} & set(attributes) for _, attributes in parsed.tags)
    assert not any(key.startswith("on") for _, attributes in parsed.tags for key in attributes)
    for drawing in parsed.drawings():
        go.Figure(drawing)


@pytest.mark.parametrize("kind", STUDIES)
def test_every_study_has_markdown(kind: str) -> None:
    """Each figure's heading, with a table or what is missing; a user's words are no markup."""
    text = markdown(page_of(STUDIES[kind]))
    assert text.count("\n## ") >= 7
    outside_of_code = [line for line in text.splitlines() if not line.startswith("    ")]
    assert not any(re.search(r"(?<!\\)<", line) for line in outside_of_code)


def test_a_table_of_a_part_says_which() -> None:
    """Below points of all trials stands a table of the best so far: a reader must not take it for all of them."""
    made = page_of(study(trial(0.5), trial(0.25), trial(0.75)))
    said = "Those that were better than all before: 2 of 3."
    assert f"\n\n{said}\n\n| trial | best score |" in markdown(made)
    assert f"<summary>Numbers</summary><p>{said}</p>" in html(made)


def test_scripts_are_those_that_the_policy_names() -> None:
    """The policy forbids everything, and allows the page's scripts by their hashes alone; evaluating is not allowed."""
    parsed = Parsed(html(page_of(whole())))
    policy = next(attributes["content"] for tag, attributes in parsed.tags if "http-equiv" in attributes)
    assert policy is not None
    scripts = [attributes for tag, attributes in parsed.tags if tag == "script"]
    inline = [text for attributes, text in zip(scripts, parsed.scripts, strict=True) if "type" not in attributes]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
    assert len(inline) == 2
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    assert f"script-src {sources};" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy


def test_a_page_without_figures_needs_no_scripts() -> None:
    """An empty study's file is small, and no script may run in it."""
    text = html(page_of(study()))
    assert len(text) < 10_000
    assert "script-src 'none';" in text


def test_what_a_study_lacks_is_said() -> None:
    """A figure without numbers says what it needs."""
    text = html(page_of(study()))
    assert "this needs 20 complete trials that differ in two settings or more." in text


def test_users_words_are_no_tags_in_json_nor_in_plotly() -> None:
    """No character that ends a script stands in the data, and Plotly gets entities where it reads tags."""
    text = for_script({"text": ["<b>bold</b>"], "hovertemplate": "%{y}<extra></extra>", "x": [float("nan")]})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {
        "text": ["&lt;b&gt;bold&lt;/b&gt;"],
        "hovertemplate": "%{y}<extra></extra>",
        "x": [None],
    }


def test_no_figure_uses_webgl() -> None:
    """WebGL needs ``eval``, which the policy forbids: all traces are SVG."""
    kinds = {trace["type"] for drawing in Parsed(html(page_of(whole()))).drawings() for trace in drawing["data"]}
    assert kinds == {"scatter", "bar"}


def test_dark_mode_and_phones_are_thought_of() -> None:
    """The page follows the reader's colour scheme and the width of the screen."""
    text = html(page_of(whole()))
    assert "prefers-color-scheme: dark" in text
    assert '<meta name="viewport" content="width=device-width' in text


def test_ten_thousand_trials_fit() -> None:
    """Curves are thinned: Plotly and the data of a long study stay under 10 MB."""
    trials = [
        trial(number / 10_000, params={"x": number / 10_000, "depth": 1 + number % 5}) for number in range(10_000)
    ]
    rows = [epoch(of, at, of / 10_000) for of in range(10_000) for at in range(1, 6)]
    stays = [attempt(of, f"w{of % 8}", of, of + 1) for of in range(10_000)]
    made = study(*trials, epochs=rows, attempts=stays)
    for name in pages():
        text = html(page_of(made, name))
        assert len(text) < 10_000_000
        assert re.search(r"of 10,000 \w+", text)
