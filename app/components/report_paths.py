"""The interpolations among the probes: one path a card, what each run writes on it side by side (Li et al. 2019, D)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from app import backend, state
from app.components.report_table import downloads
from app.components.sentences import escape
from app.components.walk_pairs import example_html

Paths = Mapping[str, backend.Interpolation]
"""One path through several runs, by their names."""


def report_paths(probed: Sequence[backend.Evaluation], entries: Mapping[str, backend.Entry]) -> None:
    """The paths that the runs keep; each leads to the page Interpolate, for the first two that can still decode."""
    examples = backend.probe_paths(probed)
    st.caption(
        "Straight lines between two codes, each step decoded greedily; new words are marked, and steps that read the "
        "same are one line. Prior: from one random code to another. Posterior: from a sample of the code of one test "
        "sentence to that of another."
    )
    with st.grid(2 if len(probed) == 1 else 1, min_column_width=420):
        for number, paths in enumerate(examples, 1):
            _card(number, paths, len(probed) > len(paths), [name for name in paths if entries[name].has_model])
    rows = [row for number, paths in enumerate(examples, 1) for row in _rows(number, paths, probed)]
    downloads("probes-interpolation", rows, [], latex=backend.paths_latex(rows))


def _card(number: int, paths: Paths, partial: bool, able: Sequence[str]) -> None:
    """One path; where not every run has it, under the names of those that have."""
    path = next(iter(paths.values()))
    places = np.linspace(0, 1, len(path.texts)).round(6).tolist()
    walks = {
        name: backend.Walk(places=places, codes=np.empty((len(places), 0)), texts=each.texts, shells=[], nearest=[])
        for name, each in paths.items()
    }
    kind = "posterior" if path.inputs else "prior"
    whose = f" · {escape(', '.join(paths))}" if partial and len(paths) == 1 else ""
    with st.container(border=True, height="stretch", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{number}** · {kind}{whose}")
            if able:
                st.page_link(
                    "app/pages/interpolate.py",
                    label="Walk it",
                    icon=":material/linear_scale:",
                    query_params=_address(path, able),
                    help="This path on the page Interpolate: more steps, the map, the slider.",
                )
        st.html(example_html(walks, path.inputs or ("", "")))


def _address(path: backend.Interpolation, able: Sequence[str]) -> dict[str, str]:
    """What the page Interpolate is asked for."""
    asked = {state.RUN: able[0], state.WALK_STEPS: str(len(path.texts))}
    if len(able) > 1:
        asked[state.WALK_WITH] = able[1]
    for side, seed in enumerate(path.seeds):
        end = {"kind": "Sentence" if path.inputs else "Prior", "seed": str(seed)}
        if path.inputs:
            end |= {"text": path.inputs[side], "drawn": "true"}
        asked |= {state.end(side, name): value for name, value in end.items()}
    return asked


def _rows(number: int, paths: Paths, probed: Sequence[backend.Evaluation]) -> list[dict[str, Any]]:
    """The path as rows of a table, with a column of sentences for each run where there are several."""
    told = {name: each.rows(number) for name, each in paths.items()}
    if len(probed) == 1:
        return next(iter(told.values()))
    return [
        {name: step[0][name] for name in ("example", "part", "t")}
        | {each.name: None for each in probed}
        | {name: row["sentence"] for name, row in zip(told, step, strict=True)}
        for step in zip(*told.values(), strict=True)
    ]
