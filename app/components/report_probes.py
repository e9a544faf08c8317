"""The probes of runs side by side, in the tables of Li et al. 2019, with the figures printed there below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app import backend, state
from app.components.attempt import attempt
from app.components.report_paths import report_paths
from app.components.report_table import downloads
from app.components.sentences import escape
from app.glossary import METRICS, duration

WIDE = 180
"""Pixels of a column in which the figures have intervals: left to itself it may cut them."""
EVERY = 1.0
"""Seconds between two looks at a run that is being probed."""


def report_probes(found: Sequence[backend.Evaluation], entries: Mapping[str, backend.Entry]) -> None:
    """The tables of the runs that have been probed, and the way there for those that have not."""
    st.header("What the codes hold", anchor=False)
    st.markdown(
        "Are similar sentences near each other? What do a few labels need? Does the model copy? What lies between two "
        "codes? "
        "The probes of Li et al. 2019, on runs of any kind; the [glossary](glossary) explains each.",
        width=820,
    )
    probed = [each for each in found if each.report.probes]
    if probed:
        _tables(probed, entries)
    waiting = [each.name for each in found if not each.report.probes]
    for each in found:
        errand = backend.probing(each.name)
        if errand and errand.problem:
            problem = errand.problem.removeprefix("error:").strip()
            st.error(f"{escape(each.name)} could not be probed. {escape(problem)}", icon=":material/error:")
        elif errand:
            st.fragment(_progress, run_every=EVERY)(each.name)
    ready = [name for name in (*waiting, *(each.name for each in probed)) if _ready(entries[name])]
    if ready and not backend.read_only():
        with st.popover("Probe a run", icon=":material/science:"):
            _start(ready)


def _ready(entry: backend.Entry) -> bool:
    errand = backend.probing(entry.name)
    return entry.has_model and not entry.active and (errand is None or bool(errand.problem))


def _tables(probed: Sequence[backend.Evaluation], entries: Mapping[str, backend.Entry]) -> None:
    spread = bool(st.session_state.get(state.EVALUATE_INTERVALS))
    tables = backend.probe_tables(probed)
    walked = [each for each in probed if each.report.probes.interpolations]
    tabs = st.tabs([*tables, *["Interpolation"] * bool(walked)])
    if walked:
        with tabs[-1]:
            report_paths(walked, entries)
    for number, (tab, (title, names)) in enumerate(zip(tabs, tables.items(), strict=False)):
        rows = backend.probe_rows(probed, title)
        with tab:
            st.dataframe(
                pd.DataFrame([_shown(row, names, spread) for row in rows]),
                hide_index=True,
                column_config={
                    "run": st.column_config.TextColumn("Run", pinned=True),
                    **{
                        name: st.column_config.TextColumn(
                            METRICS[name].symbol, help=_words(name), alignment="right", width=WIDE if spread else None
                        )
                        for name in names
                    },
                    "source": st.column_config.TextColumn("Source"),
                },
                key=f"evaluate_probes_{number}",
                alt=f"{title} of {', '.join(each.name for each in probed)}",
            )
            downloads(f"probes-{number + 1}", rows, ["run", *names])
    labels = "; ".join(f"{each.name}: {each.report.probes.label or 'no label'}" for each in probed)
    st.caption(
        f"Labels that were read: {escape(labels)}. What Li et al. 2019 print is of other data "
        f"({backend.PRINTED_WHERE}) and has no intervals; those of the runs show with the switch “Show 95 % intervals”."
    )
    with st.expander("The probes from a terminal", icon=":material/terminal:", key="evaluate_probes_command"):
        st.code(backend.probe_command(probed), language="bash", wrap_lines=True)


def _words(name: str) -> str:
    metric = METRICS[name]
    return f"{metric.title}{', ' * bool(metric.unit)}{metric.unit}. {metric.definition}"


def _shown(row: Mapping[str, Any], names: Sequence[str], spread: bool) -> dict[str, str]:
    """The cells of a row as text, with intervals if asked for."""
    shown = {"run": row["run"]}
    for name in names:
        shown[name] = METRICS[name].show_with(row.get(name), row["intervals"].get(name) if spread else None)
    return shown | {"source": row["source"]}


def _start(ready: Sequence[str]) -> None:
    name = st.selectbox("Run", ready, key=state.EVALUATE_PROBED)
    label = st.text_input(
        "Label to read",
        key=state.EVALUATE_LABEL,
        placeholder="the first with 2 to 50 values",
        help="A column of its corpus. It is read from the codes of 100 to 10,000 labelled sentences.",
    )
    st.caption("It takes a few minutes, in the background.")
    st.button(
        "Probe it",
        icon=":material/science:",
        type="primary",
        key="evaluate_probe",
        on_click=attempt,
        args=(partial(backend.probe, name, label.strip()),),
    )


def _progress(name: str) -> None:
    """How far the probes of a run are; redraws the page when they have ended."""
    errand = backend.probing(name)
    if errand is None or errand.problem:
        st.rerun()
    done, total = errand.progress or (0, 0)
    words = f"{escape(name)}: opening the model …"
    if done:
        left = errand.seconds / done * (total - done)
        words = f"{escape(name)}: step {done:,} of {total:,} · about {duration(left)} left"
    st.progress(done / total if total else 0.0, text=words)
    st.button(
        "Stop",
        icon=":material/stop_circle:",
        key=f"evaluate_stop_probes_{name}",
        on_click=backend.stop_probing,
        args=(name,),
    )
