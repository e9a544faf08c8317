"""Tags and a note for the runs side by side."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import backend, state
from app.components.sentences import escape


def run_notes(names: Sequence[str], known: Sequence[str]) -> None:
    """A form that tags all of the runs at once, and writes a note about one. `known` are the tags that are in use."""
    own = list(dict.fromkeys(tag for name in names for tag in backend.notes(name).tags))
    what = names[0] if len(names) == 1 else f"these {len(names)} runs"
    with (
        st.popover("Tags and notes", icon=":material/sell:", key="compare_notes"),
        st.form("compare_notes_form", border=False, clear_on_submit=True),
    ):
        st.multiselect(
            f"Tag {escape(what)}",
            [tag for tag in known if tag not in own or len(names) > 1],
            key=state.COMPARE_ADD,
            accept_new_options=True,
            placeholder="type a tag, or choose one",
        )
        if own:
            st.multiselect("Take away", own, key=state.COMPARE_REMOVE, placeholder="none")
        if len(names) == 1:
            st.text_area("Note", value=backend.notes(names[0]).text, key=f"{state.COMPARE_NOTE}_{names[0]}")
        st.form_submit_button("Keep", type="primary", on_click=_keep, args=(list(names),))


def _keep(names: Sequence[str]) -> None:
    text = st.session_state.get(f"{state.COMPARE_NOTE}_{names[0]}") if len(names) == 1 else None
    add, remove = (st.session_state.get(key, []) for key in (state.COMPARE_ADD, state.COMPARE_REMOVE))
    try:
        backend.annotate(names, add, remove, text)
    except ValueError as error:
        state.say(escape(str(error)))
    else:
        state.say("Kept.")
