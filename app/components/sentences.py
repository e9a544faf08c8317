"""Sentences of models and corpora, shown word for word.

They are anybody's text, so they never go through Markdown: everything is escaped and set as plain HTML, with the
direction of writing left to the browser.
"""

from __future__ import annotations

import difflib
import html
from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

LONGEST = 400
"""Characters shown of one sentence."""

_MARK = "background: rgba(222, 138, 0, 0.28); color: inherit; border-radius: 0.2em; padding: 0 0.15em;"
_QUIET = "opacity: 0.75; font-size: 0.9em;"
_ROW = "padding: 0.45rem 0; border-bottom: 1px solid rgba(128, 132, 138, 0.25); overflow-wrap: anywhere;"


def escape(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is, for names inside labels and headings."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~$:" else sign for sign in " ".join(text.split()))


def rebuilt(pairs: Sequence[Mapping[str, str]]) -> None:
    """Each sentence above what the model made of it; words that differ are marked."""
    st.html("".join(_pair(str(pair["text"]), str(pair["decoded"])) for pair in pairs))


def listing(sentences: Sequence[str], *, merge: bool = True) -> None:
    """Sentences one a line; the same sentence said several times is shown once, with its count, unless not to be."""
    counted = Counter(sentences).items() if merge else [(sentence, 1) for sentence in sentences]
    rows = []
    for sentence, count in counted:
        times = f' <span style="{_QUIET}">× {count}</span>' if count > 1 else ""
        rows.append(f'<div dir="auto" style="{_ROW}">{_text(sentence)}{times}</div>')
    st.html("".join(rows))


def _pair(text: str, decoded: str) -> str:
    same = text.split() == decoded.split()
    sign = f'<span style="{_QUIET}" title="word for word the same">✓</span>' if same else ""
    return (
        f'<div style="{_ROW}"><div dir="auto" style="{_QUIET}">{_text(text)}</div>'
        f'<div dir="auto">{_marked(text, decoded)} {sign}</div></div>'
    )


def _marked(text: str, decoded: str) -> str:
    """The decoded sentence with the words marked that the original does not have at this place."""
    if not decoded.strip():
        return f'<span style="{_QUIET}">(nothing: an empty sentence)</span>'
    before, after = text[:LONGEST].split(), decoded[:LONGEST].split()
    parts = []
    for change, _, _, start, end in difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        words = html.escape(" ".join(after[start:end]))
        if words:
            parts.append(words if change == "equal" else f'<mark style="{_MARK}">{words}</mark>')
    return " ".join(parts) + ("…" if len(decoded) > LONGEST else "")


def _text(sentence: str) -> str:
    if not sentence.strip():
        return f'<span style="{_QUIET}">(an empty sentence)</span>'
    return html.escape(sentence[:LONGEST]) + ("…" if len(sentence) > LONGEST else "")
