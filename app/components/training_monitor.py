"""A run as it trains: how far it is, what the doctor says, its curves, and what it writes at this moment.

`monitor` is drawn inside a fragment that repeats while the run is active. Everything in it has a fixed key, so that
a redraw changes what has changed and nothing else: no blinking, and a zoom stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from app import backend, charts, state
from app.components import sentences
from app.components.run_card import VERDICTS, badge, dot, progress
from app.glossary import CURVES, METRICS, Metric

EVERY = 2.0
"""Seconds between two redraws while a run trains."""


def monitor(name: str, compared: Sequence[str], was_active: bool) -> None:
    """Everything that changes while the run trains. Redraws the whole page when a run starts, ends or is gone."""
    entries = {entry.name: entry for entry in backend.entries()}
    if not {name, *compared} <= entries.keys() or entries[name].active != was_active:
        st.rerun()
    try:
        _draw(entries[name], compared)
    except ValueError as error:  # a file that was damaged, or went away, while it was being read
        st.error(sentences.escape(str(error)), icon=":material/error:")


def _draw(entry: backend.Entry, compared: Sequence[str]) -> None:
    name = entry.name
    _state(entry)
    colours = {run: backend.colours()[run] for run in (name, *compared)}
    histories = _histories(colours)
    _verdict(entry)
    _curves(entry, histories, colours)
    _sentences(entry)
    _details(entry, colours[name])


def _state(entry: backend.Entry) -> None:
    colours = backend.colours()
    st.markdown(f"{dot(entry.name, colours[entry.name])} &nbsp; {badge(entry)}")
    if entry.active:
        progress(entry)
    elif entry.state == "failed":
        st.error(sentences.escape(entry.status.message or "The run ended without finishing."), icon=":material/error:")
        if log := backend.log_tail(entry.name, 15):
            st.caption("The end of its log:")
            st.code(log, language=None, wrap_lines=True)
    elif entry.status.message:
        st.caption(sentences.escape(entry.status.message))


def _histories(colours: Mapping[str, str]) -> pd.DataFrame:
    return pd.concat([backend.metrics(run).assign(run=run) for run in colours], ignore_index=True)


def _verdict(entry: backend.Entry) -> None:
    verdict = backend.verdict(entry.name)
    if verdict is None or verdict.name == "unknown":
        if entry.active:
            st.info("No verdict yet: it comes with the first evaluation of a finetuning phase.")
        return
    colour, icon = VERDICTS[verdict.name]
    box = {"green": st.success, "orange": st.warning, "red": st.error}[colour]
    so_far = " — so far" if entry.active else ""
    box(" ".join(map(sentences.escape, verdict.evidence)), title=verdict.headline + so_far, icon=f":material/{icon}:")
    if verdict.advice and verdict.name != "healthy":
        with st.expander("What to try", icon=":material/lightbulb:", key="runs_advice"):
            st.markdown("\n".join(f"- {sentences.escape(advice)}" for advice in verdict.advice))


def _curves(entry: backend.Entry, histories: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """A panel for each figure: its name in words, its newest value, and its curve."""
    own = histories[histories["run"] == entry.name]
    if own.empty:
        st.caption("The first figures come within a minute of the start.")
        return
    if len(colours) > 1:
        st.markdown(" &emsp; ".join(dot(run, colour) for run, colour in colours.items()))
    boundaries = charts.phases(own)
    top = float(max(backend.entry(run).latent_size for run in colours)) or None
    with st.grid(3, min_column_width=320, gap=("medium", "medium")):
        for name in _shown(histories):
            metric = METRICS[name]
            with st.container(gap=None):
                st.metric(f"{metric.title} · {metric.symbol}", _newest(own, entry, metric), help=metric.definition)
                figure = charts.curve(
                    histories,
                    metric,
                    colours,
                    boundaries=boundaries,
                    ceiling="mi_ceiling_nats" if name == "mi_nats" else None,
                    top=top if name == "active_units" else None,
                    chosen=_chosen_step(),
                )
                st.vega_lite_chart(
                    *figure,
                    key=f"runs_curve_{name}",
                    on_select=partial(_pick, entry.name, f"runs_curve_{name}"),  # without it a redraw undoes a zoom
                    alt=f"{metric.title} over the steps of training: {', '.join(colours)}",
                )
    st.caption(
        "Lines with points are measured on held-out sentences, faint lines while training; dotted is a ceiling. "
        "Click a point to read what the model wrote then. Pinch, or scroll with Ctrl, to zoom; drag to move; "
        "double-click to see all."
        + (f" The phases are those of {sentences.escape(entry.name)}." if len(colours) > 1 else "")
    )


def _pick(run: str, key: str) -> None:
    """A point of a curve was clicked (or the curve zoomed): show the sentences of the nearest step that has some."""
    points = st.session_state[key].selection.get(charts.CHOSEN) or []
    step = points[0].get("step") if points else None
    if step == st.session_state.get(f"{key}_picked"):
        return
    st.session_state[f"{key}_picked"] = step
    steps = [event["step"] for event in backend.samples(run)]
    if step is not None and steps:
        st.session_state[state.RUNS_STEP] = min(steps, key=lambda other: abs(other - step))


def _chosen_step() -> int | None:
    """The step whose sentences are shown, unless it is simply the newest."""
    step = st.session_state.get(state.RUNS_STEP)
    return None if step == st.session_state.get(state.RUNS_NEWEST) else step


def _shown(histories: pd.DataFrame) -> list[str]:
    """The figures that have been measured, in the order of the page; phase 0 has one of its own."""
    return [name for name in CURVES if name in histories and histories[name].notna().any()]


def _newest(own: pd.DataFrame, entry: backend.Entry, metric: Metric) -> str:
    """The newest value of a figure with its unit, the held-out one where there is one."""
    measured = own[["split", metric.name]].dropna() if metric.name in own else own.iloc[:0]
    held_out = measured[measured["split"] == "valid"]
    rows = measured if held_out.empty else held_out
    value = metric.show(float(rows[metric.name].iloc[-1]) if len(rows) else None)
    if metric.name == "active_units" and entry.latent_size:
        return f"{value} of {entry.latent_size}"
    return f"{value} :small[{metric.unit}]" if metric.unit else value


def _sentences(entry: backend.Entry) -> None:
    events = backend.samples(entry.name)
    if not events:
        return
    st.subheader("What it writes", anchor=False)
    event = events[-1]
    if len(events) > 1:
        event = _chosen(events)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            "**Rebuilt from their codes**",
            help="Held-out sentences, each encoded and decoded again (greedily, from the mean of its posterior). "
            "Words that differ are marked.",
        )
        sentences.rebuilt(event["reconstructions"])
    with right:
        st.markdown(
            "**Written from random codes**",
            help="Decoded from codes drawn once from the prior N(0, I); the same codes at every step. "
            "When they all say the same, the decoder does not listen.",
        )
        sentences.listing(event["prior"])


def _chosen(events: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    """The event of the step on the slider, which follows the newest one until somebody moves it away."""
    steps = {int(str(event["step"])): event for event in events}
    newest = max(steps)
    if st.session_state.get(state.RUNS_STEP) in (None, st.session_state.get(state.RUNS_NEWEST)):
        st.session_state[state.RUNS_STEP] = newest
    if st.session_state[state.RUNS_STEP] not in steps:
        st.session_state[state.RUNS_STEP] = newest
    st.session_state[state.RUNS_NEWEST] = newest
    step = st.select_slider("After step", sorted(steps), key=state.RUNS_STEP, format_func=lambda step: f"{step:,}")
    return steps[step]


def _details(entry: backend.Entry, colour: str) -> None:
    per_dimension = backend.figures(entry.name).get("kl_per_dim_nats")
    if isinstance(per_dimension, list) and per_dimension:
        with st.expander("Dimensions of the code", icon=":material/equalizer:", key="runs_dimensions"):
            st.vega_lite_chart(
                *charts.units(per_dimension, colour),
                key="runs_units",
                alt="Mean KL of each dimension of z, the most used first",
            )
            history = {} if entry.active else backend.kl_per_dimension(entry.name)
            if len(history) > 1:  # not while it trains: a Plotly figure blinks whenever its data change
                st.plotly_chart(
                    charts.units_over_training(list(history), list(history.values())), key="runs_units_history"
                )
    with st.expander("Settings", icon=":material/tune:", key="runs_settings"):
        settings = backend.config(entry.name)
        st.caption(backend.describe(settings.recipe))
        st.code(backend.command(entry.name, settings), language="bash", wrap_lines=True)
    with st.expander("Log", icon=":material/notes:", key="runs_log"):
        st.code(backend.log_tail(entry.name) or "The run has said nothing yet.", language=None, wrap_lines=True)
