"""Evaluate: what a latent space is worth. Runs side by side: a verdict in words, then the figures it rests on."""

import pandas as pd
import streamlit as st

from app import backend, state
from app.components import report_figures
from app.components.address import heed
from app.components.erratum import OWN, erratum
from app.components.evaluation_card import evaluation_card
from app.components.report_probes import report_probes
from app.components.report_sentences import report_sentences
from app.components.report_table import report_table
from app.components.train_first import train_first

AT_FIRST, MOST = 6, 8  # runs side by side: where nobody has chosen, and at all


def evaluations(names: list[str]) -> list[backend.Evaluation]:
    """Those of the runs that have been measured; a damaged report is said on the run's card."""
    found = []
    for name in names:
        try:
            found.append(backend.evaluation(name))
        except ValueError:
            continue
    return [each for each in found if each]


st.title("Evaluate", anchor=False)
named = st.query_params.get_all(state.EVALUATE_RUNS)
entries = {entry.name: entry for entry in backend.entries(named=named) if not entry.problem}
if not entries:
    train_first("There are no runs yet.", "Train the first one, then measure here what its latent space is worth.")
    st.stop()

st.markdown(
    "KL, MI and active units can all look healthy while the decoder ignores *z*. Here runs are measured on sentences "
    "that they have not seen, and the decoder is asked, too.",
    width=820,
)
measured = backend.measured(entries.values())
asked = [name for name in [st.query_params.get(state.RUN)] if name in entries]
ready = measured or [name for name, entry in entries.items() if entry.has_model]
heed({state.EVALUATE_RUNS: list(entries)})
chosen = st.multiselect(
    "Runs",
    list(entries),
    default=list(dict.fromkeys([*asked, *ready]))[:AT_FIRST],
    key=state.EVALUATE_RUNS,
    bind="query-params",
    max_selections=MOST,
    placeholder="choose runs",
)
if not chosen:
    st.markdown("Choose a run to see what its latent space is worth.")
    st.stop()

colours = backend.colours(chosen)
with st.grid(2 if len(chosen) in (2, 4) else 3, min_column_width=330):
    for name in chosen:
        evaluation_card(entries[name], colours[name])

found = evaluations(chosen)
if found:
    shown = {each.name: colours[each.name] for each in found}
    others = [name for name in measured if name not in shown]
    yardsticks = [each for each in (*found, *evaluations(others)) if each.yardstick]
    report_table(found)
    report_figures.does_z_help(found, yardsticks, shown)
    report_figures.rate_distortion(found, yardsticks, shown)
    report_figures.information(found, shown)
    report_figures.by_position(found, shown)
    st.caption("Every figure has two buttons over it: save it as SVG, and show it large.")
    report_probes(found, entries)

    st.header("One run closely", anchor=False)
    heed({state.EVALUATE_CLOSELY: list(shown)})
    healthy = [number for number, each in enumerate(found) if each.verdict.name == "healthy"]
    name = st.selectbox(
        "Run", list(shown), index=(healthy or [0])[0], key=state.EVALUATE_CLOSELY, bind="query-params", width=400
    )
    report_figures.dimensions(next(each for each in found if each.name == name), colours[name])
    report_sentences(name)

rows = pd.DataFrame(backend.report_rows(found), columns=["run", "sentences", *OWN])
erratum(rows if found else None)
