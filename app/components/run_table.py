"""All runs in one table: to search, to filter, to sort, to tick, and to take along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app import state
from app.components.address import heed
from app.components.report_table import as_read, downloads
from app.glossary import METRICS, STATES, TABLE

MOST = 12
"""Runs side by side."""
WORDS = {
    "run": "Run",
    "state": "State",
    "verdict": "Verdict",
    "recipe": "Recipe",
    "tags": "Tags",
    "note": "Note",
    "sweep": "Sweep",
    "latent_size": "z",
}
USUAL = ("state", "verdict", "recipe", "tags", "note", *TABLE[:5])
"""The columns that are shown where nobody has chosen."""
SEARCHED = ("run", "recipe", "note", "sweep")


def run_table(runs: pd.DataFrame) -> list[str]:
    """The table with its filters and downloads. The runs side by side come back: ticked, or named under it.

    `runs` has a row a run: the columns of `WORDS` and figures.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = _filters(runs)
        columns = ["run", *_columns(runs)]
    if shown.empty:
        st.markdown("No run is like that. Take a filter away.")
    else:
        _table(shown, columns)
    words = f"{len(shown):,} of {len(runs):,} runs" if len(shown) != len(runs) else f"{len(runs):,} runs"
    st.caption(
        f"{words}. Click a heading to sort, and tick runs to put them side by side. "
        "The [glossary](glossary) explains the figures."
    )
    known = shown[[name for name in (*WORDS, *TABLE) if name in shown]]
    known = known.convert_dtypes().astype(object).where(known.notna(), None)  # whole numbers stay whole
    rows = known.assign(tags=known["tags"].map(", ".join)).to_dict("records")
    downloads("runs", rows, columns)
    heed({state.COMPARE_RUNS: list(runs["run"])})
    return st.multiselect(
        "Side by side",
        list(runs["run"]),
        key=state.COMPARE_RUNS,
        bind="query-params",
        max_selections=MOST,
        placeholder="tick runs in the table, or choose them here",
    )


def filtered(runs: pd.DataFrame, text: str, tags: Sequence[str], among: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The runs whose words have the text, that have all of the tags, and whose columns are among what is named."""
    fit = pd.Series(data=True, index=runs.index)
    if wanted := text.strip().casefold():
        said = runs[list(SEARCHED)].astype(str).agg(" ".join, axis=1) + " " + runs["tags"].map(" ".join)
        fit &= said.str.casefold().str.contains(wanted, regex=False)
    for tag in tags:
        fit &= runs["tags"].map(lambda own, tag=tag: tag in own)
    for column, values in among.items():
        if values:
            fit &= runs[column].isin(values)
    return runs[fit]


def _filters(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that the filters let through."""
    words = runs.assign(state=_states(runs), verdict=runs["standing"])
    options = {column: sorted(set(words[column]) - {""}) for column in state.COMPARE_FILTERS}
    known = sorted({tag for tags in runs["tags"] for tag in tags})
    heed({state.COMPARE_TAGS: known} | {key: options[column] for column, key in state.COMPARE_FILTERS.items()})
    text = st.text_input(
        "Find", key=state.COMPARE_TEXT, bind="query-params", placeholder="in names, recipes, notes", width=330
    )
    active = sum(bool(st.query_params.get_all(key)) for key in (*state.COMPARE_FILTERS.values(), state.COMPARE_TAGS))
    with st.popover(f"Filter · {active}" if active else "Filter", icon=":material/filter_list:", key="compare_filter"):
        among = {
            column: st.multiselect(WORDS[column], options[column], key=key, bind="query-params", placeholder="any")
            for column, key in state.COMPARE_FILTERS.items()
        }
        tags = st.multiselect("Tags", known, key=state.COMPARE_TAGS, bind="query-params", placeholder="any")
    return runs.loc[filtered(words, text or "", tags, among).index].reset_index(drop=True)


def _states(runs: pd.DataFrame) -> pd.Series:
    return runs["state"].map(lambda name: STATES[name][0])


def _columns(runs: pd.DataFrame) -> list[str]:
    """The columns that are shown beside the name."""
    available = {
        METRICS[name].symbol if name in METRICS else WORDS[name]: name
        for name in (*WORDS, *TABLE)
        if name in runs and name != "run"
    }
    heed({state.COMPARE_COLUMNS: list(available)})
    with st.popover("Columns", icon=":material/view_column:", key="compare_columns_popover"):
        chosen = st.pills(
            "Columns",
            list(available),
            selection_mode="multi",
            default=[word for word, name in available.items() if name in USUAL],
            key=state.COMPARE_COLUMNS,
            bind="query-params",
        )
    return [name for word, name in available.items() if word in chosen]


def _table(shown: pd.DataFrame, columns: Sequence[str]) -> None:
    """The rows. A table keeps its ticks as long as it shows the same runs, and nobody chooses in another way."""
    names = list(shown["run"])
    chosen = st.session_state.get(state.COMPARE_RUNS, st.query_params.get_all(state.COMPARE_RUNS))
    if sorted(chosen) != sorted(st.session_state.get(state.COMPARE_TICKED, [])):
        st.session_state[state.COMPARE_TICKED] = list(chosen)
        st.session_state[state.COMPARE_ROUND] = st.session_state.get(state.COMPARE_ROUND, 0) + 1
    key = f"compare_table_{st.session_state.get(state.COMPARE_ROUND, 0)}_{abs(hash(tuple(names)))}"
    st.dataframe(
        as_read(shown.assign(state=_states(shown), verdict=shown["standing"])[list(columns)]),
        hide_index=True,
        column_config={name: _column(name) for name in columns},
        key=key,
        on_select=lambda: _tick(key, names),
        selection_mode="multi-row",
        placeholder="–",
        selection_default={"selection": {"rows": [names.index(name) for name in chosen if name in names]}},
        alt="All runs with their newest figures",
    )


def _tick(key: str, names: Sequence[str]) -> None:
    """Rows were ticked: those runs, and the chosen ones that the filters hide."""
    rows = [row for row in st.session_state[key].selection.rows if row < len(names)]
    hidden = [name for name in st.session_state.get(state.COMPARE_RUNS, []) if name not in names]
    ticked = [*hidden, *(names[row] for row in rows)]
    if len(ticked) > MOST:
        state.say(f"At most {MOST} runs fit side by side.")
    st.session_state[state.COMPARE_RUNS] = ticked[:MOST]
    if len(ticked) <= MOST:  # else the table is put up again, with the ticks that count
        st.session_state[state.COMPARE_TICKED] = ticked


def _column(name: str) -> object:
    if name == "tags":
        return st.column_config.ListColumn(WORDS[name])
    if name not in METRICS:
        return st.column_config.Column(WORDS[name], pinned=name == "run")
    metric = METRICS[name]
    return st.column_config.NumberColumn(metric.axis, help=metric.definition)
