"""What a report says in figures, each under a sentence on how to read it. All can be saved as SVG: none moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import backend, figures, state
from app.components.run_card import dot
from app.components.sentences import escape
from app.components.train_first import train_link
from app.glossary import METRICS, help_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

REACHED = 20
"""Sentences that must reach a position for its mean to be drawn."""

_BESIDE = (1.9, 1)
"""The widths of a figure and of the words beside it."""
_TOOLS = ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"]
_ZOOM = ["zoom2d", "pan2d", "resetScale2d"]


def figure(drawn: Figure, name: str, alt: str, *, zoom: bool = False) -> None:
    """A figure that can be shown large and saved as SVG, with a light or dark ground as the page has it."""
    st.plotly_chart(
        drawn,
        key=f"evaluate_figure_{name}",
        config={
            "displayModeBar": True,
            "displaylogo": False,
            "modeBarButtonsToRemove": _TOOLS if zoom else _TOOLS + _ZOOM,
            "toImageButtonOptions": {"format": "svg", "filename": name},
        },
        alt=alt,
    )


def does_z_help(
    found: Sequence[backend.Evaluation], yardsticks: Sequence[backend.Evaluation], colours: Mapping[str, str]
) -> None:
    """Each run against a language model with the same decoder, in words and as a figure."""
    st.header(
        "Does z help?",
        anchor=False,
        help="A run can have the lowest cost of a sentence and ignore z. So each is held against a yardstick: the same "
        f"decoder, trained alike, with z fixed to zero. {help_of(METRICS['nll_nats'])}",
    )
    others = [each for each in found if not each.yardstick]
    if not yardsticks:
        st.markdown(
            "There is no yardstick yet: a language model with the same decoder and z fixed to zero, trained and "
            "measured on the same sentences. The recipe *language-model* makes one."
        )
        train_link("Train the yardstick", {state.TRAIN_RECIPE: "language-model"})
        return
    if not others:
        st.markdown("Choose further runs above: each is held against the yardstick, sentence by sentence.")
        return
    pairs = {each.name: backend.gap(each, yardsticks) for each in others}
    gaps = [gap for gap in pairs.values() if gap]
    words, picture = st.columns([1, 1.2], gap="large", vertical_alignment="center")
    with words:
        for name, gap in pairs.items():
            st.markdown(f"{dot(name, colours[name])}: {_gap(gap) if gap else _UNPAIRED}")
        if gaps:
            st.caption(
                "The same sentences, compared one by one; intervals are of 95 %. With z the cost is an upper bound, "
                "tighter for larger K; without z it is exact. So a run may be better than this, but not worse. It is "
                "judged as a language model alone: a z that costs a little more may be worth its walks."
            )
    if gaps:
        with picture:
            drawn = figures.gaps(pd.DataFrame([vars(gap) for gap in gaps]), colours)
            figure(drawn, "does-z-help", f"Difference to the yardstick of {', '.join(gap.run for gap in gaps)}")


_UNPAIRED = "no yardstick has been measured on its sentences. Train *language-model* on the same text."


def _gap(gap: backend.Gap) -> str:
    metric, yardstick = METRICS["nll_nats"], escape(gap.yardstick)
    low, high = sorted((abs(gap.low), abs(gap.high)))
    nats = abs(gap.nats)
    size = f"**{metric.show(nats, low, high)} nats"
    interval = f"({metric.show(low, nats, high)} to {metric.show(high, nats, low)})"
    if gap.high < 0:
        return f"z helps. A sentence costs {size} less** {interval} than under {yardstick}."
    if gap.low > 0:
        return f"as a language model, z does not pay. A sentence costs {size} more** {interval} than under {yardstick}."
    return f"no difference to {yardstick} that these sentences can show."


def rate_distortion(
    found: Sequence[backend.Evaluation], yardsticks: Sequence[backend.Evaluation], colours: Mapping[str, str]
) -> None:
    """The plane of KL and rec."""
    st.header("What the rate buys", anchor=False, help=help_of(METRICS["neg_elbo_nats"]))
    ends = pd.DataFrame([{"run": each.name, **_figures(each, "kl_nats", "rec_nats")} for each in found])
    ways = [backend.trajectory(each.name).assign(run=each.name) for each in found]
    costs = {each.name: each.report.nll_nats for each in yardsticks if each.name in colours}
    drawn = figures.rate_distortion(ends, pd.concat(ways, ignore_index=True), colours, costs)
    picture, words = st.columns(_BESIDE, gap="large", vertical_alignment="center")
    with picture:
        figure(drawn, "rate-distortion", f"KL against rec of {', '.join(colours)}", zoom=True)
    with words:
        st.markdown(
            "KL is the rate: what a code costs. rec is the distortion: what rebuilding from it still costs. "
            "**Down and left is better.**\n\n"
            "Along a thin line −ELBO, their sum, is the same: a run trades one for the other. A run at KL 0 is a "
            "language model.\n\n"
            "The trail behind a point is the way that the run took in training. It may come from beyond the figure: "
            "zoom out to see all of it."
        )
        if together := [group for group in figures.at_one_place(ends) if len(group) > 1]:
            said = "; ".join(" and ".join(map(escape, group)) for group in together)
            st.markdown(f"Nearly at one place, a ring around the other: {said}.")
        if costs:
            st.markdown("On the dashed line a sentence costs what it costs the yardstick: below it, z pays for itself.")


def information(found: Sequence[backend.Evaluation], colours: Mapping[str, str]) -> None:
    """What the KL consists of, and how far its part of information can be known."""
    left, right = st.columns(2, gap="large")
    with left:
        st.header("What the KL is made of", anchor=False, help=help_of(METRICS["marginal_kl_nats"]))
        st.markdown(
            "KL = MI + mismatch with the prior. Both are known from below; the hatched part is what this many "
            "sentences cannot assign to either."
        )
        names = ("kl_nats", "mi_nats", "marginal_kl_least_nats")
        parts = pd.DataFrame([{"run": each.name, **_figures(each, *names)} for each in found])
        figure(figures.kl_parts(parts), "kl-parts", f"Parts of the KL of {', '.join(colours)}")
    with right:
        st.header("How much information can be seen", anchor=False, help=help_of(METRICS["mi_nats"]))
        st.markdown(
            "N sentences show at most ln N nats. A solid line at the ceiling says “at least this much”. Dashed is an "
            "upper bound, where it is near enough to be seen: between the two lies MI. Of lines on each other the "
            "first is drawn wide, the last thin."
        )
        growing = [pd.DataFrame(each.report.mi_by_sentences).assign(run=each.name) for each in found]
        drawn = figures.information(pd.concat(growing, ignore_index=True), colours)
        figure(drawn, "mi-by-sentences", f"MI by the number of sentences, of {', '.join(colours)}")


def by_position(found: Sequence[backend.Evaluation], colours: Mapping[str, str]) -> None:
    """Where in a sentence z matters."""
    st.header("Where in the sentence z matters", anchor=False, help=help_of(METRICS["delta_nll_nats"]))
    places = pd.concat([_places(each) for each in found], ignore_index=True)
    drawn = figures.by_position(places, colours)
    picture, words = st.columns(_BESIDE, gap="large", vertical_alignment="center")
    with picture:
        figure(drawn, "delta-nll-by-position", f"Delta NLL by position, of {', '.join(colours)}")
    with words:
        st.markdown(
            "What each token costs more under another sentence’s z.\n\n"
            "Later tokens can be guessed from earlier ones, so a line falls. Where it lies at zero, the decoder does "
            f"not look at z. Drawn as far as {REACHED} sentences reach."
        )


def _places(found: backend.Evaluation) -> pd.DataFrame:
    """The positions that enough sentences reach for their mean to be more than noise."""
    places = pd.DataFrame(found.report.delta_by_position).assign(run=found.name)
    return places[places["sentences"] >= min(REACHED, found.report.sentences)]


def dimensions(found: backend.Evaluation, colour: str) -> None:
    """KL and variance of each dimension of z, both in the order of KL."""
    report = found.report
    order = sorted(range(report.latent_size), key=lambda dimension: -report.kl_per_dim_nats[dimension])
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**KL of each dimension**", help=help_of(METRICS["kl_nats"]))
        drawn = figures.dimensions(report.kl_per_dim_nats, order, colour, METRICS["kl_nats"].axis)
        figure(drawn, f"{found.name}-kl-by-dimension", f"KL of each dimension of {found.name}")
    with right:
        st.markdown(
            f"**Variance of its mean: {report.active_units} of {report.latent_size} in use**",
            help=help_of(METRICS["active_units"]),
        )
        drawn = figures.dimensions(report.variance_per_dim, order, colour, "Var(μ)", line=0.01)
        figure(drawn, f"{found.name}-variance-by-dimension", f"Variance of each dimension of {found.name}")


def _figures(found: backend.Evaluation, *names: str) -> dict[str, float]:
    return {name: getattr(found.report, name) for name in names}
