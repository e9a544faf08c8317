"""Choosing the run that a page is about. The choice is one for all pages and stands in the URL: ?run=NAME.

The widget is not bound to the URL as others are: where two pages share a bound parameter, Streamlit strips it from a
link between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import state
from app.components.sentences import escape


def run_picker(names: Sequence[str], *, label: str = "Run", default: str | None = None) -> str | None:
    """The chosen name, or none while there is nothing to choose from.

    A name in the URL that is not among `names` is answered with a sentence, and the default is shown instead.
    """
    arrived = _arrived()
    known = st.session_state.get(state.RUN_KNOWN if arrived else state.RUN)
    asked = st.query_params.get(state.RUN) if arrived else None
    for name in dict.fromkeys([asked, known]):
        if name and name not in names:
            st.warning(_missing(name), icon=":material/search_off:")
    if not names:
        return None
    chosen = next((name for name in (asked, known, default) if name in names), names[0])
    st.session_state[state.RUN] = st.session_state[state.RUN_KNOWN] = chosen
    st.selectbox(label, names, key=state.RUN)
    if st.query_params.get(state.RUN) != chosen:
        st.query_params[state.RUN] = chosen
    return chosen


def _arrived() -> bool:
    """Whether the URL decides: a link, or the browser's history, has brought the reader here just now."""
    drawn = get_script_run_ctx()
    return state.RUN not in st.session_state or (drawn is not None and drawn.is_history_navigation)


def _missing(name: str) -> str:
    shown = escape(name if len(name) <= 60 else name[:57] + "...")
    if name.startswith("~"):
        return f"The model {shown} was opened by hand in another session: open it again on the Runs page."
    return f"There is no run {shown} here: it has been deleted or renamed, or is not ready for this page."
