"""Whether a run's decoder listens to z at all: to be said before anything that z is turned for."""

from __future__ import annotations

import streamlit as st

from app import backend

DEAF = {
    "collapsed": "has collapsed: its decoder ignores z. Whatever z is, the sentence is nearly the same.",
    "disconnected": "is disconnected: its codes differ, but its decoder does not read them.",
}
WOVEN = "replays a defect: what a code reads depends on the codes that are decoded with it."


def deaf(verdict: str, who: str = "This run") -> str:
    """A sentence about the run of a verdict, if its decoder does not listen to z; empty where it does."""
    return f"{who} {DEAF[verdict]}" if verdict in DEAF else ""


def hearing(name: str, *, collapsed: str = "") -> str:
    """Say it if the decoder of a run is deaf, and what else it means if it has `collapsed`.

    Returns the verdict on the run; empty where there is none.
    """
    verdict = None if name.startswith("~") else backend.verdict(name)
    found = verdict.name if verdict else ""
    if said := deaf(found):
        st.warning(f"{said} {collapsed if found == 'collapsed' else ''}", icon=":material/compress:")
    if replays(name):
        st.warning(f"This run {WOVEN}", icon=":material/shuffle:")
    return found


def replays(name: str) -> bool:
    """Whether a run replays the released memory, in which codes that are decoded together mix."""
    return not name.startswith("~") and backend.config(name).model.backbone == "t5-as-released"
