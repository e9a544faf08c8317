"""Plane: an exact plane through latent space. Hover anywhere to read, click to pin a z, walk between two pins."""

from __future__ import annotations

import contextlib
import html
import json
from typing import NamedTuple

import streamlit as st

from app import backend, state
from app.components import plane_view
from app.components.address import Between, heed
from app.components.hearing import WOVEN, deaf, replays
from app.components.neighbours import neighbours
from app.components.path_strip import identity, path_strip, rested, typical
from app.components.plane_view import AT_FIRST, LAYERS, PINS, Sign, Track
from app.components.run_picker import run_picker
from app.components.sentences import escape
from app.components.train_first import train_first
from app.components.unread import unread

KINDS = {
    "Principal axes": "principal",
    "Two dimensions": "dimensions",
    "Three sentences": "sentences",
    "Three samples": "samples",
}
EXAMPLES = (
    "a man is reading a book on a bench .",
    "two dogs are running on the beach in the rain .",
    "a girl is not singing in the kitchen .",
)
CELLS = ("20", "40", "60", "80")
STEPS = 11
SEEDS = 2**32 - 1
LONGEST = 2000  # characters of a typed sentence
LAST = "Last weights"
PLACED = (*state.PLANE_PINS, state.PLANE_WINDOW, state.PLANE_PLACE)  # means nothing on another plane


class Numbers(NamedTuple):
    """Texts of so many numbers with commas between them, none beyond the edge of the plane."""

    count: int

    def __contains__(self, text: object) -> bool:
        return len(parsed(str(text))) == self.count


class Layers:
    """Texts that name layers, with commas between them."""

    def __contains__(self, text: object) -> bool:
        return all(name in LAYERS for name in str(text).split(",") if name)


def parsed(text: str) -> tuple[float, ...]:
    """The numbers of a text, where it holds nothing else."""
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        return ()
    return numbers if all(abs(number) <= backend.FARTHEST for number in numbers) else ()


def written(*numbers: float) -> str:
    """Numbers as they stand in the URL, to a thousandth."""
    return ",".join(f"{round(number, 3) + 0.0:g}" for number in numbers)


def asked(key: str, count: int) -> tuple[float, ...] | None:
    """The numbers that the URL has under a key, if it has that many."""
    numbers = parsed(st.query_params.get(key, ""))
    return tuple(round(number, 3) for number in numbers) if len(numbers) == count else None


def places() -> dict[str, tuple[float, float]]:
    """The pins that are set, by their letters."""
    found = {name: asked(key, 2) for name, key in zip(PINS, state.PLANE_PINS, strict=True)}
    return {name: place for name, place in found.items() if place is not None}


def drop(*keys: str) -> None:
    """Take something out of the URL."""
    for key in keys:
        st.query_params.pop(key, None)
    state.keep(*keys)


def pinned() -> None:
    """Cells were clicked: a middle is the first pin that is not set; with all of them there, the last one moves."""
    state.restore(*state.PLANE_PINS)
    told = st.session_state[state.PLANE_VIEW].pinned
    st.session_state[state.PLANE_HELD] = told.get("held") if isinstance(told, dict) else None
    for spot in state.unheard(told):
        known = places()
        name = next((name for name in PINS if name not in known), PINS[-1])
        st.query_params[state.PLANE_PINS[PINS.index(name)]] = written(spot["x"], spot["y"])
    state.keep(*state.PLANE_PINS)


def framed() -> None:
    """A part of the plane is to be decoded, or the whole of it."""
    part = st.session_state[state.PLANE_VIEW].framed
    if part and "whole" in part:
        drop(state.PLANE_WINDOW)
    elif part:
        st.query_params[state.PLANE_WINDOW] = written(part["x"], part["y"], part["width"])


def shown() -> None:
    """Layers were switched on or off."""
    layers = st.session_state[state.PLANE_VIEW].shown
    if layers is not None and set(layers) == set(AT_FIRST):
        drop(state.PLANE_SHOWN)
    elif layers is not None:
        st.query_params[state.PLANE_SHOWN] = ",".join(name for name in LAYERS if name in layers)


def layers() -> list[str]:
    """The layers that the URL wants to be shown."""
    text = st.query_params.get(state.PLANE_SHOWN)
    return list(AT_FIRST) if text is None or text not in Layers() else text.split(",")


