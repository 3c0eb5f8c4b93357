"""The plots that optuna-dashboard shows of a study beside its own."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.engine import Connection

from tunefast.store.rows import parts, replace_system_attributes

PLOT = "dashboard:plot_data:"
OURS = f"{PLOT}tunefast-"
"""What the system attributes with our plots begin with; others are somebody else's."""


def write_plots(connection: Connection, study_name: str, plots: Mapping[str, str]) -> None:
    """Let optuna-dashboard show these Plotly figures of a study, JSON by name, in place of those from before."""
    attributes: dict[str, str] = {}
    for name, text in plots.items():
        attributes |= parts(f"{OURS}{name}:", text)
    replace_system_attributes(connection, study_name, attributes, OURS)
