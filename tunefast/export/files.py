"""Tables in the formats that other tools read."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import math
import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from tunefast.errors import UserError
from tunefast.export.tables import Table

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What begins a formula where a spreadsheet opens a file (OWASP, "CSV Injection")."""

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
"""What file systems answer that know no links."""


def encoded(table: Table, kind: Format) -> bytes:
    """A table as the content of a file. Raises `UserError` where a library is missing that the format needs."""
    return _ENCODERS[kind](table)


def _csv(table: Table) -> bytes:
    """RFC 4180 in UTF-8, but lines end as on Unix; a line of names comes first, an empty cell is None.

    Text that a spreadsheet would take for a formula begins with ``'``; numbers stay as they are.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_guarded(name) for name in table.columns])
    for row in table.rows:
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    return _guarded(value) if isinstance(value, str) else _moment(value)


def _moment(value: Any) -> Any:
    """A moment as text, as in ``2026-01-31T23:59:59.123Z``; other values as they are."""
    if not isinstance(value, datetime):
        return value
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _json(table: Table) -> bytes:
    """One list with an object a row, a line each; null stands for what is empty, no number, or infinite."""
    rows = [json.dumps({name: _plain(value) for name, value in row.items()}, allow_nan=False) for row in table.rows]
    return ("[" + ",".join(f"\n{row}" for row in rows) + "\n]\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return _moment(value)


def _parquet(table: Table) -> bytes:
    """A Parquet file with typed columns, moments as timestamps in UTC."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UserError(message="--format parquet needs pyarrow: pip install 'tunefast[parquet]'") from error
    kinds = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
    schema = pa.schema([(name, kinds.get(kind, pa.timestamp("us", tz="UTC"))) for name, kind in table.columns.items()])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table.rows, schema=schema), out)
    return out.getvalue()


_ENCODERS: dict[Format, Callable[[Table], bytes]] = {"csv": _csv, "json": _json, "parquet": _parquet}


def check_target(path: Path, *, force: bool) -> None:
    """Raise `UserError` where no file can be written at `path`: it exists and `force` is not given, or is no file."""
    if path.exists() and not path.is_file():
        raise UserError(message=f"-o {path}: is no file")
    if path.exists() and not force:
        raise UserError(message=f"-o {path}: exists already; to write over it add --force")
    if not path.parent.is_dir():
        raise UserError(message=f"-o {path}: there is no directory {path.parent}")


def write_whole(path: Path, content: bytes, *, force: bool = False) -> None:
    """Write a file whole or not at all; over another one only with `force`. Raises `UserError`."""
    check_target(path, force=force)
    path = path.resolve()
    part = path.with_name(f".tunefast-{secrets.token_hex(8)}.part")
    try:
        try:
            with part.open("xb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            _put(part, path, force=force)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    except FileExistsError as error:
        raise UserError(message=f"-o {path}: exists already; to write over it add --force") from error
    except OSError as error:
        raise UserError(message=f"-o {path}: cannot be written: {error.strerror}") from error


def _put(part: Path, path: Path, *, force: bool) -> None:
    """Give a file that is whole its name. A link fails, unlike a renaming, where somebody made the file meanwhile."""
    if not force:
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno not in _NO_LINKS or path.exists():
                raise
        else:
            return
    part.replace(path)
