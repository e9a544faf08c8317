"""Paths to be read: one beside its map, or several side by side, all at the same t."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app import backend, state
from app.components import latent_map
from app.components.address import Between
from app.components.latent_map import Course, Mark, Scene
from app.components.part import part
from app.components.path_strip import identity, path_strip, rested
from app.components.walk_sides import Side, heading

ALLOWED = {state.WALK_PLACE: Between(-1, 2), state.WALK_MAP: ("PCA", "UMAP")}


@dataclass(frozen=True, kw_only=True, eq=False)
class Lane:
    """One path on the page: through which model, of which kind."""

    side: Side
    method: str
    walk: backend.Walk


def titles(sides: Sequence[Side], methods: Sequence[str]) -> list[str]:
    """What tells lanes apart in a table: the model, the kind of path, or both."""
    names = [
        ", ".join([side.title] * (len(sides) > 1) + [method] * (len(methods) > 1))
        for side in sides
        for method in methods
    ]
    return names if len(names) > 1 else ["sentence"]


def read(lanes: Sequence[Lane]) -> None:
    """The strips of sentences and the maps of the paths, each a part of the page that is redrawn by itself."""
    if len(lanes) == 1:
        (lane,) = lanes
        left, right = (
            st.columns([1.25, 1], gap="large") if backend.has_codes(lane.side.model) else (st.container(), None)
        )
        with left:
            part(_strip)(lane, 0)
        if right:
            with right:
                part(_maps)(lanes)
        return
    several = len({lane.method for lane in lanes}) > 1
    for first in range(0, len(lanes), 2):
        for number, column in enumerate(st.columns(2, gap="large"), first):
            with column:
                lane = lanes[number]
                heading(lane.side, lane.method if several else "")
                part(_strip)(lane, number, group="walk")
    mapped = [lane for lane in lanes if backend.has_codes(lane.side.model)]
    if mapped:
        part(_maps)(mapped, headed=True)


def position(walk: backend.Walk) -> int:
    """The step that is nearest to the t in the URL; the first where there is none."""
    try:
        place = float(st.query_params.get(state.WALK_PLACE, walk.places[0]))
    except ValueError:
        return 0
    return min(range(len(walk.places)), key=lambda step: abs(walk.places[step] - place))


def _strip(lane: Lane, number: int, group: str = "") -> None:
    """The strip of sentences; the place where the reader rests goes into the URL."""
    key = _numbered(state.WALK_STRIP, number)

    def follow() -> None:
        place = rested(key, lane.walk)
        if place is not None:
            st.query_params[state.WALK_PLACE] = f"{place:g}"
            state.keep(state.WALK_PLACE)

    label = f"{lane.side.title}, {lane.method}" if group else ""
    path_strip(lane.walk, position=position(lane.walk), key=key, on_position=follow, group=group, label=label)


def _maps(lanes: Sequence[Lane], headed: bool = False) -> None:
    """The paths on the maps of their runs, drawn by one method. Codes, and so maps, are of last weights."""
    state.repeat(state.WALK_PLACE)
    offered = [
        method for method in ("PCA", "UMAP") if all(backend.project(lane.side.model, method.lower()) for lane in lanes)
    ]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.segmented_control(
            "On the map", offered, default="PCA", required=True, key=state.WALK_MAP, bind="query-params"
        )
        colour = latent_map.choose_colouring(backend.codes(lanes[0].side.model))
    columns = st.columns(2, gap="large") if len(lanes) > 1 else [st.container()]
    several = len({lane.method for lane in lanes}) > 1
    for number, lane in enumerate(lanes):
        with columns[number % len(columns)]:
            if headed:
                heading(lane.side, lane.method if several else "")
            _map(lane, number, method.lower(), colour)
    if method == "PCA":
        st.caption("Exact: the path as it lies in this plane. Click a dot of it to go there.")
    else:
        st.caption("Approximate: each step is put among its nearest sentences. Click a dot of the path to go there.")


def _map(lane: Lane, number: int, method: str, colour: str) -> None:
    walk, codes = lane.walk, backend.codes(lane.side.model)
    projection = backend.project(lane.side.model, method)
    if projection is None:  # it has gone away since it was offered
        return
    if colour not in latent_map.colourings(codes):
        colour = latent_map.colourings(codes)[latent_map.first_colouring(codes)]
    course = projection.place(walk.codes)
    ends = [
        Mark(x=x, y=y, name=letter, text=walk.texts[step], title=f"End {letter}")
        for letter, t in (("A", 0.0), ("B", 1.0))
        for step in [min(range(len(walk.places)), key=lambda step: abs(walk.places[step] - t))]
        for x, y in [course[step].tolist()]
    ]
    path = Course(
        id=identity(walk),
        x=course[:, 0].tolist(),
        y=course[:, 1].tolist(),
        t=walk.places,
        texts=walk.texts,
        position=position(walk),
    )
    scene = Scene(ends=ends, path=path, height="26rem")
    latent_map.latent_map(
        codes, projection, colour, scene, key=_numbered(state.WALK_PLANE, number), name=lane.side.name
    )


def _numbered(key: str, number: int) -> str:
    return f"{key}_{number}" if number else key
