"""All runs in one table, to sort, to copy, and to put into a paper."""

from __future__ import annotations

import pandas as pd
import streamlit as st

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
        with st.container(horizontal=True):
            st.download_button(
                "Download CSV",
                table.to_csv(index=False),
                "runs.csv",
                "text/csv",
                icon=":material/download:",
                on_click="ignore",
            )
            st.download_button(
                "Download LaTeX", latex(table), "runs.tex", "text/x-tex", icon=":material/download:", on_click="ignore"
            )


def latex(table: pd.DataFrame) -> str:
    """The table as a LaTeX `tabular` with booktabs rules; numbers are rounded as on the pages."""
    numbers = [name for name in table if name in METRICS]
    head = " & ".join(_head(name) for name in table)
    rows = [" & ".join(_cell(name, value) for name, value in row.items()) + r" \\" for row in table.to_dict("records")]
    columns = "l" * (len(table.columns) - len(numbers)) + "r" * len(numbers)
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head + r" \\", r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}", ""])


def _column(name: str) -> object:
    if name not in METRICS:
        return st.column_config.Column(WORDS[name], pinned=name == "run")
    metric = METRICS[name]
    return st.column_config.NumberColumn(metric.axis, help=metric.definition, format=f"%.{metric.digits}f")


_SYMBOLS = {"Δ": r"$\Delta$", "−": "$-$", "–": "--"}


def _head(name: str) -> str:
    metric = METRICS.get(name)
    return _plain(WORDS[name] if metric is None else metric.axis)


def _cell(name: str, value: object) -> str:
    return _plain(METRICS[name].show(value) if name in METRICS else str(value))


def _plain(text: str) -> str:
    """Text as LaTeX sets it."""
    escaped = "".join(rf"\{sign}" if sign in "&%$#_{}" else sign for sign in text.replace("\\", "/"))
    for sign, command in _SYMBOLS.items():
        escaped = escaped.replace(sign, command)
    return escaped
