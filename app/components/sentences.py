"""Sentences of models and corpora, shown word for word.

They are anybody's text, so they never go through Markdown: everything is escaped and set as plain HTML, with the
direction of writing left to the browser.
"""

from __future__ import annotations

import difflib
import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import streamlit as st

LONGEST = 400
"""Characters shown of one sentence."""

Run = tuple[str, Literal["", "new", "gone"]]
"""Words that stand together: the same in both of two sentences, new in the second, or gone from it."""

_MARK = "background: rgba(222, 138, 0, 0.28); color: inherit; border-radius: 0.2em; padding: 0 0.15em;"
_GONE = (  # a caret below the line, drawn without a sign: what is copied or read out is the sentence
    "display: inline-block; border: 0.3em solid transparent; border-top: 0; "
    "border-bottom: 0.45em solid light-dark(#b86e00, #e8a33d); margin-inline: -0.12em 0.14em; vertical-align: -0.22em;"
)
_QUIET = "opacity: 0.75; font-size: 0.9em;"
_ROW = "padding: 0.45rem 0; border-bottom: 1px solid rgba(128, 132, 138, 0.25); overflow-wrap: anywhere;"


def escape(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is, for names inside labels and headings."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~$:" else sign for sign in " ".join(text.split()))


def compared(before: str, after: str) -> list[Run]:
    """A sentence held against another: its words in runs, and between them those of `before` that it lacks.

    The longest matching runs of words count as the same (difflib). Where words were replaced, only the new ones stand.
    """
    old, new = before.split(), after.split()
    runs: list[Run] = []
    for change, first, last, start, end in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if change == "delete":
            runs.append((" ".join(old[first:last]), "gone"))
        else:
            runs.append((" ".join(new[start:end]), "" if change == "equal" else "new"))
    return runs if new else []


def marked(runs: Sequence[Run]) -> str:
    """The sentence of `compared` as HTML: new words marked, and a caret where words are gone, with which they were."""
    joined = [True, *(kind == "gone" for _, kind in runs)]  # to what stands before, which is nothing or a caret
    return "".join(("" if close else " ") + _run(*run) for close, run in zip(joined, runs, strict=False))


def rebuilt(pairs: Sequence[Mapping[str, str]]) -> None:
    """Each sentence above what the model made of it; words that differ are marked, and places where some are gone."""
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
    """The decoded sentence, marked where it differs from the original."""
    if not decoded.strip():
        return f'<span style="{_QUIET}">(nothing: an empty sentence)</span>'
    if len(decoded) <= LONGEST:
        return marked(compared(text, decoded))
    runs = compared(text[:LONGEST], decoded[:LONGEST])
    return marked(runs[:-1] if runs[-1][1] == "gone" else runs) + "…"  # nobody sees whether they come after the cut


def _run(words: str, kind: str) -> str:
    if kind == "gone":
        said = html.escape(f"left out: {words}")
        return f'<span role="img" style="{_GONE}" aria-label="{said}" title="{said}"></span>'
    return f'<mark style="{_MARK}">{html.escape(words)}</mark>' if kind else html.escape(words)


def _text(sentence: str) -> str:
    if not sentence.strip():
        return f'<span style="{_QUIET}">(an empty sentence)</span>'
    return html.escape(sentence[:LONGEST]) + ("…" if len(sentence) > LONGEST else "")
