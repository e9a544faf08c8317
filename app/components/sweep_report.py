"""A launched sweep: its runs as one table, and as figures like those of the paper. Redrawn while one of them trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import backend, state
from app.components import many_runs
from app.components.address import heed
from app.components.report_table import as_read, downloads
from app.components.run_card import VERDICTS
from app.components.run_table import MOST
from app.components.sentences import escape
from app.glossary import METRICS, STATES

EVERY = 4.0
"""Seconds between two redraws while a run trains or waits."""


def choose_axis(name: str) -> str:
    """The axis along which the newest values are drawn, in the surrounding container."""
    axes = backend.sweep(name).axes
    varied = [axis for axis in axes if len(axis.values) > 1] or axes[:1]
    along = {backend.axis_heading(axis.name): axis.name for axis in varied}
    heed({state.COMPARE_ALONG: list(along)})
    if len(along) == 1:
        return next(iter(along.values()))
    return along[st.selectbox("by", list(along), key=state.COMPARE_ALONG, bind="query-params", width=260)]


def sweep_report(name: str, chosen: Sequence[str], along: str) -> None:
    """The whole report. `chosen` are the two figures that are drawn, `along` the axis they are drawn by."""
    active = backend.sweep(name).active
    st.fragment(_report, run_every=EVERY if active else None)(name, along, list(chosen), active)


def _report(name: str, along: str, chosen: Sequence[str], was_active: bool) -> None:
    sweep = backend.sweep(name)
    if sweep.active != was_active:
        st.rerun()
    _progress(sweep)
    _table(sweep)
    colours = backend.colours()
    st.header("Over training", anchor=False)
    many_runs.over_steps(sweep.labels, chosen, colours)
    parts = [backend.axis_heading(axis.name).partition(",")[0] for axis in sweep.axes]
    st.caption(f"{escape(example(list(sweep.labels.values()), parts))} The [glossary](glossary) explains the figures.")
    measured = [row for row in sweep.rows if row["kl_nats"] is not None]
    if measured:
        st.header(f"Newest values by {backend.axis_heading(along)}", anchor=False)
        many_runs.by_axis(sweep.rows, sweep.axes, along, chosen)
        if len(measured) < len(sweep.rows) or sweep.active:
            st.caption("Not all runs have finished: these are the values so far.")
    with st.expander("The same from a terminal", icon=":material/terminal:", key="compare_sweep_read"):
        st.code(backend.read_command(name), language="bash", wrap_lines=True)
        st.caption("And to train it again, under another name:")
        line = backend.sweep_command(f"{name}-again", sweep.start, sweep.axes)
        st.code(line, language="bash", wrap_lines=True)


def example(labels: Sequence[str], parts: Sequence[str]) -> str:
    """How to read the labels of a sweep, by the last of them: what it names, part by part."""
    if len(parts) == 1:
        return f"A label, such as {labels[-1]}, is the {parts[0]} of a run."
    return f"A label names {', '.join(parts[:-1])} and {parts[-1]} of a run, in this order: {labels[-1]}, for instance."


def _progress(sweep: backend.Sweep) -> None:
    counts = Counter(row["state"] for row in sweep.rows)
    words = ", ".join(f"{count} {STATES[name][0]}" for name, count in counts.items())
    st.progress(counts["finished"] / len(sweep.rows), text=f"{len(sweep.rows)} runs: {words}")
    for row in sweep.rows:
        if row["state"] == "failed":
            message = backend.entry(row["run"]).status.message
            st.error(escape(f"{row['run']}: {message}"), icon=":material/error:")


def _table(sweep: backend.Sweep) -> None:
    """What was varied in the first columns, then the state, the figures and the verdict."""
    headings = {axis.name: backend.axis_heading(axis.name) for axis in sweep.axes}
    columns = [*headings, "state", *backend.SWEEP_FIGURES, "verdict", "run"]
    rows = [
        {name: backend.axis_value(row[name]) if name in headings else row[name] for name in columns}
        for row in sweep.rows
    ]
    shown = [row | {"state": STATES[row["state"]][0], "verdict": _verdict(row)} for row in rows]
    st.dataframe(
        as_read(pd.DataFrame(shown, columns=columns)),
        hide_index=True,
        column_config={name: _column(name, headings) for name in columns},
        key="compare_sweep_table",
        placeholder="–",
        alt=f"The runs of {sweep.name} with what was varied and their newest figures",
    )
    in_words = [{headings.get(name, name): value for name, value in row.items()} for row in rows]
    with st.container(horizontal=True, vertical_alignment="center"):
        downloads(sweep.name, in_words, [headings.get(name, name) for name in columns[:-1]])
        runs = [row["run"] for row in sweep.rows]
        st.button("Side by side", icon=":material/compare_arrows:", on_click=_side_by_side, args=(runs,))


def _verdict(row: Mapping[str, Any]) -> str | None:
    standing = backend.standing(backend.entry(row["run"])) if row["verdict"] else None
    return standing.name if standing else None


def _side_by_side(runs: Sequence[str]) -> None:
    st.session_state[state.COMPARE_VIEW] = "Runs"
    state.put(state.COMPARE_RUNS, list(runs[:MOST]))


def _column(name: str, headings: dict[str, str]) -> Any:
    if name in METRICS:
        metric = METRICS[name]
        return st.column_config.NumberColumn(metric.axis, help=metric.definition)
    if name in headings:
        return st.column_config.Column(headings[name], help=backend.setting_help(name))
    words = {"state": "State", "verdict": "Verdict", "run": "Run"}
    help_text = f"What the doctor makes of the figures: {', '.join(VERDICTS)}." if name == "verdict" else None
    return st.column_config.Column(words[name], help=help_text)
