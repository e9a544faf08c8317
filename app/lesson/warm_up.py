"""Chapter: what a VAE is, and the smallest one, linear. Its dimensions die one by one, exactly when theory says."""

from __future__ import annotations

import streamlit as st

from app import backend, state
from app.components.linear_vae import linear_vae
from app.lesson.chapter import Chapter


def act() -> None:
    """The linear VAE under a slider for its noise."""
    st.markdown(
        "**Turn up the noise.** A dimension with a KL of 0 tells nothing: it is dead. A VAE was trained for every "
        "noise. So small a VAE, its encoder and its decoder one matrix each, can be worked out exactly, too: that "
        "answer is drawn with it.",
        width=820,
    )
    linear_vae(backend.linear_vae(), key=state.LEARN_LINEAR)


def reveal() -> None:
    """The exact answer as a formula, and what it means."""
    st.latex(r"\mathrm{KL}_i = \tfrac12 \ln \frac{\lambda_i}{s^2} \ \text{ where } \lambda_i > s^2, \text{ else } 0")
    st.markdown(
        r"Here $\lambda_i$ is the variance of a direction, and $s^2$ the noise. What varies less than the noise passes "
        "for noise: to tell it through *z* would cost more KL than it saves. No slip of training did this: it is the "
        "exact optimum of what a VAE is trained for, which chapter 3 takes apart.",
        width=820,
    )


CHAPTER = Chapter(
    slug="warm-up",
    title="The smallest VAE",
    short="A VAE",
    minutes=2,
    setting=(
        "A **VAE** is a model that squeezes what it sees into a few numbers and learns to rebuild it from them. These "
        "numbers are its code, ***z***: an *encoder* writes it, a *decoder* reads it. What each number, or "
        "*dimension*, of *z* tells is counted in *nats* (1.44 bits each), and called its **KL**.\n\n"
        "The smallest VAE sees points instead of sentences. They vary in six directions, in some more than in others, "
        "and its *z* has six dimensions. It has one dial: the **noise**, how far off a rebuilt point may be and still "
        "count as right."
    ),
    question="The noise grows. What becomes of the six dimensions of *z*?",
    options=(
        "All fade alike, and none is lost",
        "They die one by one, the least varying direction first",
        "They all die at once",
    ),
    answer=1,
    act=act,
    reveal=reveal,
    remember="A dimension of *z* lives while what it tells is worth more than its KL.",
)
