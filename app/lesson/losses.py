"""Chapter: what is still lost in a healthy model."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import backend, figures, state
from app.components import sentences
from app.components.part import part
from app.components.report_figures import figure
from app.lesson.chapter import Chapter, run_of

REACHED = 100
"""Sentences that must reach a place for it to be drawn."""

EXAMPLE = "an old woman in a blue coat is selling flowers to two students near the station ."


def act() -> None:
    """A sentence of one's own through the code and back."""
    st.markdown("**Send a sentence through.** Type one, long or strange, and read what 32 numbers keep of it.")
    _through()


@part
def _through() -> None:
    text = st.text_input("Your sentence", EXAMPLE, key=state.LEARN_TEXT, max_chars=300)
    if text.strip():
        name = run_of("two-phase")
        mean, _ = backend.encode(backend.model(name), text)
        sentences.rebuilt([{"text": text, "decoded": backend.decode(backend.model(name), mean[None])[0]}])


def reveal() -> None:
    """What a token costs more under another code, place by place; and where the prior has holes."""
    name = run_of("two-phase")
    found = backend.evaluation(name)
    if found is None:
        st.markdown("This run has not been evaluated yet: its page Evaluate measures it.")
        return
    frame = pd.DataFrame(found.report.delta_by_position).assign(run=name)
    frame = frame[frame["sentences"] >= REACHED]
    st.markdown(f"**What a token costs more under another sentence's code**, by its place in the sentence, in {name}")
    figure(
        figures.by_position(frame, {name: backend.colours()[name]}),
        "lesson-positions",
        "What a token costs more under another sentence's code, by its place in the sentence",
    )
    first, later = frame["delta_nll_nats"].iloc[:4].mean(), frame["delta_nll_nats"].iloc[8:].mean()
    st.markdown(
        f"The right code is worth {first:.1f} nats for each of the first four tokens, and {later:.1f} for those "
        "after the "
        "eighth. Later words are easier to guess from the words before, and what the code knows of them is less. "
        "And random codes come from the *prior*, a cloud without gaps, while the codes of real sentences "
        "leave holes in it, where the decoder has never been. On the plane they can be seen."
    )
    st.page_link(
        "app/pages/plane.py",
        label="Look for holes: the densities of the prior and of the codes, on one plane",
        icon=":material/grid_on:",
        query_params={state.RUN: name},
    )


CHAPTER = Chapter(
    slug="losses",
    title="What is still lost",
    short="Losses",
    minutes=2,
    setting=(
        "The healthy model rebuilds most short sentences word for word. Still, 32 numbers are few, and a decoder that "
        "sees the words before it can guess some words without any code."
    ),
    question="Which words of a sentence does the code know best?",
    options=("The first", "Those in the middle", "The last"),
    answer=0,
    act=act,
    reveal=reveal,
    remember="A healthy code is still a summary: first words best, and not every place is a good one.",
    recipes=("two-phase",),
)
