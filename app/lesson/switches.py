"""Chapter: how the two papers prevent it. Three switches, and a run for each of their eight settings."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pandas as pd
import streamlit as st

from app import backend, charts, palette, state
from app.components import sentences
from app.components.address import SWITCH, heed
from app.components.part import part
from app.components.run_card import dot, verdict_badge
from app.glossary import METRICS
from app.lesson.chapter import Chapter
from app.lesson.telling import figures_row

GUARDS = {
    "warmup": (
        "Warm-up",
        "Encoder warm-up: for the first two epochs the encoder alone learns, and codes cost nothing.",
    ),
    "free_bits": ("Free bits", "Half a nat in each dimension of z costs nothing."),
    "noise": ("Noise", "The encoder reads each sentence with 15 % of its tokens deleted."),
}
"""The switches: what each is called, and what it does."""

CURVES = ("kl_nats", "delta_nll_nats")
"""The figures that are drawn over training."""

TOP = 40.0
"""How far their axes reach, nats: in the warm-up, where codes cost nothing, KL goes far beyond."""

SHOWN = 3
"""Sentences that are shown of what a run writes."""

ALL_ON = backend.Switches(warmup=True, free_bits=True, noise=True)
USUAL = replace(ALL_ON, noise=False)
"""The switches of `two-phase`, which every run is drawn beside."""

LINES = ("as switched", "two-phase")


def act() -> None:
    """The three switches, and the run that was trained as they stand."""
    st.markdown("**Switch one off,** and see what becomes of KL and of the code. Each of the eight settings is a run.")
    switched()


@part
def switched() -> None:
    """The run of the switches as they are set: its figures over training, its verdict, and what it writes."""
    heed(dict.fromkeys(state.LEARN_SWITCHES.values(), SWITCH))
    with st.container(horizontal=True, gap="medium"):
        chosen = {name: _switch(name) for name in GUARDS}
    name, usual = (backend.cube()[switches] for switches in (backend.Switches(**chosen), USUAL))
    own = backend.colours()[usual]
    colour = next(each for each in (palette.PALETTE[3], palette.PALETTE[2]) if each != own)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(f"{dot(name, colour)}, as switched · beside it, dashed, {dot(usual, own)}")
        for figure in CURVES:
            frame = pd.concat([course(each, line, figure) for each, line in zip((name, usual), LINES, strict=True)])
            st.vega_lite_chart(
                *charts.beside(frame, METRICS[figure].axis, TOP, dict(zip(LINES, (colour, own), strict=True)))
            )
        st.caption(f"KL above {TOP:.0f} nats is cut off: the warm-up lets it rise, for there it costs nothing.")
        st.page_link(
            "app/pages/race.py",
            label="These two as a race, with all figures",
            icon=":material/flag:",
            query_params=[(state.RACE_RUNS, each) for each in dict.fromkeys((name, usual))],
        )
    with right:
        verdict = backend.verdict(name)
        if verdict:
            st.markdown(f"{verdict_badge(verdict.name)}  \n{sentences.escape(verdict.headline)}")
        figures_row(name, (*CURVES, "rec_nats"))
        sentences.rebuilt(backend.samples(name)[-1]["reconstructions"][:SHOWN])


def _switch(name: str) -> bool:
    title, about = GUARDS[name]
    return st.toggle(title, value=True, help=about, key=state.LEARN_SWITCHES[name], bind="query-params")


def course(name: str, line: str, figure: str) -> pd.DataFrame:
    """A figure of a run at each of its checks: run, line, step, value."""
    rows = [(name, line, check.step, check.figures.get(figure)) for check in backend.lane(name).checks]
    return pd.DataFrame(rows, columns=["run", "line", "step", "value"]).dropna()


def outcomes() -> pd.DataFrame:
    """What became of the eight, those with most switches on first: the switches, the newest figures, verdict."""
    rows = []
    for on in sorted(product((True, False), repeat=len(GUARDS)), key=sum, reverse=True):
        switches = dict(zip(GUARDS, on, strict=True))
        name = backend.cube()[backend.Switches(**switches)]
        verdict = backend.verdict(name)
        rows.append(switches | backend.figures(name) | {"verdict": verdict.name if verdict else ""})
    return pd.DataFrame(rows)


def one_off(found: pd.DataFrame) -> dict[str, pd.Series]:
    """Of the eight, those with a single switch off, by that switch."""
    alone = found[found[list(GUARDS)].sum(axis=1) == len(GUARDS) - 1]
    return {name: alone[~alone[name]].iloc[0] for name in GUARDS}


def missed_most(found: pd.DataFrame) -> str:
    """The switch without which, all others on, the decoder listens least."""
    off = one_off(found)
    return min(off, key=lambda name: off[name]["delta_nll_nats"])


def reveal() -> None:
    """All eight in a table, what each switch is worth, and what the papers report."""
    found = outcomes()
    st.html(table(found))
    st.caption("KL, ΔNLL and rec in nats, at the last check of each run.")
    st.markdown(worth(found))
    st.markdown(
        "One seed a setting, and short captions made by a grammar: what holds here need not hold for other texts."
    )
    with st.expander("What the papers report"):
        st.markdown(PAPERS)


def table(found: pd.DataFrame) -> str:
    """The eight as a table, in HTML: narrow enough for a phone."""
    shown = [METRICS[name] for name in (*CURVES, "rec_nats")]
    heads = [*(title for title, _ in GUARDS.values()), *(metric.symbol for metric in shown), "verdict"]
    rows = ["".join(f'<th scope="col" style="{_CELL}">{head}</th>' for head in heads)]
    for row in found.to_dict("records"):
        cells = [_ON[row[name]] for name in GUARDS]
        cells += [metric.show(row[metric.name]) for metric in shown]
        rows.append("".join(f'<td style="{_CELL}">{cell}</td>' for cell in (*cells, row["verdict"])))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div style="overflow-x: auto"><table style="border-collapse: collapse">{body}</table></div>'


_CELL = (
    "padding: 0.3rem clamp(0.25rem, 1vw, 1rem); border-bottom: 1px solid rgba(128, 132, 138, 0.35); text-align: center"
)
_ON = {True: '<span role="img" aria-label="on">✓</span>', False: '<span role="img" aria-label="off">–</span>'}


def worth(found: pd.DataFrame) -> str:
    """What each switch is worth, by the figures of the runs."""
    off, kl, delta = one_off(found), METRICS["kl_nats"], METRICS["delta_nll_nats"]
    title = {name: words.lower() for name, (words, _) in GUARDS.items()}
    each = ", ".join(f"without {title[name]} {delta.show(off[name][delta.name])}" for name in GUARDS)
    most, healthy = missed_most(found), found["verdict"] == "healthy"
    spared = [title[name] for name in GUARDS if name != most and off[name]["verdict"] == "healthy"]
    words = (
        f"With all three on, a sentence costs {delta.show(found.iloc[0][delta.name])} nats more under the code of "
        f"another one; {each}. **The code misses {title[most]} most**: of the four runs with {title[most]} "
        f"{(healthy & found[most]).sum()} are healthy, and of the four without, {(healthy & ~found[most]).sum()}. "
    )
    if spared:
        words += f"Here, to take only {' or only '.join(spared)} away leaves a healthy run. "
    alone = found[found["warmup"] & ~found["free_bits"] & ~found["noise"]].iloc[0]
    return words + (
        f"With the warm-up alone KL ends at {kl.show(alone[kl.name])} nats, and with all three off at "
        f"{kl.show(found.iloc[-1][kl.name])}."
    )


PAPERS = (
    "Li et al., on news text (PTB): the warm-up alone collapses once KL has its price; "
    "free bits alone keep every unit active; both together model the text best. Park & Lee: without the warm-up all "
    "schemes of their preliminary experiments collapsed; noise matters for long texts, and not for short ones."
)
"""What Li et al. (2019, Tables 1 to 3) and Park & Lee (2021, sections 4 and 5.1) say of the same three."""

CHAPTER = Chapter(
    slug="switches",
    title="How the two papers prevent it",
    short="Prevention",
    minutes=4,
    setting=(
        "Li et al. (2019) guard a VAE with two things; Park & Lee (2021) add a third. **Encoder warm-up**: at first "
        "the encoder learns alone, and codes cost nothing. **Free bits**: the first half nat in each dimension of *z* "
        "is free. **Noise**: the encoder reads sentences with tokens missing. Eight runs have each of these on or off; "
        "text, seed, number of steps, and a price of KL that rises to 1 over three epochs, are the same for all."
    ),
    question="All three guards are on, and one is turned off. Which one does the code miss most?",
    options=("The warm-up", "Free bits", "Noise"),
    answer=1,
    act=act,
    reveal=reveal,
    remember=(
        "What is free cannot be priced away: free bits keep the code alive. Which guards a text needs shows when each "
        "is taken away alone."
    ),
    runs=tuple(backend.cube().values()),
)
