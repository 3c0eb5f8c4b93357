"""Renaming a study in optuna-dashboard, which copies it and leaves its plots and its objectives' names behind."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage

from tunefast.dashboard.headers import ExcInfo, Headers
from tunefast.store.plots import PLOT
from tunefast.store.rows import METRIC_NAMES

log = logging.getLogger("tunefast.dashboard")

RENAME = re.compile(r"/api/studies/([0-9]{1,18})/rename")
TAKEN_ALONG = (PLOT, METRIC_NAMES)
"""What the names of the system attributes begin with that the copy gets too; notes optuna-dashboard copies itself."""


def whole_renames(app: WSGIApplication, storage: BaseStorage) -> WSGIApplication:
    """optuna-dashboard on `storage`, in which a study that is renamed keeps its plots, ours and others'."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = RENAME.fullmatch(environ.get("PATH_INFO", ""))
        if asked is None or environ["REQUEST_METHOD"] != "POST":
            return app(environ, start_response)
        before = _taken_along(storage, int(asked[1]))
        said: list[str] = []

        def start(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Any:
            said[:] = [status]
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        sent = app(environ, start)
        try:
            body = b"".join(sent)
        finally:
            getattr(sent, "close", lambda: None)()
        if said and said[0].startswith("201"):
            made = int(json.loads(body)["study_id"])
            try:
                for key, value in before.items():
                    storage.set_study_system_attr(made, key, value)
            except StorageInternalError:  # it is renamed all the same
                log.exception("study %d was renamed, but its plots were not taken along: %s", made, ", ".join(before))
        return [body]

    return answer


def _taken_along(storage: BaseStorage, study_id: int) -> dict[str, Any]:
    """The attributes of a study that go along; none where there is no such study, which the application tells."""
    try:
        attributes = storage.get_study_system_attrs(study_id)
    except KeyError:
        return {}
    return {key: value for key, value in attributes.items() if key.startswith(TAKEN_ALONG)}
