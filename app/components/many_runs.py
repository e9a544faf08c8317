"""Two figures of many runs: over the steps of training, as in Park & Lee 2021, and by what was varied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import backend, figures, state
from app.components.address import heed
from app.components.report_figures import figure
from app.glossary import METRICS

DRAWN = ("mi_nats", "active_units", "kl_nats", "delta_nll_nats", "rec_nats", "neg_elbo_nats", "ppl_word")
"""The figures that can be drawn; the first two are those of the paper."""


def choose_figures() -> list[str]:
    """The two figures that are drawn, in the surrounding container."""
    symbols = {METRICS[name].symbol: name for name in DRAWN}
    heed({key: tuple(symbols) for key in state.COMPARE_FIGURES})
    chosen = [
        st.selectbox(label, list(symbols), index=number, key=key, bind="query-params", width=150)
        for number, (label, key) in enumerate(zip(("Figure", "and"), state.COMPARE_FIGURES, strict=True))
    ]
    return [symbols[symbol] for symbol in chosen]


def over_steps(labels: Mapping[str, str], chosen: Sequence[str], colours: Mapping[str, str]) -> None:
    """The figures over the steps; `labels` say what each run is called in the legend."""
    frame = backend.held_out(labels, list(dict.fromkeys([*chosen, "mi_ceiling_nats"])))
    if frame.empty:
        st.markdown("The first figures come with the first check of a run.")
        return
    begun = {run: label for run, label in labels.items() if run in set(frame["run"])}
    looks = looks_of(begun, colours)
    ends = backend.phase_ends(begun)
    top = max(backend.entry(run).latent_size for run in begun)
    with st.grid(2, min_column_width=330):
        for name in dict.fromkeys(chosen):
            drawn = figures.over_steps(
                frame, METRICS[name], looks, ends=ends, top=top if name == "active_units" else 0.0
            )
            figure(drawn, f"{name}-over-steps", f"{METRICS[name].title} over the steps of {', '.join(labels.values())}")
    words = "Measured on held-out sentences."
    if ends:
        words += f" The upright line is the end of a phase, after {' and '.join(f'{step:,}' for step in ends)} steps."
    st.caption(words)


def by_axis(rows: Sequence[Mapping[str, Any]], axes: Sequence[backend.Axis], along: str, chosen: Sequence[str]) -> None:
    """The newest value of the figures by the values of one axis, a line each combination of the others."""
    (axis,) = (each for each in axes if each.name == along)
    others = [each for each in axes if each.name != along and len(each.values) > 1]
    frame = pd.DataFrame(rows).assign(
        value=[backend.axis_value(row[along]) for row in rows],
        group=[", ".join(f"{_short(each)} {backend.axis_value(row[each.name])}" for each in others) for row in rows],
    )
    for name in chosen:
        frame[name] = pd.to_numeric(frame[name]) if name in frame else float("nan")
    values = [backend.axis_value(value) for value in axis.values]
    with st.grid(2, min_column_width=330):
        for name in dict.fromkeys(chosen):
            drawn = figures.by_axis(frame, METRICS[name], backend.axis_heading(along), values)
            figure(drawn, f"{name}-by-axis", f"{METRICS[name].title} by {backend.axis_heading(along)}")


def looks_of(labels: Mapping[str, str], colours: Mapping[str, str]) -> dict[str, figures.Look]:
    """How the line of each run looks: in its colour, and where several have the same, in another kind of line."""
    used: Counter[str] = Counter()
    looks = {}
    for run, label in labels.items():
        colour = colours[run]
        looks[run] = figures.Look(label, colour, figures.DASHES[used[colour] % len(figures.DASHES)])
        used[colour] += 1
    return looks


def _short(axis: backend.Axis) -> str:
    return backend.axis_heading(axis.name).partition(",")[0]
