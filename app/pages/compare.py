"""Compare: all runs in one table, some of them side by side, and sweeps: one configuration varied along a few axes."""

import streamlit as st

from app import backend, state
from app.components.address import heed
from app.components.many_runs import choose_figures, over_steps
from app.components.run_differences import run_differences
from app.components.run_notes import run_notes
from app.components.run_table import run_table
from app.components.sweep_form import sweep_form
from app.components.sweep_report import choose_axis, sweep_report
from app.components.train_first import train_first

VIEWS = ("Runs", "Sweeps")
NEW = "New sweep"  # no sweep can be called so


def side_by_side() -> None:
    """The table of runs, and what can be said of those that are chosen."""
    table = backend.noted_table()
    if table.empty:
        train_first("There are no runs yet.", "Train the first one, or sweep over a setting.")
        return
    chosen = run_table(table)
    if not chosen:
        return
    known = sorted({tag for tags in table["tags"] for tag in tags})
    rows = table.set_index("run", drop=False).loc[chosen]
    rows = rows.astype(object).where(rows.notna(), None).to_dict("records")
    with st.container(horizontal=True, vertical_alignment="center"):
        if not backend.read_only():
            run_notes(chosen, known)
        curves = {state.RUN: chosen[0], state.RUNS_COMPARE: chosen[1:8]}
        for page, label, icon, query in (
            ("runs", "All their curves", "monitoring", curves),
            ("evaluate", "Evaluate side by side", "straighten", {state.EVALUATE_RUNS: chosen[:8]}),
        ):
            st.page_link(f"app/pages/{page}.py", label=label, icon=f":material/{icon}:", query_params=query)
    colours = backend.colours()
    if len(chosen) > 1:
        run_differences(chosen, rows, colours)
    st.header("Over training", anchor=False)
    with st.container(horizontal=True):
        drawn = choose_figures()
    over_steps({name: name for name in chosen}, drawn, colours)


def sweeps() -> None:
    """A launched sweep, or the form of a new one."""
    names = backend.sweep_names()
    offered = names if backend.read_only() else [*names, NEW]
    if not offered:
        st.markdown("There are no sweeps yet.")
        return
    heed({state.COMPARE_SWEEP: offered})
    with st.container(horizontal=True):
        name = st.selectbox("Sweep", offered, key=state.COMPARE_SWEEP, bind="query-params", width=330)
        if name != NEW:
            drawn, along = choose_figures(), choose_axis(name)
    if name == NEW:
        sweep_form([entry.name for entry in backend.entries() if not entry.problem])
    else:
        sweep_report(name, drawn, along)


st.title("Compare", anchor=False)
heed({state.COMPARE_VIEW: VIEWS})
view = st.segmented_control(
    "Compare",
    VIEWS,
    default=VIEWS[0],
    key=state.COMPARE_VIEW,
    bind="query-params",
    required=True,
    label_visibility="collapsed",
)
(side_by_side if view == "Runs" else sweeps)()
