"""Chapter: how collapse happens. Two runs on one clock."""

from __future__ import annotations

import streamlit as st

from app import backend, state
from app.components import race_form, race_lanes
from app.components.run_card import dot
from app.glossary import METRICS, duration
from app.lesson.chapter import Chapter, run_of

RECIPES = ("two-phase", "plain-vae")
LIVE = [*((state.RACE_RECIPES, recipe) for recipe in RECIPES), (state.RACE_SIZE, "Quick"), (state.RACE_SEED, "0")]
"""The form of the page Race as the link fills it in: a parameter for each value."""


def act() -> None:
    """The race of the two, replayed from its beginning, and the way to run it live."""
    presenting = state.LEARN_PRESENT in st.query_params
    st.markdown(
        "**Watch the race.** Press ▶, or click into it and step with the arrow keys; the verdict changes when it is "
        "earned. **ΔNLL** is what a sentence costs more when the decoder is given another sentence's code: 0 if it "
        "reads none.",
        width="stretch" if presenting else 820,
    )
    names = [run_of(recipe) for recipe in RECIPES]
    entries = [backend.entry(name) for name in names]
    lanes = [backend.lane(name) for name in names]
    drawn = race_lanes.drawing(entries, lanes, backend.colours(), start=0)
    race_lanes.race_lanes(drawn | {"compact": presenting})
    if not backend.read_only():
        st.page_link(
            "app/pages/race.py",
            label=live(),
            icon=":material/flag:",
            query_params=LIVE,
        )


def live() -> str:
    """What the link to the race says: the time is the one that the form of the page Race will say."""
    configs = [backend.race_config(recipe, "quick", 0) for recipe in RECIPES]
    seconds = race_form.longest(configs, configs[0].data.train_sentences or 0)
    return "Run it live on this machine" + (f": about {duration(seconds)} at most" if seconds is not None else "")


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
        "faster to guess a word from the words before it. So the code earns nothing, and the KL term takes it away. "
        "Once the encoder writes nothing, the decoder has nothing to learn to read: no way leads back."
    )
    st.markdown(unlike())
    st.markdown(
        "A decoder that reads no code can only take the likeliest words, the same each time. **That is why a collapsed "
        "model writes the same sentence for every *z***, as the plain VAE did in chapter 2, or one much like it."
    )


def unlike() -> str:
    """In what the two runs differ, for the healthy one has more than one advantage."""
    sound, plain = (backend.config(run_of(recipe)) for recipe in RECIPES)
    steps = [backend.lane(run_of(recipe)).checks[-1].step for recipe in RECIPES]
    return (
        "The healthy run had more than one advantage. Its encoder learned to write before codes had a price, and the "
        f"price then rose slowly, over {sound.phase2.kl_epochs:g} passes through the text; in each dimension of *z* "
        f"{sound.phase2.free_bits_per_dimension:g} nats cost nothing (*free bits*, "
        f"{plain.phase2.free_bits_per_dimension:g} in the plain VAE); and it took {steps[0]:,} steps, not "
        f"{steps[1]:,}. **Which of these saves a code, this race cannot tell: chapter 6 takes them apart.**"
    )


CHAPTER = Chapter(
    slug="collapse",
    title="How collapse happens",
    short="Collapse",
    minutes=3,
    setting=(
        "Two models start from the same weights, with the same text and the same seed. The *plain VAE* is trained on "
        "the ELBO from its first step. *two-phase* first lets its encoder learn while codes are free, and is helped in "
        "other ways as well."
    ),
    question="The loss of the plain VAE falls all the time. What does its KL do?",
    options=("It grows slowly", "It swings up and down", "It falls to zero, early, and stays there"),
    answer=2,
    act=act,
    reveal=reveal,
    remember="Collapse happens early: the decoder learns to do without the code before the code is worth reading.",
    recipes=RECIPES,
)
