"""All runs in one table, to sort, to copy, and to put into a paper."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.components.report_table import downloads
from app.glossary import METRICS, TABLE

WORDS = {"run": "Run", "verdict": "Verdict", "recipe": "Recipe", "latent_size": "z", "state": "State"}


def run_table(runs: pd.DataFrame) -> None:
    """The table behind an expander, with its downloads."""
    if runs.empty:
        return
    shown = [name for name in (*WORDS, *TABLE) if name in runs]
    table = runs[shown].sort_values("run", ignore_index=True)
    with st.expander("All runs in a table", icon=":material/table:", key="runs_table"):
        st.dataframe(
            table,
            hide_index=True,
            column_config={name: _column(name) for name in shown},
            alt="All runs with their newest figures",
        )
        known = table.convert_dtypes().astype(object).where(table.notna(), None)  # whole numbers stay whole
        downloads("runs", known.to_dict("records"), shown)


def _column(name: str) -> object:
    if name not in METRICS:
        return st.column_config.Column(WORDS[name], pinned=name == "run")
    metric = METRICS[name]
    return st.column_config.NumberColumn(metric.axis, help=metric.definition, format=f"%.{metric.digits}f")
