"""How a class predicted, as bars."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from app import palette


def class_bars(options: Sequence[str], counts: Sequence[int], answer: int | None) -> None:
    """A bar an option, with its count; the option that turned out to be so is marked once `answer` is given."""
    total = sum(counts)
    words = "1 prediction on this server" if total == 1 else f"{total} predictions on this server"
    rows = [f'<div style="margin-bottom:0.4rem">{words}</div>']
    for index, (option, count) in enumerate(zip(options, counts, strict=True)):
        share = 100 * count / total if total else 0
        mark = " ✓" if index == answer else ""
        colour = palette.PALETTE[2] if index == answer else palette.QUIET
        rows.append(
            f'<div style="display:flex;justify-content:space-between;gap:1rem"><span>{html.escape(option)}{mark}</span>'
            f"<span>{count}</span></div>"
            f'<div style="background:rgba(128,132,138,0.2);border-radius:0.3rem;height:0.7rem;margin:0.15rem 0 0.6rem">'
            f'<div style="background:{colour};width:{share:.1f}%;height:100%;border-radius:0.3rem"></div></div>'
        )
    st.html("".join(rows))
