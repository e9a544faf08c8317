"""Chapter: how collapse happens. Two runs on one clock."""

from __future__ import annotations

import streamlit as st

from app import backend, state
from app.components import race_lanes
from app.components.run_card import dot
from app.glossary import METRICS
from app.lesson.chapter import Chapter, run_of

RECIPES = ("two-phase", "plain-vae")
LIVE = {
    state.RACE_RECIPES: "plain-vae,two-phase",
    state.RACE_SIZE: "Quick",
    state.RACE_SEED: "0",
}


def act() -> None:
    """The race of the two, replayed from its beginning, and the way to run it live."""
    st.markdown(
        "**Watch the race.** Press ▶, or step through it with the arrow keys; the verdict changes when it is earned. "
        "**ΔNLL** is what a sentence costs more when the decoder is given another sentence's code: 0 if it reads none.",
        width=820,
    )
    names = [run_of(recipe) for recipe in RECIPES]
    entries = [backend.entry(name) for name in names]
    lanes = [backend.lane(name) for name in names]
    race_lanes.race_lanes(race_lanes.drawing(entries, lanes, backend.colours(), start=0))
    if not backend.read_only():
        st.page_link(
            "app/pages/race.py",
            label="Run it live: under two minutes from the click, on this machine",
            icon=":material/flag:",
            query_params=LIVE,
        )


def reveal() -> None:
    """When it happened, by the run's own checks."""
    name = run_of("plain-vae")
    checks = backend.lane(name).checks
    gone = next((check for check in checks if check.figures.get("kl_nats", 1.0) < 0.5), None)
    end = checks[-1]
    kl = METRICS["kl_nats"]
    when = f"at its check at step {gone.step:,} of {end.step:,}" if gone else "nowhere in this run"
    st.markdown(
        f"In {dot(name, backend.colours()[name])} KL was under half a nat {when}; it ended at "
        f"{kl.show(end.figures.get('kl_nats'))} {kl.unit}. At first the code is noise to the decoder, which learns "
        "faster "
        "to guess a word from the words before it. So the code earns nothing, and the KL term takes it away. Once the "
        "encoder writes nothing, the decoder has nothing to learn to read: no way leads back. The healthy run "
        "learned to "
        "write *and* read codes before they had a price."
    )
    st.markdown(
        "A decoder that reads no code can only take the likeliest words, the same each time. **That is why a collapsed "
        "model writes the same sentence for every *z***, as the plain VAE did in chapter 2, or one much like it."
    )


CHAPTER = Chapter(
    slug="collapse",
    title="How collapse happens",
    short="Collapse",
    minutes=2,
    setting=(
        "Two models start from the same weights, with the same text and the same seed. The *plain VAE* is trained "
        "on the "
        "ELBO from its first step. *two-phase* first lets its encoder learn while codes are free."
    ),
    question="The loss of the plain VAE falls all the time. What does its KL do?",
    options=("It grows slowly", "It swings up and down", "It falls to zero, early, and stays there"),
    answer=2,
    act=act,
    reveal=reveal,
    remember="Collapse happens early: the decoder learns to do without the code before the code is worth reading.",
    recipes=RECIPES,
)
