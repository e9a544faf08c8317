"""Choosing the run that a page is about. The choice is one for all pages and stands in the URL: ?run=NAME."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import state
from app.components.sentences import escape


def run_picker(names: Sequence[str], *, label: str = "Run", default: str | None = None) -> str | None:
    """The chosen name, or none while there is nothing to choose from.

    A name in the URL that is not among `names` is answered with a sentence, and the default is shown instead.
    """
    asked = st.query_params.get(state.RUN)
    known = st.session_state.get(state.RUN)
    for name in dict.fromkeys([asked, known]):
        if name and name not in names:
            st.warning(_missing(name), icon=":material/search_off:")
    if not names:
        return None
    first = default if default in names else names[0]
    if asked is None and known is None and state.RUN not in st.session_state:
        st.query_params[state.RUN] = first  # not bound yet: the widget takes its value from the URL
    if known not in names and (asked not in names or state.RUN in st.session_state):  # or it was emptied; see below
        st.session_state[state.RUN] = asked if asked in names else first
    chosen = st.selectbox(label, names, index=None, key=state.RUN, bind="query-params")
    if chosen is None:  # a link from page to page, or back in the history, empties the widget whatever was assigned
        st.rerun()
    return chosen


def _missing(name: str) -> str:
    shown = escape(name if len(name) <= 60 else name[:57] + "...")
    if name.startswith("~"):
        return f"The model {shown} was opened by hand in another session: open it again on the Runs page."
    return f"There is no run {shown} here: it has been deleted or renamed, or is not ready for this page."
