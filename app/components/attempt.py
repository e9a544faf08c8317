"""What a button does, for its callback: done or refused, it is said in one sentence."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.components.sentences import escape


def attempt(action: Callable[[], str | None]) -> None:
    """Do something, and say in one sentence how it went if there is anything to say."""
    try:
        said = action()
    except ValueError as error:
        said = str(error)
    if said:
        st.toast(escape(said))
