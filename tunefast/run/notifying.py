"""Telling people what happens to a study, with a program of their own."""

from __future__ import annotations

import logging
import os
import subprocess
import threading

from tunefast.search.live import LiveStudy
from tunefast.spec.sections import Event

WORDS = {
    "done": "the study is done",
    "failed": "the study ended because its first trials all failed in the same way",
    "paused": "nobody works on the study any more",
    "best": "a new best trial",
}

log = logging.getLogger("tunefast.coordinator")


def notify(study: LiveStudy, event: Event) -> None:
    """Start the study's command for `event`, where it has one; nobody waits for it, and its failure harms nobody."""
    settings = study.spec.notify
    if settings is None or event not in settings.on:
        return
    trial, value = study.tally.best or (None, None)
    metric = study.spec.study.main_metric
    nothing = "; no trial is complete" if event in ("done", "paused") else ""
    best = nothing if value is None else f"; best {metric} {value:.6g}, trial {trial}"
    facts = {
        "event": event,
        "study": study.name,
        "metric": metric,
        "value": "" if value is None else f"{value:.6g}",
        "trial": "" if trial is None else str(trial),
        "text": f"{study.name}: {WORDS[event]}{best}",
    }
    told = {f"TUNEFAST_{name.upper()}": text for name, text in facts.items()}
    try:
        process = subprocess.Popen(  # noqa: S603  the user's own command
            settings.words(facts),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **told},
            start_new_session=True,
        )
    except OSError as error:
        log.warning("notify: %s cannot be started (%s)", settings.command, error)
        return
    threading.Thread(target=_wait, args=(process, event), daemon=True).start()


def _wait(process: subprocess.Popen[bytes], event: str) -> None:
    code = process.wait()
    if code:
        log.warning("notify: the command for %r left with exit code %d", event, code)
