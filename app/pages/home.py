"""Home: what this is, three doors, and the runs there are."""

import streamlit as st

from app import backend, palette, state
from app.components.job_queue import job_queue
from app.components.run_card import run_card
from app.components.sentences import escape

st.title("Walk through the space between sentences")
st.markdown(
    "A text VAE squeezes every sentence through a narrow code, *z*, and writes it again from there. "
    "Bottleneck turns a T5 into one, watches whether its decoder still listens to *z*, "
    "and lets you steer through the space of codes and read what is written there.",
    width=820,
)

if backend.read_only():
    st.caption(":material/visibility: Read-only: explore and watch; training is off on this server.")

DOORS = (
    ("Explore", "plane", "Hover over a plane of codes: every place is a sentence. Pin two and walk between them."),
    ("Watch", "race", "Recipes side by side from one seed: when does it show which of them learns to use its code?")
    if backend.read_only()
    else ("Train", "train", "Turn a T5 into a text VAE, on captions or on your own text. Minutes on a laptop, no GPU."),
    ("Learn", "learn", "Posterior collapse: why a VAE stops reading its code, and what helps. Twenty minutes."),
)
with st.grid(3, min_column_width=260):
    for name, page, words in DOORS:
        with st.container(border=True, height="stretch"):
            st.header(name, anchor=False)
            st.markdown(words)
            st.space("stretch")
            st.page_link(f"app/pages/{page}.py", label=f"**{name}**", icon=":material/arrow_forward:")


STEP = 24
"""Runs that are shown at first, and how many more at a time."""


def show_more() -> None:
    """Show further runs."""
    st.session_state[state.HOME_SHOWN] = st.session_state.get(state.HOME_SHOWN, STEP) + STEP


def cards(training: bool) -> None:
    """The queue, and the runs as cards; redrawn every few seconds while one of them trains."""
    entries = backend.entries()
    if training != any(entry.active for entry in entries):
        st.rerun()
    if not entries:
        advice = "" if backend.read_only() else " Train the first one: the recipe *two-phase* is a good beginning."
        st.markdown(f"There are no runs yet.{advice}")
        return
    colours = backend.colours()
    job_queue(entries, colours)
    known = [entry for entry in entries if not entry.place]  # those that wait stand in the queue
    count = st.session_state.get(state.HOME_SHOWN, STEP)
    with st.grid(3, min_column_width=300):
        for entry in [*known[:count], *(entry for entry in known[count:] if entry.active)]:
            try:
                run_card(entry, colours.get(entry.name, palette.QUIET))
            except ValueError as error:  # it was deleted while the list was drawn
                st.caption(escape(str(error)))
    if len(known) > count:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(f"Show {min(STEP, len(known) - count)} more", icon=":material/expand_more:", on_click=show_more)
            st.page_link("app/pages/runs.py", label=f"All {len(known):,} runs", icon=":material/monitoring:")


st.header("Runs", anchor=False)
training = any(entry.active for entry in backend.entries())
st.fragment(cards, run_every=3 if training else None)(training)
