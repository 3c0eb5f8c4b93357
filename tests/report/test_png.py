"""Figures as PNG files."""

from __future__ import annotations

import importlib.util
import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.made import study
from tests.report.test_page import STUDIES, page_of
from tunefast.errors import UserError
from tunefast.report.png import DENSITY, WIDTH, pictures

CAN_DRAW = importlib.util.find_spec("kaleido") is not None and any(
    shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
)


@pytest.mark.skipif(not CAN_DRAW, reason="kaleido or a Chromium is not installed")
def test_each_figure_is_a_picture() -> None:
    """Of twice its size, not blank, and of every figure that has numbers."""
    report = page_of(STUDIES["whole"], "pruning")
    drawn = pictures(report)
    assert list(drawn) == [section.name for section in report.sections if section.drawing is not None]
    for content in drawn.values():
        image = Image.open(io.BytesIO(content))
        assert image.format == "PNG"
        assert image.width == WIDTH * DENSITY
        assert float(np.asarray(image.convert("L")).std()) > 5


def test_without_figures_there_is_nothing_to_write() -> None:
    """An empty study says so."""
    with pytest.raises(UserError, match="has no figure yet"):
        pictures(page_of(study()))


def test_without_kaleido_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(UserError, match=r"pip install 'tunefast\[png\]'"):
        pictures(page_of(STUDIES["one"]))


@pytest.mark.skipif(importlib.util.find_spec("kaleido") is None, reason="kaleido is not installed")
@pytest.mark.parametrize("browser", ["missing", "false"])
def test_without_a_browser_there_is_one_message(browser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, and where it ends at once."""
    monkeypatch.setenv("BROWSER_PATH", shutil.which("false") or "" if browser == "false" else str(tmp_path / "missing"))
    with pytest.raises(UserError, match="needs Chrome or Chromium"):
        pictures(page_of(STUDIES["one"]))
