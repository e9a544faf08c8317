"""Whether a run's decoder listens to z at all: to be said before anything that z is turned for."""

from __future__ import annotations

import streamlit as st

from app import backend

DEAF = {
    "collapsed": "has collapsed: its decoder ignores z. Whatever z is, the sentence is nearly the same.",
    "yardstick": "is a yardstick, a language model: its z is fixed to zero by design. Whatever z is, the sentence is "
    "the same.",
    "disconnected": "is disconnected: its codes differ, but its decoder does not read them.",
}
WOVEN = "replays a defect: what a code reads depends on the codes that are decoded with it."


def deaf(shown: str, who: str = "This run") -> str:
    """A sentence about a run, by what is shown of its verdict, if its decoder does not listen to z; else empty."""
    return f"{who} {DEAF[shown]}" if shown in DEAF else ""


def hearing(name: str, *, collapsed: str = "") -> str:
    """Say it if the decoder of a run is deaf, and what else it means if it has `collapsed`.

    Returns the verdict on the run; empty where there is none.
    """
    verdict = None if name.startswith("~") else backend.verdict(name)
    found = verdict.name if verdict else ""
    if name.startswith("~") or not backend.entry(name).yardstick:
        said, box, icon = deaf(found), st.warning, "compress"
    else:
        said, box, icon = deaf("yardstick"), st.info, "straighten"
    if said:
        box(f"{said} {collapsed if found == 'collapsed' else ''}", icon=f":material/{icon}:")
    if replays(name):
        st.warning(f"This run {WOVEN}", icon=":material/shuffle:")
    return found


def replays(name: str) -> bool:
    """Whether a run replays the released memory, in which codes that are decoded together mix."""
    return not name.startswith("~") and backend.config(name).model.backbone == "t5-as-released"
