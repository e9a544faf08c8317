"""What is said where there is nothing to show yet: train it first, or, on a read-only server, that there is none."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app import backend


def train_first(none_yet: str, advice: str) -> None:
    """One sentence that there is none yet; for those who may train, the advice and the way there."""
    if backend.read_only():
        st.markdown(none_yet)
        return
    st.markdown(f"{none_yet} {advice}")
    train_link("Train a model")


def train_link(label: str, query: Mapping[str, str] | None = None) -> None:
    """The way to the page Train, which a read-only server does not have."""
    if not backend.read_only():
        st.page_link(
            "app/pages/train.py", label=label, icon=":material/model_training:", query_params=dict(query or {})
        )