def spanned(texts: tuple[str, ...]) -> None:
    """Lay the plane through three sentences."""
    st.session_state[state.PLANE_KIND] = "Three sentences"
    for key, text in zip(state.PLANE_TEXTS, texts, strict=True):
        st.session_state[key] = text
    drop(*PLACED)


def remember(plane: str) -> None:
    """Pins and window belong to a plane: they go when it does, unless the URL brings those of the new one."""
    seen = {key: st.query_params.get(key) for key in PLACED}
    before = st.session_state.get(state.PLANE_KNOWN)
    if before and before["plane"] != plane and before["seen"] == seen:
        drop(*PLACED)
        seen = dict.fromkeys(PLACED)
    st.session_state[state.PLANE_KNOWN] = {"plane": plane, "seen": seen}


def choose_weights(model: backend.Model) -> int | None:
    """The step of a snapshot, or none for the last weights."""
    steps = list(model.run.snapshots()) if model.run else []
    if not steps:
        return None
    options = [LAST, *(f"Step {step}" for step in steps)]
    heed({state.PLANE_SNAPSHOT: options})
    chosen = st.selectbox(
        "Snapshot",
        options,
        key=state.PLANE_SNAPSHOT,
        bind="query-params",
        width=160,
        help="The run as it is, or as it was at an earlier step: see the space form, or collapse.",
    )
    return None if chosen == LAST else int(chosen.removeprefix("Step "))


def choose_pair(model: backend.Model) -> backend.Cut:
    """Two dimensions, those first that tell most, and what the plane goes through."""
    size, kl = backend.latent_size(model), backend.dimension_kl(model)
    order = range(size) if kl is None else sorted(range(size), key=lambda index: -kl[index])
    options = [str(index) for index in order]
    heed(dict.fromkeys(state.PLANE_PAIR, options))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pair = [
            int(st.selectbox(label, options, index=first, key=key, bind="query-params", width=150, help=words))
            for label, first, key, words in zip(
                ("Across: dimension", "Up: dimension"),
                (0, min(1, size - 1)),
                state.PLANE_PAIR,
                ("The dimensions of z, those with the largest KL first.", None),
                strict=True,
            )
        ]
        text = st.text_input(
            "Through the code of",
            key=state.PLANE_THROUGH,
            bind="query-params",
            max_chars=LONGEST,
            placeholder="a sentence; empty: all other dimensions are 0",
            width=430,
        )
    if kl is not None:
        st.caption(" · ".join(f"z{index} carries {kl[index]:.2f} nats of KL" for index in pair))
    unread(model, text or "")
    return backend.Cut(kind="dimensions", pair=(pair[0], pair[1]), texts=(text,) if text and text.strip() else ())


def choose_texts(model: backend.Model, sentences: backend.Codes | None) -> backend.Cut:
    """Three sentences."""
    examples = list(dict.fromkeys(sentences.texts))[:3] if sentences else []
    examples = examples if len(examples) == 3 else list(EXAMPLES)
    with st.grid(3, min_column_width=260):
        texts = tuple(
            st.text_input(
                f"Sentence {number}", state.usual(key, example), key=key, bind="query-params", max_chars=LONGEST
            )
            or ""
            for number, (example, key) in enumerate(zip(examples, state.PLANE_TEXTS, strict=True), 1)
        )
    unread(model, *texts)
    return backend.Cut(kind="sentences", texts=texts)


def choose_cut(kind: str, model: backend.Model, sentences: backend.Codes | None) -> backend.Cut:
    """Which plane, of a kind."""
    if kind == "dimensions":
        return choose_pair(model)
    if kind == "sentences":
        return choose_texts(model, sentences)
    if kind == "samples":
        heed({state.PLANE_SEED: Between(0, SEEDS)})
        seed = st.number_input("Seed", 0, SEEDS, 0, key=state.PLANE_SEED, bind="query-params", width=160)
        return backend.Cut(kind="samples", seed=int(seed))
    return backend.Cut()


