"""Glossary: every figure and every word of the app, what it means, and how to read it. ?term=NAME opens at one."""

import streamlit as st

from app import state
from app.components.address import heed
from app.components.into_view import into_view
from app.glossary import ENTRIES, entry, groups, matches

st.title("Glossary", anchor=False)
st.markdown(
    "What every figure and word here means. Nats are natural units of information: 1 nat is 1.44 bits. "
    "Where neither high nor low is said to be better, a figure has to be read beside others.",
    width=820,
)
heed({state.GLOSSARY_TERM: list(ENTRIES)})
asked = st.query_params.get(state.GLOSSARY_TERM)
text = st.text_input(
    "Find", key=state.GLOSSARY_SEARCH, bind="query-params", placeholder="KL, beta, active units, hole …", width=330
)
found = {
    title: shown
    for title, names in groups().items()
    if (shown := [n for n in names if matches(ENTRIES[n], text or "")])
}
if not found:
    st.markdown("No entry has all of these words. Try fewer.")
for title, names in found.items():
    st.header(title, anchor=False)
    with st.container(gap="medium"):
        for name in names:
            with st.container(border=name == asked, key=f"term_{name}", width=820):
                st.markdown(entry(ENTRIES[name], asked=name == asked))
if asked in ENTRIES:
    into_view(f"term_{asked}")
