"""Chapter: what the ELBO asks for. Rate against distortion, and what a rate costs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import backend, charts, state
from app.components.run_card import dot
from app.glossary import METRICS, mathematics
from app.lesson.chapter import Chapter, run_of
from app.palette import TERMS_OF_THE_ELBO as TERMS

RECIPES = ("two-phase", "plain-vae", "language-model")
WEIGHTS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 2.0, 4.0]

FORMULA = mathematics(
    r"\rec{\underbrace{-\mathbb{E}_{q(z|x)} \log p(x|z)}_{\text{rec: what is forgotten}}} + \beta \;"
    r"\kl{\underbrace{\mathrm{KL}(q(z|x) \,\|\, p(z))}_{\text{KL: what the code costs}}}"
)


def act() -> None:
    """The price of the code under a slider: which model is the cheapest?"""
    st.markdown("**Move the price.** Each bar is one trained model: what it forgets, and what its code costs at β.")
    st.markdown(FORMULA, text_alignment="center")
    st.fragment(priced)()


def priced() -> None:
    """The objective of each model at the price that is set."""
    weight = st.select_slider(
        "Price of a nat of KL, β", WEIGHTS, value=0.0, format_func="{:g}".format, key=state.LEARN_WEIGHT
    )
    frame = costs(weight)
    st.vega_lite_chart(*charts.costs(frame))
    best = frame["model"].iloc[frame["total_nats"].argmin()]
    st.markdown(f"At β = {weight:g} the objective is lowest for {dot(best, backend.colours()[best])}.")


def costs(weight: float) -> pd.DataFrame:
    """What each model pays a sentence at this price, by its report: model, rec_nats, kl_nats (priced), total_nats."""
    rows = []
    for recipe in RECIPES:
        name = run_of(recipe)
        figures = backend.figures(name)
        rec, kl = figures["rec_nats"], weight * figures["kl_nats"]
        rows.append({"model": name, "rec_nats": rec, "kl_nats": kl, "total_nats": rec + kl})
    return pd.DataFrame(rows)


def reveal() -> None:
    """The price at which the two models change places."""
    healthy, plain = (backend.figures(run_of(recipe)) for recipe in ("two-phase", "plain-vae"))
    saved, rate = plain["rec_nats"] - healthy["rec_nats"], healthy["kl_nats"] - plain["kl_nats"]
    unit = METRICS["rec_nats"].unit
    st.markdown(
        f"The code of the healthy model saves {saved:.1f} {unit} of :{TERMS['rec']}[rec] and "
        f"costs {rate:.1f} nats of :{TERMS['kl']}[KL]. So it pays only below "
        f"β = {saved / rate:.2f}. At β = 1, the ELBO itself, **the model that ignores its code is the better one**: "
        "collapse is not a failure to optimize, it is what was asked for. A healthy model is worth its price for what "
        "can be done with its codes."
    )
    st.caption("Each model was trained at its own price. Here the price is moved afterwards, and the models stay.")
    st.page_link(
        "app/pages/evaluate.py",
        label="Rate and distortion of these runs, and the way that each went there",
        icon=":material/straighten:",
        query_params=[(state.EVALUATE_RUNS, run_of(recipe)) for recipe in RECIPES],
    )


CHAPTER = Chapter(
    slug="objective",
    title="What the ELBO asks for",
    minutes=3,
    setting=(
        "Training makes one number small: what is forgotten of a sentence (**rec**, the *distortion*) plus what its "
        "code costs (**KL**, the *rate*, at a price of β a nat; β = 1 is the ELBO). Three models are before you: a "
        "healthy one that rebuilds most sentences, a *plain VAE* that ignores its code, and a *language model* "
        "that has none."
    ),
    question="At β = 1, which model has the lowest −ELBO, the sum of both?",
    options=("All the same", "The healthy one", "One of those without a working code"),
    answer=2,
    act=act,
    reveal=reveal,
    remember="The ELBO counts the code as a cost. A decoder that can do without the code will.",
    recipes=RECIPES,
)
