"""Chapter: how to tell. Figures of the encoder can look alive while the decoder reads nothing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import backend, state
from app.components import sentences
from app.components.run_card import dot
from app.glossary import METRICS, help_of
from app.lesson.chapter import Chapter, run_of

SHOWN = 3
"""Sentences that are shown of each model."""

ENCODER = ("kl_nats", "mi_nats", "active_units")
"""What looks at the encoder alone."""


def act() -> None:
    """The same sentences through both models, and the three figures of each."""
    st.markdown(
        "**Ask the decoders.** The same sentences went through both models: in grey what went in, below what came out."
    )
    names = [run_of(recipe) for recipe in ("two-phase", "as-released")]
    for column, name, title in zip(st.columns(2, gap="large", border=True), names, "AB", strict=True):
        with column:
            st.markdown(f"**Model {title}**")
            figures_row(name, ENCODER)
            sentences.rebuilt(backend.samples(name)[-1]["reconstructions"][:SHOWN])


def reveal() -> None:
    """The one figure that asks the decoder, for both."""
    delta = METRICS["delta_nll_nats"]
    names = [run_of(recipe) for recipe in ("two-phase", "as-released")]
    st.markdown(
        "What comes out of B is fluent, and has nothing to do with what went in: its encoder fills z with information, "
        "and its decoder does not look there for it. KL, MI and active units are all computed from the encoder; "
        "they cannot "
        f"know. **{delta.symbol}** asks the decoder: what does a sentence cost more under the code of *another* "
        "sentence?"
    )
    for column, name, title in zip(st.columns(2, gap="large", border=True), names, "AB", strict=True):
        with column:
            st.markdown(f"**Model {title}**: {dot(name, backend.colours()[name])}")
            figures_row(name, ("delta_nll_nats",))
            verdict = backend.verdict(name)
            if verdict:
                st.markdown(sentences.escape(verdict.headline))
    st.markdown(
        "B replays a slip in published code that mixed up the codes of a batch: each sentence was decoded from "
        "pieces of "
        "others' codes, and its tables still looked alive. The figures of the paper can be put right from its own "
        "print."
    )
    st.page_link(
        "app/pages/evaluate.py",
        label="All figures of both, with what each of them can and cannot tell",
        icon=":material/straighten:",
        query_params=[(state.EVALUATE_RUNS, name) for name in names],
    )


def figures_row(name: str, wanted: Sequence[str]) -> None:
    """The newest figures of a run, side by side, each with what it means."""
    known = backend.figures(name)
    with st.container(horizontal=True):
        for each in wanted:
            metric = METRICS[each]
            value = f"{metric.show(known.get(each))} :small[{metric.unit}]"
            st.metric(f"{metric.title} · {metric.symbol}", value, help=help_of(metric))


CHAPTER = Chapter(
    slug="telling",
    title="How to tell",
    short="How to tell",
    minutes=3,
    setting=(
        "Collapse shows as KL ≈ 0, no mutual information (**MI**: how surely a code tells which sentence it is of) and "
        "no active units (**AU**: dimensions of *z* that differ from sentence to sentence). So papers print these "
        "three as signs of life. Model B has KL of tens of nats, MI at its ceiling, and every one of its units active."
    ),
    question="Does the decoder of model B use its code?",
    options=("Yes: all three figures say so", "It uses half of it", "No"),
    answer=2,
    act=act,
    reveal=reveal,
    remember="KL, MI and AU look at the encoder. To know whether a code is *read*, give the decoder another one.",
    recipes=("two-phase", "as-released"),
)
