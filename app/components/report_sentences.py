"""The sentences that a run was measured on, to sort: which are rebuilt, which are not, and what each costs."""

from __future__ import annotations

import streamlit as st

from app import backend, state
from app.components.address import SWITCH, heed
from app.glossary import METRICS

COSTS = ("rec_nats", "kl_nats", "delta_nll_nats")
DIGITS = 2
"""After the point, for costs large and small alike: of thousands of rows none is formatted by itself."""


def report_sentences(name: str) -> None:
    """The table, and the same as CSV with every column that the report has."""
    table = backend.report_sentences(name)
    missed = table["text"] != table["decoded"]
    heed({state.EVALUATE_MISSED: SWITCH})
    only = st.toggle(
        f"Only the {missed.sum():,} of {len(table):,} that are not rebuilt word for word",
        key=state.EVALUATE_MISSED,
        bind="query-params",
    )
    shown = table.loc[missed] if only else table
    costs = {cost: shown[cost].round(DIGITS) + 0.0 for cost in COSTS}  # + 0.0: no minus before nothing
    st.dataframe(
        shown[["text", "decoded", *COSTS]].sort_values("rec_nats", ascending=False).assign(**costs),
        hide_index=True,
        height=420 if len(shown) > 10 else "auto",
        column_config={
            "text": st.column_config.TextColumn("Sentence", width="large"),
            "decoded": st.column_config.TextColumn(
                "Rebuilt from its code", width="large", help="Greedily, from the mean of its posterior."
            ),
            **{
                cost: st.column_config.NumberColumn(
                    METRICS[cost].axis, help=METRICS[cost].definition, format=f"%.{DIGITS}f"
                )
                for cost in COSTS
            },
        },
        key="evaluate_sentences",
        alt=f"The sentences that {name} was measured on",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download the sentences as CSV",
            lambda: shown.to_csv(index=False),
            f"{name}-sentences.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(
            "The dearest to rebuild come first. Click a heading to sort. The [glossary](glossary) explains the figures."
        )
