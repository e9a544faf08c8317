"""Runs side by side: the settings in which they differ, and their newest figures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import backend
from app.components.report_table import downloads
from app.glossary import METRICS, STATES, link

STYLE = """<style>
.differences { overflow-x: auto; }
.differences table { border-collapse: collapse; font-size: 0.95rem; }
.differences th, .differences td { padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; vertical-align: top; }
.differences tbody th { font-weight: 400; white-space: nowrap; padding-right: 1.6rem; }
.differences tbody tr { border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.differences thead th { font-weight: 600; white-space: nowrap; }
.differences td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; min-width: 5rem; }
.differences abbr { text-decoration: underline dotted; text-underline-offset: 0.2em; cursor: help; }
.differences .part th { font-weight: 600; padding-top: 0.9rem; border: 0; }
</style>"""


def run_differences(names: Sequence[str], rows: Sequence[Mapping[str, Any]], colours: Mapping[str, str]) -> None:
    """The table with its downloads and its command. `rows` are the runs' rows of the table of runs."""
    settings = backend.differences(names)
    st.header("What differs", anchor=False)
    st.html(STYLE + _table(names, settings, rows, colours))
    st.caption(
        "Hover over a name to read what it means, click a figure's to look it up; "
        "a dash is a setting without effect, or a figure not measured."
    )
    by_run = [
        {"run": row["run"]}
        | {each["name"]: each[row["run"]] for each in settings}
        | {"state": row["state"], **{name: row.get(name) for name in backend.SWEEP_FIGURES}, "verdict": row["verdict"]}
        for row in rows
    ]
    downloads("comparison", by_run, list(by_run[0]))
    with st.expander("The same from a terminal", icon=":material/terminal:", key="compare_command"):
        st.code(backend.compare_command(names), language="bash", wrap_lines=True)


def _table(
    names: Sequence[str],
    settings: Sequence[Mapping[str, str]],
    rows: Sequence[Mapping[str, Any]],
    colours: Mapping[str, str],
) -> str:
    heads = "".join(
        f'<th scope="col"><span style="color:{colours[name]}" aria-hidden="true">●</span> {html.escape(name)}</th>'
        for name in names
    )
    lines = [
        _line(each["setting"], f"{each['help']} ({each['name']})", [each[name] for name in names]) for each in settings
    ]
    if not lines:
        lines = [f'<tr><td colspan="{len(names) + 1}">Their settings are the same.</td></tr>']
    figures = [
        _line(
            METRICS[name].axis,
            METRICS[name].definition,
            [METRICS[name].show(row.get(name)) for row in rows],
            link(name),
        )
        for name in backend.SWEEP_FIGURES
    ]
    words = [
        _line("state", "", [STATES[row["state"]][0] for row in rows]),
        _line("verdict", "What the doctor makes of these figures.", [row["standing"] or "–" for row in rows]),
    ]
    part = '<tr class="part"><th scope="rowgroup" colspan="{}">{}</th></tr>'.format
    body = [part(len(names) + 1, "Settings"), *lines, part(len(names) + 1, "Newest figures"), *words[:1], *figures]
    return (
        f'<div class="differences"><table><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{''.join([*body, words[1]])}</tbody></table></div>"
    )


def _line(name: str, meaning: str, cells: Sequence[str], more: str = "") -> str:
    head = html.escape(name)
    if meaning:
        head = f'<abbr title="{html.escape(meaning)}">{head}</abbr>'
    if more:
        head = f'<a href="{html.escape(more)}" target="_blank">{head}</a>'
    return f'<tr><th scope="row">{head}</th>{"".join(f"<td>{html.escape(cell)}</td>" for cell in cells)}</tr>'
