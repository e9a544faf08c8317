"""The ends of a path: a random code by its seed, the code of a sentence, or a sentence of the run's map."""

from __future__ import annotations

import random

import streamlit as st

from app import backend, state
from app.components import latent_map
from app.components.address import SWITCH, Between, heed
from app.components.unread import unread

KINDS = ("Prior", "Sentence", "Map")
EXAMPLES = ("a man is reading a book on a bench .", "two dogs are running on the beach in the rain .")
SEEDS = 2**32 - 1
LONGEST = 2000  # characters of a typed sentence
FOUND = 50  # most sentences that the search for an end offers
ALLOWED = {
    **{state.end(side, "seed"): Between(0, SEEDS) for side in (0, 1)},
    **{state.end(side, "drawn"): SWITCH for side in (0, 1)},
}


def kinds(model: backend.Model) -> tuple[str, ...]:
    """What an end can be."""
    return KINDS if backend.has_codes(model) else KINDS[:2]


def roll(*sides: int) -> None:
    """New random codes: for one end, or a new pair, each by a seed of its own."""
    for side, seed in zip(sides, random.sample(range(10_000), len(sides)), strict=True):
        st.session_state[state.end(side, "seed")] = seed
        if len(sides) == 2:
            st.session_state[state.end(side, "kind")] = "Prior"


def begin() -> None:
    """To be called when the whole page runs: two ends that nobody asked for are random codes by two seeds.

    An address that asks for any of a path has 0 for each seed that it lacks, as it always had.
    """
    for side in (0, 1):
        st.session_state.pop(state.end(side, "known_seed"), None)
    if not any(key.startswith("walk_") for key in st.query_params):
        st.session_state[state.end(1, "known_seed")] = 1


def set_ends(ends: backend.Pair) -> None:
    """Make these the ends, before their widgets are drawn."""
    for side, end in enumerate(ends):
        st.session_state[state.end(side, "kind")] = end.kind.capitalize()
        st.session_state[state.end(side, "seed")] = end.seed
        st.session_state[state.end(side, "drawn")] = end.drawn
        if end.kind == "map":
            st.query_params[state.end(side, "row")] = str(end.row)


def choose_end(side: int, model: backend.Model) -> backend.End:
    """The form of one end, in one row where there is room."""
    name, known = "AB"[side], backend.codes(model) if backend.has_codes(model) else None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.segmented_control(
            f"End {name}",
            kinds(model),
            default=None if state.end(side, "kind") in st.session_state else KINDS[0],
            required=True,
            key=state.end(side, "kind"),
            bind="query-params",
            width="content",
            help="Prior: a random code, by its seed; one seed gives A and B a code each. Sentence: the code of what "
            "you type. Map: a sentence of the map.",
        )
        if kind == "Prior":
            return backend.End(kind="prior", seed=_seed(side, "Seed"))
        if known and kind == "Map":
            row = _row(side, known)
            sampled, seed = _drawn(side)
            return backend.End(kind="map", row=row, drawn=sampled, seed=seed)
        example = known.texts[side % len(known.texts)] if known else EXAMPLES[side]
        text = st.text_input(
            "Sentence", example, key=state.end(side, "text"), bind="query-params", max_chars=LONGEST, width=560
        )
        sampled, seed = _drawn(side)
    unread(model, text or "")
    return backend.End(kind="sentence", text=text or "", drawn=sampled, seed=seed)


def _seed(side: int, label: str) -> int:
    """A seed, and the dice. The seed stays what it was while the end was something else."""
    key, known = state.end(side, "seed"), state.end(side, "known_seed")
    if key not in st.session_state and key not in st.query_params and known in st.session_state:
        st.session_state[key] = st.session_state[known]
        st.query_params[key] = str(st.session_state[known])  # a link to this walk is not one that lacks its seed
    seed = st.number_input(label, 0, SEEDS, key=key, bind="query-params", width=140)
    st.session_state[known] = int(seed)
    st.button("Roll", icon=":material/casino:", key=state.end(side, "dice"), on_click=roll, args=(side,))
    return int(seed)


def _drawn(side: int) -> tuple[bool, int]:
    """Whether to take a sample of the posterior instead of its mean, and with which seed."""
    sampled = st.toggle(
        "Sample its posterior",
        key=state.end(side, "drawn"),
        bind="query-params",
        help="The encoder answers with a Gaussian, not a point. Off: its mean. On: a random draw from it.",
    )
    return sampled, _seed(side, "Seed of the draw") if sampled else 0


def _row(side: int, codes: backend.Codes) -> int:
    """A sentence of the map: the one that the URL or a click there brought, or one that is searched for."""
    key, known = state.end(side, "row"), state.end(side, "known_row")
    asked = st.query_params.get(key)
    if asked is not None and asked != st.session_state.get(known):
        heed({key: [str(row) for row in range(len(codes.texts))]})
        st.session_state[key] = int(asked) if asked.isdecimal() and len(asked) < 12 else 0
    current = st.session_state.get(key)
    current = current if isinstance(current, int) and 0 <= current < len(codes.texts) else 0
    words = st.text_input(
        "Find a sentence",
        key=state.end(side, "search"),
        type="search",
        live="300ms",
        placeholder="words in it",
        width=200,
    )
    matches = latent_map.matches(codes.texts, words or "")[:FOUND]
    options = [*([] if current in matches else [current]), *matches]
    st.session_state[key] = current
    row = st.selectbox(
        f"Sentence of the map, {len(matches)} found" if matches else "Sentence of the map",
        options,
        format_func=lambda row: latent_map.shortened(codes.texts[row]),
        key=key,
        persist_state="session",
        width=430,
    )
    st.query_params[key] = st.session_state[known] = str(row)
    return int(row)
