"""Keys that turn the pages of a lesson (assets/presenter_keys.*): the arrows, and Page Up and Down of a remote."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import state
from app.components.assets import component

_KEYS = component("presenter_keys")


def presenter_keys(turn: Callable[[int], None]) -> None:
    """Listen: `turn` is called with 1 to go on and with -1 to go back, before the page is drawn anew."""

    def heard() -> None:
        way = st.session_state[state.LEARN_KEYS].turned
        if way in {1, -1}:
            turn(way)

    _KEYS(key=state.LEARN_KEYS, on_turned_change=heard)
