"""Reports side by side: a run a row, in the order that a paper expects, to read, to sort and to take along."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import backend, state
from app.components.address import SWITCH, heed
from app.glossary import METRICS, Metric


def report_table(found: Sequence[backend.Evaluation]) -> None:
    """The table with its switch for intervals, its downloads and its command."""
    rows = backend.report_rows(found)
    heed({state.EVALUATE_INTERVALS: SWITCH})
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.subheader("Side by side", anchor=False)
        spread = st.toggle("Show 95 % intervals", key=state.EVALUATE_INTERVALS, bind="query-params")
    samples = {row["samples"] for row in rows}
    common = samples.pop() if len(samples) == 1 else None
    table = pd.DataFrame([_with_intervals(row) if spread else _numbers(row) for row in rows])
    st.dataframe(
        table,
        hide_index=True,
        column_config=_columns(rows, common, spread),
        placeholder="–",
        key="evaluate_table",
        alt=f"Figures of {', '.join(row['run'] for row in rows)}",
    )
    st.caption(
        "Nats are per sentence; hover over a heading to read what it means. A run that ignores z can lead in PPL and "
        "−ELBO: what z is worth stands under ΔNLL."
    )
    downloads("evaluation", rows, ["run", *backend.REPORT_TABLE])
    with st.expander("The same from a terminal", icon=":material/terminal:", key="evaluate_command"):
        st.code(backend.evaluate_command(found), language="bash", wrap_lines=True)


def downloads(name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """The buttons that take a table along: CSV with everything in the rows, LaTeX with the columns named."""
    with st.container(horizontal=True):
        for label, content, suffix, kind in (
            ("Download CSV", backend.comma_separated(rows), "csv", "text/csv"),
            ("Download LaTeX", backend.latex(rows, columns), "tex", "text/x-tex"),
        ):
            st.download_button(label, content, f"{name}.{suffix}", kind, icon=":material/download:", on_click="ignore")


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("run", *backend.REPORT_TABLE, "sentences", "samples")}


def _with_intervals(row: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as text, those with an interval as `18.5 (18.4 to 18.7)`."""
    shown = _numbers(row)
    for name in backend.REPORT_TABLE:
        metric, interval = METRICS[name], row["intervals"].get(name)
        shown[name] = metric.show(row[name])
        if interval:
            shown[name] += f" ({metric.show(interval[0])} to {metric.show(interval[1])})"
    return shown


def _columns(rows: Sequence[Mapping[str, Any]], samples: int | None, spread: bool) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "run": st.column_config.TextColumn("Run", pinned=True),
        "sentences": st.column_config.NumberColumn("N", format="localized", help="How many sentences were measured."),
        "samples": st.column_config.NumberColumn(
            "K", format="localized", help="Samples of z of each sentence, from which NLL_K and PPL are estimated."
        ),
    }
    for name in backend.REPORT_TABLE:
        metric = METRICS[name]
        head, words = backend.report_symbol(name, samples), f"{metric.title}{_unit(metric)}. {metric.definition}"
        if spread:
            columns[name] = st.column_config.TextColumn(head, help=words)
        else:
            columns[name] = st.column_config.NumberColumn(head, help=words, format=f"%.{_digits(metric, rows)}f")
    return columns


def _unit(metric: Metric) -> str:
    return f", in {metric.unit}" if metric.unit.startswith("nats") else f", {metric.unit}" if metric.unit else ""


def _digits(metric: Metric, rows: Sequence[Mapping[str, Any]]) -> int:
    """The digits after the point of a column: enough to tell a small figure from none."""
    small = (0 < abs(row[metric.name]) < 10**-metric.digits for row in rows if math.isfinite(row[metric.name]))
    return metric.digits + bool(metric.digits and any(small))
