"""Interpolate: from one code to another, and the sentences on the way."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import backend, state
from app.components import walk_ends, walk_form, walk_lanes, walk_pairs, walk_table
from app.components.address import heed
from app.components.part import part
from app.components.train_first import train_first
from app.components.walk_lanes import Lane
from app.components.walk_sides import Side, choose_sides, remarks


def one_path(sides: Sequence[Side], home: backend.Model, shown: bool) -> None:
    """From A to B: the form, and unless it is out of sight the sentences, their map and their table."""
    state.repeat(state.WALK_PLACE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = walk_form.choose_steps(walk_form.choose_way() if shown else backend.Way())
        st.button("Two random codes", icon=":material/casino:", key="walk_pair", on_click=walk_ends.roll, args=(0, 1))
    with st.grid(2, min_column_width=420):
        with st.container():
            a = walk_ends.choose_end(0, home)
        with st.container():
            b = walk_ends.choose_end(1, home)
    if not shown:
        return
    for side in sides:
        backend.latent_size(side.model)  # opens the model, with a word about that
    routes = [
        (side.model, [(backend.carried(a, home, side.model), backend.carried(b, home, side.model))]) for side in sides
    ]
    found = [walk for model, pairs in routes for walk in backend.paths(model, pairs, way)]
    inputs = backend.input_text(home, a), backend.input_text(home, b)
    if len(found) == 1 and len(set(found[0].texts)) == 1 and not sides[0].verdict:
        st.info("Every step of this path reads the same. Try ends that lie farther apart.", icon=":material/info:")
    kinds = [(side, method) for side in sides for method in way.methods]
    walk_lanes.read(
        [Lane(side=side, method=method, walk=walk) for (side, method), walk in zip(kinds, found, strict=True)]
    )
    table = walk_table.rows(dict(zip(walk_lanes.titles(sides, way.methods), found, strict=True)), (a, b), inputs)
    stem = f"{'-'.join(side.name for side in sides)}-path"
    walk_table.take_along(table, stem, backend.walk_python(routes, way), backend.walk_command(routes, way))


def walks(sides: Sequence[Side], home: backend.Model) -> None:
    """Of these models, one path or ten. How paths go and are read is one choice, made in the view that is open."""
    state.repeat(state.WALK_PLACE)
    one, ten = st.tabs(walk_pairs.VIEWS, key=state.WALK_VIEW, bind="query-params")
    with one:
        part(one_path)(sides, home, one.open)
    with ten:
        walk_pairs.ten_pairs(sides, home, ten.open)  # not by itself: it opens a pair in the other view


def page() -> None:
    """The models, and what is walked through them: parts within parts, of which a gesture redraws its own."""
    state.repeat(state.WALK_PLACE)
    names = [entry.name for entry in backend.entries() if entry.has_model] + list(state.opened())
    if not names:
        train_first("There is no trained model yet.", "Train the first one, then walk through its codes.")
        return
    sides = choose_sides(names)
    home = backend.model(sides[0].name, state.opened().get(sides[0].name))
    heed(
        walk_ends.ALLOWED
        | walk_form.ALLOWED
        | walk_lanes.ALLOWED
        | walk_pairs.ALLOWED
        | {state.end(side, "kind"): walk_ends.kinds(home) for side in (0, 1)}
        | {state.WALK_VIEW: walk_pairs.VIEWS, state.WALK_PAIRS: walk_pairs.kinds(home)}
    )
    remarks(sides)
    part(walks)(sides, home)


st.title("Interpolate", anchor=False)
state.keep(state.WALK_PLACE)  # the whole page runs: what the address says holds
walk_ends.begin()
part(page)()
