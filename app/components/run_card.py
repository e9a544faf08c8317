"""A run in brief: its colour, name and state, the verdict in words, and the ways on."""

from __future__ import annotations

import streamlit as st

from app import backend, state
from app.components.sentences import escape
from app.glossary import METRICS, STATES, duration, phase_of

VERDICTS = {
    "healthy": ("green", "favorite"),
    "weak": ("orange", "trending_down"),
    "collapsed": ("red", "compress"),
    "disconnected": ("red", "link_off"),
    "autoencoder": ("orange", "open_in_full"),
    "unknown": ("gray", "help"),
    "yardstick": ("gray", "straighten"),
    "warm-up": ("gray", "hourglass_top"),
}
"""Colour of the theme and icon of each verdict, and of what is shown in its place."""


def dot(name: str, colour: str) -> str:
    """A run's name behind a dot of its colour, as Markdown."""
    return f':color[●]{{foreground="{colour}"}} **{escape(name)}**'


def badge(entry: backend.Entry) -> str:
    """The run's state as a badge, as Markdown."""
    words, colour, icon = STATES[entry.state]
    if entry.state == "queued" and entry.status.pid is not None:  # its process is there
        words = "starting"
    return f":{colour}-badge[:material/{icon}: {words}]"


def verdict_badge(name: str) -> str:
    """The name of a verdict, or of what is shown in its place, as a badge, as Markdown."""
    colour, icon = VERDICTS[name]
    return f":{colour}-badge[:material/{icon}: {name}]"


def progress(entry: backend.Entry) -> None:
    """How far an active run is, and how long it will take; or what it waits for."""
    status = entry.status
    if entry.place:
        st.markdown(f":material/hourglass_empty: Place {entry.place} in the queue. {escape(status.message)}")
        return
    share = status.step / status.total_steps if status.total_steps else 0.0
    words = f"step {status.step:,} of {status.total_steps:,}" if status.total_steps else "Getting ready"
    if status.total_steps and (phase := phase_of(status.phase, entry.phases)):
        words += f" · {phase}"
    if status.message:
        words += f" · {escape(status.message)}"
    if status.eta_s is not None:
        words += f" · about {duration(status.eta_s)} left"
    st.progress(min(1.0, max(0.0, share)), text=words)


def run_card(entry: backend.Entry, colour: str) -> None:
    """The card, in the surrounding container."""
    with st.container(border=True, height="stretch", gap="small"):
        standing = None if entry.problem else backend.standing(entry)
        badges = badge(entry)
        if standing and standing.name != "unknown":
            badges += " " + verdict_badge(standing.name)
        st.markdown(f"{dot(entry.name, colour)}  \n{badges}")
        if entry.problem:
            st.caption(escape(entry.problem))
            return
        if entry.active:
            progress(entry)
        elif standing and standing.name != "unknown":
            st.markdown(escape(standing.headline))
        elif entry.status.message:
            st.markdown(escape(entry.status.message))
        st.caption(_facts(entry))
        st.space("stretch")
        _ways_on(entry)


def _facts(entry: backend.Entry) -> str:
    known = backend.figures(entry.name)
    known = {} if backend.untrained(known) else known
    parts = [escape(entry.recipe), f"z of {entry.latent_size}"]
    metrics = [METRICS[name] for name in ("kl_nats", "delta_nll_nats") if name in known]
    if metrics:
        parts.append(", ".join(f"{metric.symbol} {metric.show(known[metric.name])}" for metric in metrics) + " nats")
    return " · ".join(parts)


def _ways_on(entry: backend.Entry) -> None:
    ways = [("runs", "Curves", "monitoring")]
    if entry.has_model:
        ways += [("map", "Map", "scatter_plot"), ("interpolate", "Interpolate", "linear_scale")]
    with st.container(horizontal=True, gap="small"):
        for page, label, icon in ways:
            st.page_link(
                f"app/pages/{page}.py", label=label, icon=f":material/{icon}:", query_params={state.RUN: entry.name}
            )
