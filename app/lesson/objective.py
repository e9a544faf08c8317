"""Chapter: what the ELBO asks for. Rate against distortion, and what a rate costs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import backend, charts, state
from app.components.address import heed
from app.components.run_card import dot
from app.glossary import METRICS, mathematics
from app.lesson.chapter import Chapter, run_of, there
from app.palette import TERMS_OF_THE_ELBO as TERMS

RECIPES = ("two-phase", "plain-vae", "language-model")
FAMILY = ("autoencoder", "two-phase", "free-bits-only", "annealed-vae", "plain-vae", "language-model")
"""Recipes whose runs are put on one picture, where they are there: neighbours that lie on each other side by side."""
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
    heed({state.LEARN_WEIGHT: [f"{each:g}" for each in WEIGHTS]})
    weight = st.select_slider(
        "Price of a nat of KL, β",
        WEIGHTS,
        value=0.0,
        format_func="{:g}".format,
        key=state.LEARN_WEIGHT,
        bind="query-params",
    )
    colours, left, right = backend.colours(), *st.columns([2, 3], gap="large")
    with left:
        frame = costs(weight)
        st.vega_lite_chart(*charts.costs(frame))
        best = frame["model"].iloc[frame["total_nats"].argmin()]
        st.markdown(f"At β = {weight:g} the objective of these three is lowest for {dot(best, colours[best])}.")
    with right:
        family = measured()
        shown = {name: colours[name] for name in family["model"]}
        large = {"height": 480, "words": 26} if state.LEARN_PRESENT in st.query_params else {}
        figure = charts.rate_and_distortion(family, weight, shown, **large)
        st.vega_lite_chart(*figure)
        st.caption(
            "The line turns with β. What lies on it costs as much as the cheapest model, what lies above it costs more."
        )


def measured() -> pd.DataFrame:
    """The runs that are there of the family: model, label (its recipe), rec_nats and kl_nats at its last check."""
    names = {recipe: run_of(recipe) for recipe in FAMILY if there(recipe)}
    rows = [{"model": name, "label": recipe} | backend.figures(name) for recipe, name in names.items()]
    return pd.DataFrame(rows)[["model", "label", "rec_nats", "kl_nats"]]


def costs(weight: float) -> pd.DataFrame:
    """What each model pays a sentence at this price: model, rec_nats, kl_nats (priced), total_nats."""
    family = measured().set_index("model").loc[[run_of(recipe) for recipe in RECIPES]].reset_index()
    family["kl_nats"] *= weight
    return family.assign(total_nats=family["rec_nats"] + family["kl_nats"])


def cheapest(frame: pd.DataFrame) -> list[tuple[float, str]]:
    """Which model has the lowest objective as the price rises from 0: the price from which on, and its name."""
    rec, kl, names = (frame[column].tolist() for column in ("rec_nats", "kl_nats", "model"))
    now = min(range(len(names)), key=lambda n: (rec[n], kl[n]))
    found = [(0.0, names[now])]
    while cheaper := [n for n in range(len(names)) if kl[n] < kl[now]]:
        prices = {n: (rec[n] - rec[now]) / (kl[now] - kl[n]) for n in cheaper}
        now = min(prices, key=lambda n: (prices[n], kl[n]))
        found.append((prices[now], names[now]))
    return found


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
    family = measured()
    turns = cheapest(family[[label != "" for label in charts.together(family)]])
    if len(turns) > 2:
        colours = backend.colours()
        first, *later = (dot(name, colours[name]) for _, name in turns)
        then = ", ".join(f"from β = {price:.2f} on {name}" for (price, _), name in zip(turns[1:], later, strict=True))
        st.markdown(f"Of the whole family the cheapest is at first {first}; {then}. The dearer KL, the emptier z.")
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
    short="ELBO",
    minutes=3,
    setting=(
        "Training makes one number small: what is forgotten of a sentence (**rec**, the *distortion*) plus what its "
        "code costs (**KL**, the *rate*), in nats. Let a nat of KL have the price β. At the full price, β = 1, the sum "
        "is the **−ELBO**: never less than −log *p*(*x*), what the sentence costs under the model itself. Three models "
        "are before you: a healthy one that rebuilds most sentences, the *plain VAE*, which ignores its code, and a "
        "*language model* that has none."
    ),
    question="At β = 1, which model has the lowest −ELBO, the sum of both?",
    options=("All the same", "The healthy one", "One of those without a working code"),
    answer=2,
    act=act,
    reveal=reveal,
    remember="The ELBO counts the code as a cost. A decoder that can do without the code will.",
    recipes=RECIPES,
)
