"""The queue: which runs wait, what for, and how many train at once; moved, taken out and held up here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from app import backend, palette, state
from app.components.attempt import attempt
from app.components.run_card import dot
from app.components.sentences import escape

SHOWN = 10
"""Waiting runs in the list; of more, the first."""


def job_queue(entries: Sequence[backend.Entry], colours: Mapping[str, str]) -> None:
    """The queue with its controls, in the surrounding container; nothing where nothing trains or waits."""
    if not any(entry.active for entry in entries):
        return
    waiting = sorted((entry for entry in entries if entry.place), key=lambda entry: entry.place or 0)
    training = sum(entry.active for entry in entries) - len(waiting)
    with st.container(border=True, gap="small", key="queue"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Queue**  \n{training} in training, {len(waiting)} waiting", width="stretch")
            if not backend.read_only():
                _controls(paused=bool(waiting))
        for entry in waiting[:SHOWN]:
            _waiting(entry, len(waiting), colours.get(entry.name, palette.QUIET))
        if len(waiting) > SHOWN:
            st.caption(f"and {len(waiting) - SHOWN} more")


def _controls(*, paused: bool) -> None:
    """How many train at once, and where some wait, whether they stay waiting; as another window may have set it."""
    queue = backend.queue()
    st.session_state[state.QUEUE_AT_ONCE] = queue.at_once
    st.session_state[state.QUEUE_PAUSED] = queue.paused
    if paused:
        st.toggle("Paused", key=state.QUEUE_PAUSED, on_change=_pause, help="Runs that wait stay waiting.")
    st.number_input(
        "Train at once",
        min_value=1,
        max_value=backend.MOST_AT_ONCE,
        key=state.QUEUE_AT_ONCE,
        on_change=_train_at_once,
        width=140,
        help="How many runs train at once. They share the processor: together they are hardly faster.",
    )


def _waiting(entry: backend.Entry, count: int, colour: str) -> None:
    """A run that waits, with its place, and the buttons that change it."""
    place, name = entry.place or 0, entry.name
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{place} &nbsp; {dot(name, colour)} &nbsp; {escape(entry.status.message)}", width="stretch")
        if backend.read_only():
            return
        step = {"up": place - 1, "down": place + 1}
        for key, label, icon, possible in (
            ("up", "Up", "arrow_upward", place > 1),
            ("down", "Down", "arrow_downward", place < count),
            ("out", "Remove", "close", True),
        ):
            st.button(
                label,
                key=f"queue_{key}_{name}",
                icon=f":material/{icon}:",
                type="tertiary",
                disabled=not possible,
                on_click=attempt,
                args=(partial(backend.move, name, step[key]) if key in step else partial(backend.stop, name),),
            )


def _pause() -> None:
    attempt(lambda: backend.pause_queue(st.session_state[state.QUEUE_PAUSED]))


def _train_at_once() -> None:
    attempt(lambda: backend.train_at_once(st.session_state[state.QUEUE_AT_ONCE]))
