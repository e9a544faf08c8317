"""Whether a run's decoder listens to z at all: to be said before anything that z is turned for."""

from __future__ import annotations

import streamlit as st

from app import backend

DEAF = {
    "collapsed": "This run has collapsed: its decoder ignores z. Whatever is done to z, the sentence hardly changes.",
    "disconnected": "This run is disconnected: its codes differ, but its decoder does not read them.",
}
WOVEN = "This run replays a defect: what a code reads depends on those decoded with it, so nothing here is exact."


def hearing(name: str) -> str:
    """Say it if the decoder of a run is deaf. The name of the verdict on the run; empty where there is none."""
    if name.startswith("~"):
        return ""
    verdict = backend.verdict(name)
    found = verdict.name if verdict else ""
    if found in DEAF:
        st.warning(DEAF[found], icon=":material/compress:")
    if replays(name):
        st.warning(WOVEN, icon=":material/shuffle:")
    return found


def replays(name: str) -> bool:
    """Whether a run replays the released memory, in which codes that are decoded together mix."""
    return not name.startswith("~") and backend.config(name).model.backbone == "t5-as-released"
