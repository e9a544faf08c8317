"""Reports side by side: a run a row, in the order that a paper expects, to read, to sort and to take along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import backend, state
from app.components.address import SWITCH, heed
from app.glossary import METRICS

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler


def report_table(found: Sequence[backend.Evaluation]) -> None:
    """The table with its switch for intervals, its downloads and its command.

    The K of NLL_K stands over that column; a column of its own it has where it is not the same for all.
    """
    rows = backend.report_rows(found)
    heed({state.EVALUATE_INTERVALS: SWITCH})
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.header("Side by side", anchor=False)
        spread = st.toggle("Show 95 % intervals", key=state.EVALUATE_INTERVALS, bind="query-params")
    samples = {row["samples"] for row in rows}
    common = samples.pop() if len(samples) == 1 else None
    table = pd.DataFrame([_with_intervals(row) for row in rows] if spread else rows)
    table = table[["run", *backend.REPORT_TABLE, "sentences", *(["samples"] if common is None else [])]]
    st.dataframe(
        table if spread else as_read(table),
        hide_index=True,
        column_config=_columns(common),
        key="evaluate_table",
        alt=f"Figures of {', '.join(row['run'] for row in rows)}",
    )
    st.caption(
        "Nats are per sentence; hover over a heading to read what it means, or look it up in the "
        "[glossary](glossary). A run that ignores z can lead in PPL and "
        "−ELBO: what z is worth stands under ΔNLL."
    )
    downloads("evaluation", rows, ["run", *backend.REPORT_TABLE])
    with st.expander("The same from a terminal", icon=":material/terminal:", key="evaluate_command"):
        st.code(backend.evaluate_command(found), language="bash", wrap_lines=True)


def as_read(table: pd.DataFrame) -> Styler:
    """A table of figures, each in as many digits as everywhere else; a click on a heading sorts them as numbers."""
    return table.style.format({name: METRICS[name].show for name in table if name in METRICS})


def downloads(
    name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, latex: str | None = None
) -> None:
    """The buttons that take a table along: CSV of everything in the rows, LaTeX of the columns named, or as given."""
    with st.container(horizontal=True):
        for label, content, suffix, kind in (
            ("Download CSV", backend.comma_separated(rows), "csv", "text/csv"),
            ("Download LaTeX", backend.latex(rows, columns) if latex is None else latex, "tex", "text/x-tex"),
        ):
            st.download_button(label, content, f"{name}.{suffix}", kind, icon=":material/download:", on_click="ignore")


def _with_intervals(row: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as text, those with an interval as `18.5 (18.4 to 18.7)`."""
    shown = dict(row)
    for name in backend.REPORT_TABLE:
        shown[name] = METRICS[name].show_with(row[name], row["intervals"].get(name))
    return shown


def _columns(samples: int | None) -> dict[str, Any]:
    """What stands over each column, and what it means."""
    columns: dict[str, Any] = {
        "run": st.column_config.TextColumn("Run", pinned=True),
        "sentences": st.column_config.NumberColumn("N", format="localized", help="How many sentences were measured."),
        "samples": st.column_config.NumberColumn(
            "K", format="localized", help="Samples of z of each sentence, from which NLL_K and PPL are estimated."
        ),
    }
    for name in backend.REPORT_TABLE:
        metric = METRICS[name]
        unit = f", {metric.unit}" if metric.unit else ""
        words = f"{metric.title}{unit}. {metric.definition}"
        columns[name] = st.column_config.Column(backend.report_symbol(name, samples), help=words)
    return columns
