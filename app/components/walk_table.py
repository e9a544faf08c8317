"""Paths as tables of a paper: what was put in, the sentences at the ends, those between (Li et al. 2019, Table 13)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import backend

Row = Mapping[str, Any]


def rows(
    walks: Mapping[str, backend.Walk], ends: backend.Pair, inputs: tuple[str, str], example: int | None = None
) -> list[dict[str, Any]]:
    """The rows of a path through one model or several, of which `walks` has the titles.

    Their columns: the number of the example, if there is one; the part of the table; t, which an input has none of;
    the draw, where each code was read several times; and the sentence, under the title of its model if there are two.
    """
    titles = {title: title if len(walks) > 1 else "sentence" for title in walks}
    first = next(iter(walks.values()))
    lead = {} if example is None else {"example": example}
    several = len(first.draws[0]) if first.draws else 0
    made: list[dict[str, Any]] = []
    for end, text in zip(("source", "target"), inputs, strict=True):
        if text:
            number = {"draw": None} if several else {}
            made.append({**lead, "part": f"{end} input", "t": None, **number, **dict.fromkeys(titles.values(), text)})
    for step, place in enumerate(first.places):
        for draw in range(several or 1):
            said = {
                titles[title]: walk.draws[step][draw] if walk.draws else walk.texts[step]
                for title, walk in walks.items()
            }
            number = {"draw": draw + 1} if several else {}
            made.append({**lead, "part": _part(place, ends), "t": place, **number, **said})
    return made


def markdown(table: Sequence[Row]) -> str:
    """The table in Markdown, its sentences as they are."""
    columns = list(table[0])
    sides = ["---:" if name in ("example", "t", "draw") else "---" for name in columns]
    lines = [columns, sides, *([_marked(backend.path_cell(row[name])) for name in columns] for row in table)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def take_along(table: Sequence[Row], stem: str, python: str, command: str | None) -> None:
    """The table to look at and to download, and the words that make its sentences again."""
    with st.expander("Take it with you: table, Python, command", icon=":material/ios_share:"):
        frame = pd.DataFrame(table)
        wide = {name: st.column_config.TextColumn(width="large") for name in frame if name not in ("example", "draw")}
        st.dataframe(
            frame,
            hide_index=True,
            placeholder="",
            column_config=wide
            | {
                "part": st.column_config.TextColumn(width=180),
                "t": st.column_config.NumberColumn(format="%.2f", width=70),
            },
            alt="The sentences as a table",
        )
        forms = {
            "CSV": (backend.comma_separated(table), "csv", "text/csv"),
            "Markdown": (markdown(table), "md", "text/markdown"),
            "LaTeX": (backend.paths_latex(table), "tex", "text/x-tex"),
        }
        with st.container(horizontal=True):
            for label, (text, suffix, kind) in forms.items():
                st.download_button(
                    label,
                    text,
                    f"{stem}.{suffix}",
                    kind,
                    key=f"{stem} {suffix}",
                    icon=":material/download:",
                    on_click="ignore",
                )
        st.markdown("**The same in Python**")
        st.code(python, language="python", wrap_lines=True)
        st.markdown("**The same from a terminal**")
        if command is None:
            st.caption(
                "The command line walks between two sentences, or between two random codes, and samples "
                "the words of one path at a time. This is something else: use the Python above."
            )
        else:
            st.code(command, language="bash", wrap_lines=True)


def _part(place: float, ends: backend.Pair) -> str:
    """What a step is, in the words of the paper."""
    source, target = (f"{'prior' if end.kind == 'prior' else 'posterior'}-{_taken(end)}" for end in ends)
    return backend.path_part(place, source, target)


def _taken(end: backend.End) -> str:
    return "sampled" if end.drawn or end.kind == "prior" else "mean"


def _marked(text: str) -> str:
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", text)
