"""The sentences of a run whose codes lie nearest to a code, in a few quiet lines."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from app.components.latent_map import shortened

COUNT = 5
"""How many of them."""

_ROW = '<tr><td style="{far}">{distance}</td><td dir="auto" style="{words}">{text}</td></tr>'
_HEAD = "text-align: left; opacity: 0.75"
_FAR = "opacity: 0.75; padding: 0.15rem 0.75rem 0.15rem 0; text-align: right; font-variant-numeric: tabular-nums"
_WORDS = "padding: 0.15rem 0; overflow-wrap: anywhere"


def neighbours(found: Sequence[tuple[str, float]]) -> None:
    """Show sentences with their distances, Euclidean in all dimensions of z."""
    rows = [
        _ROW.format(far=_FAR, words=_WORDS, distance=f"{far:.1f}", text=html.escape(shortened(text)))
        for text, far in found
    ]
    head = f'<caption style="{_HEAD}">Nearest sentences, by their distance from this code</caption>'
    st.html(f'<table style="border-collapse: collapse; font-size: 0.9rem">{head}{"".join(rows)}</table>')
