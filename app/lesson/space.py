"""Chapter: what a latent space of sentences is. Between two sentences lie others."""

from __future__ import annotations

import streamlit as st

from app import backend, state
from app.components.path_strip import path_strip
from app.components.run_card import dot
from app.lesson.chapter import Chapter, run_of

A = "a young man is reading a book on a sofa ."
B = "two dogs are sleeping by the fire ."
STEPS = 17


def act() -> None:
    """The walk between the two sentences, under a slider."""
    st.markdown(
        "**Walk there yourself.** Drag the slider, press ▶, or click into it and use the arrow keys; new words are "
        "marked."
    )
    path_strip(
        _walk("two-phase"), position=0, key=state.LEARN_STRIP, on_position=_no_place, label="the walk", distances=False
    )


def reveal() -> None:
    """The same walk in the model that has collapsed."""
    walk, empty = _walk("two-phase"), _walk("plain-vae")
    different = len(dict.fromkeys(walk.texts))
    st.markdown(
        f"Of {STEPS} codes on the straight line, {different} are read as different sentences, and nearly all are "
        "sentences that somebody could say: subject, place and what is done change one after the other. No rule of "
        "grammar was built in; the decoder knows how to write, and z says what."
    )
    collapsed = run_of("plain-vae")
    repeated = len(dict.fromkeys(empty.texts))
    count = "a single sentence" if repeated == 1 else f"{repeated} sentences"
    st.markdown(
        f"It need not be so. The same walk in {dot(collapsed, backend.colours()[collapsed])} gives {count}, "
        "at both ends, too:"
    )
    other = "the walk in the other model"
    path_strip(empty, position=0, key=state.LEARN_STRIP_2, on_position=_no_place, label=other, distances=False)
    st.page_link(
        "app/pages/plane.py",
        label="Look around: every place of a plane through this space can be read",
        icon=":material/grid_on:",
        query_params={state.RUN: run_of("two-phase")},
    )


def _walk(recipe: str) -> backend.Walk:
    ends = [backend.End(kind="sentence", text=text) for text in (A, B)]
    return backend.walk(backend.model(run_of(recipe)), *ends, steps=STEPS)


def _no_place() -> None:
    """The place in a walk is not kept: a chapter begins at its beginning."""


CHAPTER = Chapter(
    slug="space",
    title="A space of sentences",
    short="Space",
    minutes=2,
    setting=(
        "A text VAE reads a sentence, keeps 32 numbers of it as its code *z*, and writes the sentence anew from these. "
        f"Take two sentences, *{A[:-2]}* and *{B[:-2]}*, and go from the code of the one to that of the other in a "
        "straight line."
    ),
    question="What will the decoder write half-way?",
    options=(
        "A sentence that has something of both",
        "Words of both, in no order",
        "One of the two sentences, unchanged",
    ),
    answer=0,
    act=act,
    reveal=reveal,
    remember="In a good latent space, every place is a sentence, and near places say nearly the same.",
    recipes=("two-phase", "plain-vae"),
)
