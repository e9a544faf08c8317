"""Ten pairs of ends by one seed, and the sentences between, as in Tables 12 and 13 of Li et al. 2019."""

from __future__ import annotations

import html
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app import backend, state
from app.components import walk_form, walk_table
from app.components.address import SWITCH, Between
from app.components.latent_map import shortened
from app.components.path_strip import reading
from app.components.sentences import escape, marked
from app.components.walk_ends import SEEDS, set_ends
from app.components.walk_lanes import titles
from app.components.walk_sides import Side

KINDS = {"Prior samples": "prior", "Test sentences": "map"}
STEPS = 5
ALLOWED = {
    state.WALK_PAIRS_SEED: Between(0, SEEDS - 9),  # the tenth pair of the prior has the seed nine further on
    state.WALK_PAIRS_STEPS: Between(3, 11),
    state.WALK_PAIRS_DRAWN: SWITCH,
}

_QUIET = "opacity: 0.7; font-size: 0.85rem;"
_LANES = "display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); gap: 0.2rem 1.4rem;"
_LINE = "display: grid; grid-template-columns: 5.6rem 1fr; gap: 0.5rem; padding: 0.15rem 0; overflow-wrap: anywhere;"


def kinds(model: backend.Model) -> list[str]:
    """What pairs can be drawn from."""
    return list(KINDS) if backend.has_codes(model) else list(KINDS)[:1]


def ten_pairs(sides: Sequence[Side], home: backend.Model, shown: bool) -> None:
    """The form, and unless it is out of sight the ten paths, decoded in one batch a model."""
    kind, seed, drawn, way = _choose(home, shown)
    if not shown:
        return
    for side in sides:
        backend.latent_size(side.model)  # opens the model, with a word about that
    pairs = backend.random_pairs(home, kind, seed, drawn=drawn)
    if not pairs:
        st.info("The map of this run has too few sentences for a pair.", icon=":material/info:")
        return
    routes = [
        (side.model, [tuple(backend.carried(end, home, side.model) for end in pair) for pair in pairs])
        for side in sides
    ]
    said = [backend.paths(model, carried, way) for model, carried in routes]
    names, kept = titles(sides, way.methods), len(way.methods)
    examples = [
        dict(zip(names, [walk for walks in said for walk in walks[kept * n : kept * (n + 1)]], strict=True))
        for n in range(len(pairs))
    ]
    inputs = [tuple(backend.input_text(home, end) for end in pair) for pair in pairs]
    st.caption(counted(examples))
    _cards(examples, inputs, pairs)
    table = [
        row
        for number, (walks, pair, texts) in enumerate(zip(examples, pairs, inputs, strict=True), 1)
        for row in walk_table.rows(walks, pair, texts, number)
    ]
    stem = f"{'-'.join(side.name for side in sides)}-pairs"
    walk_table.take_along(table, stem, backend.walk_python(routes, way), backend.walk_command(routes, way))


def counted(examples: Sequence[Mapping[str, backend.Walk]]) -> str:
    """How many different sentences a path has on average, in words, for each model."""
    steps = len(next(iter(examples[0].values())).places)
    parts = []
    for title in examples[0]:
        mean = sum(len(set(walks[title].texts)) for walks in examples) / len(examples)
        name = f" by {escape(title)}" if len(examples[0]) > 1 else ""
        parts.append(f"{mean:.1f}{name}")
    return f"Different sentences on a path of {steps} steps, on average: {'; '.join(parts)}."


def example_html(walks: Mapping[str, backend.Walk], inputs: tuple[str, str]) -> str:
    """One pair: its inputs, and for each model the sentences between with their stretches of t, new words marked."""
    given = "".join(
        f'<div dir="auto" style="{_QUIET}">{name}: {html.escape(shortened(text))}</div>'
        for name, text in zip(("Source", "Target"), inputs, strict=True)
        if text
    )
    lanes = "".join(f"<div>{_lane(title if len(walks) > 1 else '', walk)}</div>" for title, walk in walks.items())
    return f'{given}<div style="{_LANES}">{lanes}</div>'


def _lane(title: str, walk: backend.Walk) -> str:
    head = f'<div style="{_QUIET} font-weight: 600;">{html.escape(title)}</div>' if title else ""
    rows = reading(walk, distances=False)["rows"]
    return head + "".join(
        f'<div style="{_LINE}"><span style="{_QUIET}">{row["where"]}</span>'
        f'<span dir="auto">{marked(row["words"]) or "(an empty sentence)"}</span></div>'
        for row in rows
    )


def _cards(
    examples: Sequence[Mapping[str, backend.Walk]], inputs: Sequence[tuple[str, str]], pairs: Sequence[backend.Pair]
) -> None:
    with st.grid(2 if len(examples[0]) == 1 else 1, min_column_width=420):
        for number, (walks, texts, pair) in enumerate(zip(examples, inputs, pairs, strict=True), 1):
            with st.container(border=True, height="stretch", gap="xsmall"):
                with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                    st.markdown(f"**{number}**")
                    st.button(
                        "Walk it",
                        icon=":material/linear_scale:",
                        type="tertiary",
                        key=f"walk_pair_{number}",
                        on_click=_open,
                        args=(pair,),
                        help="This pair as one path: more steps, the map, the slider.",
                    )
                st.html(example_html(walks, texts))


def _open(pair: backend.Pair) -> None:
    set_ends(pair)
    st.session_state[state.WALK_VIEW] = VIEWS[0]


VIEWS = ("One path", "Ten pairs")
"""The tabs of the page."""


def _roll() -> None:
    st.session_state[state.WALK_PAIRS_SEED] = random.randrange(10_000)


def _choose(home: backend.Model, shown: bool) -> tuple[str, int, bool, backend.Way]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = walk_form.choose_way() if shown else backend.Way()
        kind = st.segmented_control(
            "Ten pairs of",
            kinds(home),
            default="Prior samples",
            required=True,
            key=state.WALK_PAIRS,
            bind="query-params",
        )
        drawn = kind == "Test sentences" and st.toggle(
            "Sample their posteriors",
            key=state.WALK_PAIRS_DRAWN,
            bind="query-params",
            help="Off: the mean of each posterior. On: a random draw from it, as in Li et al. 2019.",
        )
        seed = st.number_input("Seed", 0, SEEDS - 9, key=state.WALK_PAIRS_SEED, bind="query-params", width=140)
        st.button("Roll", icon=":material/casino:", key="walk_pairs_dice", on_click=_roll)
        steps = st.slider("Steps", 3, 11, STEPS, key=state.WALK_PAIRS_STEPS, bind="query-params", width=120)
    return KINDS[kind], int(seed), bool(drawn), replace(way, steps=int(steps), extend=0.0, draws=1)
