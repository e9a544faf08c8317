"""Sentences that were circled on a map: what they share, where their middle lies, and how two groups differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app import backend, state
from app.components import sentences
from app.components.address import Rows, read_rows, write_rows
from app.components.sentences import escape

TELLING = 2.0
"""Standard errors from which on a share counts as telling."""
MOST = 8
"""Most values that are listed."""
NEAR = 5
"""Neighbours that are listed."""
LONGEST = 2000
"""Characters that a group may have in the URL, where there are two; a longer one is kept in the session alone."""
STRENGTHS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""How much of the difference of two groups is added."""


def about(model: backend.Model, codes: backend.Codes, rows: Sequence[int]) -> None:
    """What the sentences have in common, their middle, and the buttons that make a group of them."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**What they have in common**")
        share(model, rows)
    with right:
        st.markdown("**In their middle**")
        backend.latent_size(model)  # opens the model, with a word about that
        middle = codes.means[list(rows)].mean(0)
        sentences.listing(backend.decode(model, middle[None]))
        spread = float(np.linalg.norm(codes.means[list(rows)] - middle, axis=1).mean())
        st.caption(f"The mean of their {len(rows):,} codes, decoded. They lie {spread:.1f} from it, on average.")
        with st.expander("Nearest to their mean", icon=":material/near_me:"):
            near(model, codes, middle)
        with st.container(horizontal=True):
            for letter in "12":
                st.button(
                    f"Keep as group {letter}",
                    key=f"map_group_{letter}",
                    icon=":material/bookmark:",
                    on_click=keep,
                    args=(letter, codes.texts, list(rows)),
                )


def share(model: backend.Model, rows: Sequence[int]) -> None:
    """The values of labels that are commoner among these sentences than among all."""
    table = backend.in_common(model, rows)
    table = table[(table["surprise"] > TELLING) & (table["ratio"] > 1)].head(MOST)
    if table.empty:
        st.caption("No value of a label is commoner among them than chance explains.")
        return
    st.dataframe(
        table[["label", "value", "share", "usual"]].assign(share=100 * table["share"], usual=100 * table["usual"]),
        hide_index=True,
        column_config={
            "share": st.column_config.ProgressColumn(
                "among them", format="%.0f %%", min_value=0, max_value=100, help="Their share of the circled sentences."
            ),
            "usual": st.column_config.ProgressColumn(
                "among all",
                format="%.0f %%",
                min_value=0,
                max_value=100,
                help="Their share of all sentences of the map.",
            ),
        },
        alt="Values of labels that are common among the circled sentences",
    )


def near(model: backend.Model, codes: backend.Codes, code: np.ndarray, but: int | None = None) -> None:
    """The sentences whose codes lie nearest to a code, but for the one that it is the code of."""
    found = [pair for pair in backend.neighbours(model, code, NEAR + 1) if pair[0] != but][:NEAR]
    frame = pd.DataFrame(
        {"distance": [far for _, far in found], "sentence": [codes.texts[other] for other, _ in found]}
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            "distance": st.column_config.NumberColumn(
                format="%.1f",
                width="small",
                help="Between the codes, in all dimensions. Random codes lie about "
                f"{np.sqrt(2 * codes.means.shape[1]):.0f} from each other.",
            ),
            "sentence": st.column_config.TextColumn(width="large"),
        },
        alt="Nearest sentences",
    )


def keep(letter: str, texts: Sequence[str], rows: Sequence[int]) -> None:
    """Make some sentences a group: in the URL, if it is not too long for that."""
    state.restore(*state.MAP_GROUPS)
    key, written = state.MAP_GROUPS["12".index(letter)], write_rows(rows, texts)
    st.session_state.setdefault(state.MAP_KEPT, {})[key] = written
    if len(written) <= LONGEST:
        st.query_params[key] = written
    else:
        st.query_params.pop(key, None)
    state.keep(*state.MAP_GROUPS)


def forget() -> None:
    """Drop both groups."""
    st.session_state.pop(state.MAP_KEPT, None)
    for key in state.MAP_GROUPS:
        st.query_params.pop(key, None)
    state.keep(*state.MAP_GROUPS)


def recall(texts: Sequence[str], moved: bool) -> None:
    """Put what was kept of these sentences into the URL again, after the page or, if `moved`, the run was another."""
    for key in state.MAP_GROUPS:
        if moved and st.query_params.get(key, "") not in Rows(texts):
            st.query_params.pop(key, None)
        kept = st.session_state.get(state.MAP_KEPT, {}).get(key, "")
        if key not in st.query_params and len(kept) <= LONGEST and kept in Rows(texts):
            st.query_params[key] = kept


def kept(texts: Sequence[str]) -> dict[str, list[int]]:
    """The rows of the groups that there are, by their letters."""
    session = st.session_state.get(state.MAP_KEPT, {})
    found = {}
    for letter, key in zip("12", state.MAP_GROUPS, strict=True):
        if rows := read_rows(st.query_params.get(key, session.get(key, "")), texts):
            found[letter] = rows
    return found


def groups(model: backend.Model, codes: backend.Codes) -> None:
    """The difference of the means of two groups, added to a sentence with growing strength."""
    found = kept(codes.texts)
    if not found:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Two groups**")
            st.button("Forget them", key="map_groups_forget", icon=":material/close:", on_click=forget, type="tertiary")
        for letter in "12":
            rows = found.get(letter)
            words = (
                f"{len(rows):,} sentences, such as “{escape(codes.texts[rows[0]])}”"
                if rows
                else ":gray[circle others and keep them]"
            )
            st.markdown(f":gray-badge[{letter}] {words}")
        if away := [letter for letter in found if state.MAP_GROUPS["12".index(letter)] not in st.query_params]:
            st.caption(
                f"Group {' and '.join(away)} has too many sentences for the address: a link to this page lacks it."
            )
        if len(found) == 2:
            difference(model, codes, found["1"], found["2"])


def difference(model: backend.Model, codes: backend.Codes, first: Sequence[int], second: Sequence[int]) -> None:
    """What the way from group 1 to group 2 does to a sentence."""
    start, end = (backend.Group(rows=tuple(rows)) for rows in (first, second))
    text = st.text_input(
        "Add the difference of their means (2 − 1) to",
        codes.texts[first[0]],
        key=state.MAP_ADDED_TO,
        bind="query-params",
        max_chars=2000,
        help="The code of this sentence plus a multiple of the difference, decoded.",
    )
    if not text or not text.strip():
        st.caption("Type a sentence to add it to.")
        return
    backend.latent_size(model)  # opens the model, with a word about that
    board = backend.steered(model, start, end, text, (), STRENGTHS, 0.0)
    frame = pd.DataFrame({"strength": STRENGTHS, "sentence": board.reading.texts})
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            "strength": st.column_config.NumberColumn("times", format="%.1f", width="small"),
            "sentence": st.column_config.TextColumn(width="large"),
        },
        alt="A sentence with the difference of the two groups added in growing strength",
    )
    apart = backend.direction(model, start, end).length
    st.caption(f"The means of the groups lie {apart:.1f} apart; 0 times is the sentence rebuilt.")
    with st.expander("The same in Python", icon=":material/code:"):
        st.code(backend.steered_python(model, start, end, text, STRENGTHS), language="python", wrap_lines=True)