def pin_card(name: str, pin: backend.Pin) -> None:
    """What is to be said about one pin."""
    with st.container(border=True, gap="small", key=f"plane_card_{name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            x, y = (f"{at:.3f}".replace("-", "−") for at in pin.place)
            st.markdown(f":gray-badge[**{name}**] ({x}, {y})")
            with st.popover("z", icon=":material/data_array:", help="The code itself, and the sentences next to it"):
                st.code(json.dumps([round(float(value), 6) for value in pin.code]), language="json", wrap_lines=True)
                if pin.near:
                    neighbours(pin.near)
            key = state.PLANE_PINS[PINS.index(name)]
            st.button("", icon=":material/close:", key=f"plane_drop_{name}", help=f"Take {name} off",
                      on_click=drop, args=(key,))  # fmt: skip
        words = html.escape(pin.text) or "(an empty sentence)"
        st.html(f'<div dir="auto" style="font-size: 1.15rem; line-height: 1.35; overflow-wrap: anywhere">{words}</div>')
        near = f" Nearest sentence, {pin.nearest[1]:.1f} away: {escape(pin.nearest[0])}" if pin.nearest else ""
        st.caption(typical(pin.shell) + near)


def pins_side(pins: dict[str, backend.Pin]) -> None:
    """The pins, and what can be done with them."""
    for name, pin in pins.items():
        pin_card(name, pin)
    if len(pins) < len(PINS):
        free = next(name for name in PINS if name not in pins)
        st.caption(f"Click the plane, or press Enter on a cell, to pin {free} there.")
    near = tuple(dict.fromkeys(pin.nearest[0] for pin in pins.values() if pin.nearest))
    if len(near) == len(PINS):
        clicked = st.button(
            "Plane through their nearest sentences",
            icon=":material/change_history:",
            key="plane_span",
            on_click=spanned,
            args=(near,),
            help="The pins themselves span the plane that you see; the sentences next to them span another.",
        )
        if clicked:
            st.rerun()


def notes(field: backend.Field, sentences: backend.Codes | None) -> str:
    """What is seen, and how far it can be trusted."""
    n = field.window.n
    count, parts = len(field.texts), len(field.regions)
    said = (
        f"{n * n:,} codes, read greedily at the middle of each cell: {count} different "
        f"sentence{'s' * (count != 1)} in {parts} region{'s' * (parts != 1)}. Every place is exactly one z."
    )
    if sentences is not None:
        said += (
            f" The outlines hold {100 * backend.SHARE:.0f} % of random codes (dashed) and of the sentences' posteriors "
            "(solid) as they are seen on the plane from all dimensions. Hatched are holes: random codes fall there, "
            "sentences do not."
        )
    return said


def woven(name: str) -> None:
    """Say so where a sentence depends on what it is decoded with."""
    if replays(name):
        st.warning(
            f"This run {WOVEN} The weave is the order of the cells in their batch, and a pin, which is decoded alone, "
            "may read otherwise.",
            icon=":material/shuffle:",
        )


def reads_the_same(field: backend.Field, standing: str | None) -> None:
    """Say so where there is little to be read."""
    most = field.texts[0]
    share = float((field.cells == 0).mean())
    known = deaf(standing or "")
    if len(field.texts) == 1:
        st.warning(f"{known} The whole plane reads the same: “{escape(most)}”".strip(), icon=":material/compress:")
    elif known:
        st.warning(
            f"{known} {100 * share:.0f} % of this window reads the same: “{escape(most)}”",
            icon=":material/compress:",
        )


def position(walk: backend.Walk) -> int:
    """The step that is nearest to the t in the URL; the first where there is none."""
    place = asked(state.PLANE_PLACE, 1) or (0.0,)
    return min(range(len(walk.places)), key=lambda step: abs(walk.places[step] - place[0]))


def read(walk: backend.Walk) -> None:
    """The strip of the sentences between A and B; the place where the reader rests goes into the URL."""

    def follow() -> None:
        place = rested(state.PLANE_STRIP, walk)
        if place is not None:
            st.query_params[state.PLANE_PLACE] = written(place)

    path_strip(walk, position=position(walk), key=state.PLANE_STRIP, on_position=follow)


@st.fragment
def explore(name: str, model: backend.Model, cut: backend.Cut, surface: backend.Plane, n: int) -> None:
    """The plane, its pins and the walk between them: what a click changes, and nothing else."""
    judged = not name.startswith("~") and model.snapshot is None
    standing = backend.standing(backend.entry(name)) if judged else None
    sentences, spans = backend.plane_sentences(model), backend.plane_spanning(model, cut)
    part = asked(state.PLANE_WINDOW, 3)
    whole = backend.plane_whole(model, surface, spans, n)
    window = backend.plane_window(*part, n) if part and part[2] > 0 else whole
    first = state.PLANE_VIEW not in st.session_state  # later the plane itself says so, and nothing moves
    with st.spinner(f"Decoding {n * n:,} codes …", show_time=True) if first else contextlib.nullcontext():
        field = backend.plane_field(model, surface, window)
    spots = places()
    state.keep(*state.PLANE_PINS)
    pins = dict(zip(spots, backend.plane_pins(model, surface, list(spots.values())), strict=True))
    walk = backend.plane_walk(model, pins["A"], pins["B"], STEPS) if {"A", "B"} <= pins.keys() else None

    woven(name)
    reads_the_same(field, standing.name if standing else None)
    left, right = st.columns([1.4, 1], gap="medium")
    with left:
        at = surface.place(spans) if spans else ()
        track = None
        if walk:
            x, y = surface.place(walk.codes).T.tolist()
            track = Track(id=identity(walk), x=x, y=y, position=position(walk))
        plane_view.plane_view(
            plane_view.drawing(
                field,
                surface,
                sentences,
                name=name,
                pins=[Sign(name=letter, x=x, y=y) for letter, (x, y) in spots.items()],
                marks=[Sign(name=mark, x=x, y=y) for mark, (x, y) in zip(backend.SPANNING, at, strict=False)],
                path=track,
                shown=layers(),
                whole=window == whole,
                held=st.session_state.pop(state.PLANE_HELD, None) or "",
            ),
            key=state.PLANE_VIEW,
            on_pinned=pinned,
            on_framed=framed,
            on_cleared=lambda: drop(*state.PLANE_PINS, state.PLANE_PLACE),
            on_shown=shown,
        )
        st.caption(notes(field, sentences))
    with right:
        pins_side(pins)
    if walk:
        st.header("From A to B", anchor=False)
        st.fragment(read)(walk)
    with st.expander("The same in Python, or from a terminal", icon=":material/code:"):
        again = (model, cut, window, list(spots.values()), STEPS)
        st.code(backend.plane_python(*again), language="python", wrap_lines=True)
        st.code(backend.plane_command(*again), language="bash", wrap_lines=True)
    remember(repr((name, model.snapshot, cut)))


st.title("Plane", anchor=False)
names = [entry.name for entry in backend.entries() if entry.has_model] + list(state.opened())
if not names:
    train_first("There is no trained model yet.", "Train the first one, then read the space between its sentences.")
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    name = run_picker(names, default=backend.showcase(names))
    model = backend.model(name, state.opened().get(name))
    model = backend.model(name, state.opened().get(name), choose_weights(model))
    sentences = backend.plane_sentences(model)
    kinds = [kind for kind in KINDS if sentences is not None or kind != "Principal axes"]
    heed(
        {state.PLANE_KIND: kinds, state.PLANE_CELLS: CELLS, state.PLANE_WINDOW: Numbers(3)}
        | dict.fromkeys(state.PLANE_PINS, Numbers(2))
        | {state.PLANE_PLACE: Between(0, 1), state.PLANE_SHOWN: Layers()}
    )
    kind = st.segmented_control(
        "Plane through",
        kinds,
        default=kinds[0],
        required=True,
        key=state.PLANE_KIND,
        bind="query-params",
        width="content",
        help="The directions in which the codes differ most; two dimensions of z; the codes of three sentences; three "
        "random codes.",
    )
    cells = st.selectbox(
        "Cells a side",
        CELLS,
        index=CELLS.index(str(backend.CELLS)),
        key=state.PLANE_CELLS,
        bind="query-params",
        width=110,
    )
if sentences is None:
    st.caption(
        "No principal axes: they are the directions in which the codes of a run's sentences differ most, and "
        + (
            "this model was opened without a run."
            if model.run is None
            else "the sentences of this run have no codes yet. They are encoded when training ends, or on the page Map."
        )
    )
try:
    cut = choose_cut(KINDS[kind], model, sentences)
    surface = backend.plane(model, cut)
except ValueError as error:
    st.error(escape(str(error)), icon=":material/error:")
    st.stop()
remember(repr((name, model.snapshot, cut)))
explore(name, model, cut, surface, int(cells))
