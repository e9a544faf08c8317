"""Learn: the first lesson. Two models read the same random codes; which one has collapsed?"""

import streamlit as st

from app import backend, state
from app.components import sentences
from app.components.run_card import dot
from app.glossary import METRICS


def candidates() -> tuple[str, str] | None:
    """A healthy and a collapsed run that were given the same codes and sentences: the bundled pair, or the newest."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    for entry in sorted(backend.entries(), key=lambda entry: not entry.bundled):
        verdict = backend.verdict(entry.name) if entry.state == "finished" else None
        by_design = entry.state == "finished" and backend.config(entry.name).model.latent == "zero"
        if verdict and not by_design and backend.samples(entry.name):
            alike = found.setdefault((entry.latent_size, backend.config(entry.name).data.corpus), {})
            alike.setdefault(verdict.name, entry.name)
            if {"healthy", "collapsed"} <= alike.keys():
                return alike["healthy"], alike["collapsed"]
    return None


def reveal(healthy: str, collapsed: str, right: bool) -> None:
    """What happened, in the figures of both."""
    if right:
        st.success(f"Yes: {names[collapsed]} has collapsed.", icon=":material/check_circle:")
    else:
        st.warning(f"Look again: it is {names[collapsed]} that has collapsed.", icon=":material/replay:")
    st.markdown(
        "Its decoder has learned to write likely sentences without the code, and the encoder has given up writing "
        "into it. Every random code is then read as the same sentence. The loss does not show it: predicting words "
        "from the words before is enough to make it small. What shows it is to hand the decoder *another* sentence's "
        "code and see whether it minds."
    )
    for column, run in zip(st.columns(2, gap="large"), pair, strict=True):
        figures = backend.figures(run)
        with column:
            st.markdown(dot(run, backend.colours()[run]))
            with st.grid(2, min_column_width=200):
                for name in ("delta_nll_nats", "kl_nats", "neg_elbo_nats"):
                    metric = METRICS[name]
                    value = f"{metric.show(figures.get(name))} :small[{metric.unit}]"
                    st.metric(f"{metric.title} · {metric.symbol}", value, help=metric.definition)
            verdict = backend.verdict(run)
            if verdict:
                st.markdown(sentences.escape(verdict.headline))
    st.page_link(
        "app/pages/runs.py",
        label="See how they got there: both in the same curves",
        icon=":material/monitoring:",
        query_params={state.RUN: healthy, state.RUNS_COMPARE: collapsed},
    )


st.title("Which one has collapsed?", anchor=False)
both = candidates()
if both is None:
    st.markdown(
        "This lesson needs two finished runs: one that is healthy and one that has collapsed. The recipes *two-phase* "
        "and *plain-vae* on the built-in captions make them in a few minutes each."
    )
    with st.container(horizontal=True):
        for recipe in ("two-phase", "plain-vae"):
            st.page_link(
                "app/pages/train.py",
                label=f"Train {recipe}",
                icon=":material/model_training:",
                query_params={state.TRAIN_RECIPE: recipe},
            )
    st.stop()

healthy, collapsed = both
pair = sorted(both, key=lambda run: sum(map(ord, run)) % 7)  # not always the same one first
names = dict(zip(pair, ("the left one", "the right one"), strict=True))
st.markdown(
    "Eight random codes were drawn from the prior and given to two text VAEs, the same eight to both. "
    "This is what they read in them.",
    width=820,
)
for column, run, name in zip(st.columns(2, gap="large", border=True), pair, ("Left", "Right"), strict=True):
    with column:
        st.markdown(f"**{name}**")
        sentences.listing(backend.samples(run)[-1]["prior"], merge=False)

guess = st.segmented_control(
    "Which one has collapsed?",
    ["Left", "Right"],
    key=state.LEARN_GUESS,
    bind="query-params",
)
if guess:
    reveal(healthy, collapsed, right=pair[guess == "Right"] == collapsed)
