"""Tables as files: what is written is read back, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunefast.errors import UserError
from tunefast.export import files
from tunefast.export.files import FORMULA, encoded, write_whole
from tunefast.export.tables import Table

MOMENT = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)
COLUMNS = {"n": int, "x": float, "text": str, "yes": bool, "at": datetime}
TABLE = Table(
    COLUMNS,
    [
        {"n": 2**62, "x": 0.1, "text": 'a "b", c\nd', "yes": True, "at": MOMENT},
        {"n": -1, "x": math.nan, "text": "=1+1", "yes": False, "at": None},
        {"n": None, "x": -math.inf, "text": None, "yes": None, "at": None},
    ],
)


@given(text=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_csv_keeps_text(text: list[str]) -> None:
    """Commas, quotes, line ends and any other character come back, but for the guard in front of a formula."""
    content = encoded(Table({"text": str, "n": int}, [{"text": each, "n": 1} for each in text]), "csv").decode()
    read = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [row["text"].removeprefix("'") for row in read] == [each.removeprefix("'") for each in text]
    assert not any(row["text"].startswith(FORMULA) for row in read)


def test_csv_leaves_numbers_as_they_are() -> None:
    """A negative number is no formula; an empty cell is None."""
    lines = encoded(TABLE, "csv").decode().splitlines()
    assert lines[-2:] == ["-1,nan,'=1+1,False,", ",-inf,,,"]
    assert lines[-3] == 'd",True,2026-01-31T23:59:59.123Z'


def test_json_is_one_list() -> None:
    """An object a row, null for what JSON has no number for."""
    first, second, third = json.loads(encoded(TABLE, "json"))
    assert first == {**TABLE.rows[0], "at": "2026-01-31T23:59:59.123Z"}
    assert second["x"] is third["x"] is third["n"] is None
    assert json.loads(encoded(Table(COLUMNS, []), "json")) == []


def test_parquet_keeps_types() -> None:
    """Everything comes back as it was, empty columns too."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(encoded(Table({**COLUMNS, "empty": float}, TABLE.rows), "parquet")))
    assert [str(kind) for kind in table.schema.types] == [
        "int64", "double", "string", "bool", "timestamp[us, tz=UTC]", "double",
    ]  # fmt: skip
    first, second, third = table.to_pylist()
    assert first == {**TABLE.rows[0], "empty": None}
    assert math.isnan(second["x"])
    assert third == {**TABLE.rows[2], "empty": None}


def test_without_pyarrow_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'tunefast\[parquet\]'"):
        encoded(TABLE, "parquet")


def test_a_file_is_not_written_over(tmp_path: Path) -> None:
    """Only with force; and what is no file never."""
    path = tmp_path / "x.csv"
    path.write_bytes(b"before")
    with pytest.raises(UserError, match="exists already; to write over it add --force"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    write_whole(path, b"after", force=True)
    assert path.read_bytes() == b"after"
    with pytest.raises(UserError, match="is no file"):
        write_whole(tmp_path, b"after", force=True)
    with pytest.raises(UserError, match="there is no directory"):
        write_whole(tmp_path / "missing" / "x.csv", b"after")
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]


def test_a_file_that_appears_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look whether there is one and the writing."""
    path = tmp_path / "x.csv"
    path.write_bytes(b"before")
    monkeypatch.setattr(files, "check_target", lambda *_, **__: None)
    with pytest.raises(UserError, match="exists already"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]


def test_a_disk_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a part of the file nor another name."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot be written: No space left on device"):
        write_whole(tmp_path / "x.csv", b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is written there too."""

    def none(*_: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    write_whole(tmp_path / "x.csv", b"content")
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]
