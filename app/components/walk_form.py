"""The kind of path and how its codes are read, for one path as for ten."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import backend, state
from app.components.address import Between
from app.components.walk_ends import SEEDS

METHODS = {"Linear": ("linear",), "Slerp": ("slerp",), "Both": ("linear", "slerp")}
DECODINGS = ("Greedy", "Sample", "Beam")
ALLOWED = {
    state.WALK_STEPS: Between(3, 41),
    state.WALK_EXTEND: Between(0, 1),
    state.WALK_METHOD: tuple(METHODS),
    state.WALK_DECODING: DECODINGS,
    state.WALK_TEMPERATURE: Between(0.05, 5),
    state.WALK_TOP_P: Between(0.05, 1),
    state.WALK_BEAMS: Between(2, 16),
    state.WALK_DRAW: Between(0, SEEDS),
    state.WALK_DRAWS: Between(1, 5),
}


def choose_way() -> backend.Way:
    """The kind of path, and how its codes are read."""
    method = st.segmented_control(
        "Path",
        tuple(METHODS),
        default="Linear",
        required=True,
        key=state.WALK_METHOD,
        bind="query-params",
        help="Linear: (1 − t) A + t B, which passes nearer to the origin than random codes lie. Slerp "
        "(spherical): a turn from A to B, which keeps their distance from it. Both: side by side.",
    )
    reading = st.segmented_control(
        "Reading",
        DECODINGS,
        default="Greedy",
        required=True,
        key=state.WALK_DECODING,
        bind="query-params",
        help="Greedy takes the likeliest word each time. Sample draws words by their probability. Beam keeps "
        "several beginnings and takes the likeliest whole.",
    )
    way = backend.Way(methods=METHODS[method], how=_decoding(reading))
    if reading == "Sample":
        draws = st.number_input(
            "Draws a step",
            1,
            5,
            1,
            key=state.WALK_DRAWS,
            bind="query-params",
            width=130,
            help="How often each code is read. What varies from draw to draw, z does not settle.",
        )
        way = replace(way, draws=int(draws))
    return way


def choose_steps(way: backend.Way) -> backend.Way:
    """How many steps one path has, and how far it goes on beyond its ends."""
    steps = st.slider("Steps", 3, 41, 11, key=state.WALK_STEPS, bind="query-params")
    extend = st.slider(
        "Beyond both ends",
        0.0,
        1.0,
        0.0,
        0.05,
        key=state.WALK_EXTEND,
        bind="query-params",
        help="How far the path goes on before A and after B, as a share of its length.",
    )
    return replace(way, steps=int(steps), extend=float(extend))


def _decoding(method: str) -> backend.Decoding:
    """What there is to choose about a way of turning codes into words."""
    if method == "Sample":
        temperature = st.number_input(
            "Temperature", 0.05, 5.0, 1.0, 0.05, key=state.WALK_TEMPERATURE, bind="query-params", width=140
        )
        top_p = st.number_input("Top-p", 0.05, 1.0, 1.0, 0.05, key=state.WALK_TOP_P, bind="query-params", width=140)
        seed = st.number_input("Seed of the words", 0, SEEDS, 0, key=state.WALK_DRAW, bind="query-params", width=160)
        return backend.Decoding(method="sample", temperature=temperature, top_p=top_p, seed=int(seed))
    if method == "Beam":
        beams = st.number_input("Beams", 2, 16, 4, key=state.WALK_BEAMS, bind="query-params", width=140)
        return backend.Decoding(method="beam", beams=int(beams))
    return backend.Decoding()
