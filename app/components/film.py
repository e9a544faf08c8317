"""The training of one run or two as a film, played in the browser (assets/film.*).

What is computed here is what the picture needs, once for each film: places as whole numbers of 16 bits, colours, the
figures of every check, what changed since the one before in words, and what the model wrote then. Nothing here touches
a model, except that a run which kept no codes along the way has its sentences encoded by its snapshots first.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from app import backend, state
from app.components.address import heed
from app.components.assets import component
from app.components.latent_map import LENGTH, colouring, colourings, first_colouring, shortened
from app.components.sentences import compared, escape
from app.glossary import METRICS, phase_of

if TYPE_CHECKING:
    from numpy import ndarray

EVERY = 3.0
"""Seconds between two looks for a new check while a run trains."""

MOST = 2
"""Films side by side."""

PLANES: Mapping[str, Literal["principal", "dimensions"]] = {"PCA": "principal", "Highest KL": "dimensions"}
"""The planes that a film can be seen on."""

TOLD = ("kl_nats", "active_units")
"""The figures whose change is told in words; the others stand beside the picture."""

SHARE = 0.999
"""Of all places of a film, how many its first view shows; a few stray points must not make the rest small."""

WAYS = (("Interpolate", "interpolate", state.WALK_SNAPSHOTS[0]), ("Read a plane", "plane", state.PLANE_SNAPSHOT))
"""Pages that open a snapshot: what they do, where they are, and their key for its step."""

PLAYER = (
    *("live.css", "canvas.css", "slider.css", "player.css", "words.css"),
    *("words.js", "canvas.js", "player.js"),
)
"""What a film shares with a race: files of `component`."""

_FILM = component("film", *PLAYER)


def drawer(names: Sequence[str], active: bool) -> None:
    """The films of the first of these runs that have one, in a drawer that costs nothing while it is closed."""
    opened = st.expander("Training as a film", icon=":material/movie:", key=state.FILM_OPEN, bind="query-params")
    if opened.open:
        with opened:
            st.fragment(film, run_every=EVERY if active else None)(names)


def film(names: Sequence[str]) -> None:
    """The films of one run or two, on one clock. For a fragment, which repeats while one of them trains."""
    heed({state.FILM_PLANE: list(PLANES)})
    plane = st.segmented_control(
        "Plane",
        list(PLANES),
        default="PCA",
        required=True,
        key=state.FILM_PLANE,
        bind="query-params",
        help="PCA: the two directions in which the codes of the last check differ most. Highest KL: the two dimensions "
        "of z that say most at the last check.",
    )
    try:
        reels = [found for name in names if (found := _reel(name, PLANES[plane]))][:MOST]
    except ValueError as error:  # codes that were damaged, or a run that has just gone
        st.error(escape(str(error)), icon=":material/error:")
        return
    if not reels or reels[0].name != names[0]:
        st.info(
            f"There is no film of {escape(names[0])} yet: it needs the codes of two checks, which are kept from the "
            "first check on, or two snapshots and the sentences that are encoded at the end.",
            icon=":material/movie:",
        )
    if not reels:
        return
    live = any(backend.entry(reel.name).active for reel in reels)
    _FILM(key=state.FILM, data=drawing(reels, _step_asked(), live))
    st.caption(" ".join(notes(reels)))
    _refit(reels)
    with st.popover("Copy as Python", icon=":material/code:"):
        st.code(backend.film_python([reel.name for reel in reels]), language="python")


def drawing(reels: Sequence[backend.Reel], step: int | None, live: bool = False) -> dict[str, Any]:
    """What the browser gets: the films, the clocks that they may run on, and the step to begin at.

    Without a step that is the first check, or, of what is `live`, the newest, which it then follows.
    """
    films = [_drawn(reel.id, reel) | {"links": links(reel.steps, reel.name)} for reel in reels]
    for drawn, reel, view in zip(films, reels, windows(reels), strict=True):
        drawn |= {"colour": backend.colours()[reel.name], "window": view}
    metrics = [METRICS[name] for name in backend.FILM_FIGURES]
    return {
        "id": " ".join(reel.name for reel in reels),
        "films": films,
        "clocks": clocks(reels),
        "metrics": [
            {"name": each.name, "symbol": each.symbol, "unit": each.unit, "title": each.title}
            | {"definition": each.definition}
            for each in metrics
        ],
        "step": step,
        "live": live,
    }


def clocks(reels: Sequence[backend.Reel]) -> list[dict[str, Any]]:
    """The ways in which films can run together: at equal shares of their training, or at equal steps.

    A clock ticks at every check of any of them. `frames` says which frame of each film is the last one by then, and
    `bands` from where to where on the clock, counted in ticks, each film is in which phase.
    """
    if len(reels) == 1:
        return [_clock(reels, "step", [1], "step {:,.0f}")]
    shares = [reel.total / 100 for reel in reels]
    return [
        _clock(reels, "at equal shares", shares, "{:.0f} % of training"),
        _clock(reels, "at equal steps", [1] * len(reels), "step {:,.0f}"),
    ]


def phase_at(step: int, phases: Sequence[tuple[int, int, int]]) -> int:
    """The phase that a step belongs to; where one ends, it is still that one."""
    return next((phase for phase, _, last in phases if step <= last), phases[-1][0])


def changes(steps: Sequence[int], phases: Sequence[str], figures: Sequence[Mapping[str, Any]],
            rebuilt: Sequence[tuple[int, int] | None]) -> list[str]:  # fmt: skip
    """What happened up to each check, in words.

    `phases` says what the phase of each check is called, and `rebuilt` how many of how many sentences are rebuilt word
    for word, where that is known.
    """
    said = []
    for frame, step in enumerate(steps):
        parts = []
        for name in TOLD:
            metric = METRICS[name]
            now = metric.show(figures[frame].get(name))
            was = metric.show(figures[frame - 1].get(name)) if frame else now
            unit = f" {metric.unit}" if name != "active_units" and metric.unit else ""
            parts.append(f"{metric.symbol} {now if now == was else f'{was} → {now}'}{unit}")
        lead = "Before the first step" if step == 0 else f"At step {step:,}"
        if frame:
            lead = f"From step {steps[frame - 1]:,} to {step:,}"
        if frame and phases[frame] != phases[frame - 1]:
            lead += f", the first check of {phases[frame]}"
        words = f"{lead}: {', '.join(parts)}."
        if (counted := rebuilt[frame]) is not None:
            few, all_ = counted
            before = rebuilt[frame - 1] if frame else None
            adverb = "now " if before is not None and before != counted else ""
            words += f" {few} of {all_} sentences {'is' if few == 1 else 'are'} {adverb}rebuilt word for word."
        said.append(words)
    return said


def shown(figures: Mapping[str, Any], size: int) -> list[tuple[str, str]]:
    """The figures of a check as they are read: value and unit, and what it can be at most."""
    found = []
    for name in backend.FILM_FIGURES:
        metric = METRICS[name]
        unit = metric.unit
        if name == "mi_nats" and figures.get("mi_ceiling_nats") is not None:
            unit += f", at most {metric.show(figures['mi_ceiling_nats'])}"
        if name == "active_units":
            unit = f"of {size}"
        found.append((metric.show(figures.get(name)), unit))
    return found


def windows(reels: Sequence[backend.Reel]) -> list[list[float]]:
    """Left, right, bottom and top of what is first seen of each film: nearly all places of all checks, and the prior.

    Side by side all films are seen at one scale, with the prior at the same place, so that they can be compared.
    """
    low, high = np.full(2, -backend.RADIUS), np.full(2, backend.RADIUS)
    for reel in reels:
        places = reel.places.reshape(-1, 2) - reel.prior
        low = np.minimum(low, np.quantile(places, (1 - SHARE) / 2, axis=0))
        high = np.maximum(high, np.quantile(places, (1 + SHARE) / 2, axis=0))
    found = []
    for reel in reels:
        x, y = reel.prior
        found.append([float(edge) for edge in (x + low[0], x + high[0], y + low[1], y + high[1])])
    return found


def links(steps: Sequence[int], name: str) -> list[dict[str, Any] | None]:
    """Of each check, what can be opened with the weights that are nearest to it."""
    weights = backend.film_weights(name)
    found: list[dict[str, Any] | None] = []
    for step in steps:
        if not weights:
            found.append(None)
            continue
        near = min(weights, key=lambda other: abs(other - step))
        snapshot = weights[near]
        lead = "With the last weights" if snapshot is None else f"With the snapshot of step {snapshot:,}"
        to = []
        for title, page, key in WAYS:
            query = {state.RUN: name} | ({} if snapshot is None else {key: str(snapshot)})
            to.append({"title": title, "href": f"{page}?{urlencode(query)}"})
        found.append({"lead": f"{lead}{'' if near == step else ', the nearest'}:", "to": to})
    return found


def notes(reels: Sequence[backend.Reel]) -> list[str]:
    """What the picture shows, and how far it can be trusted."""
    said = []
    for reel in reels:
        whose = f"Of {escape(reel.name)}: " if len(reels) > 1 else ""
        share = 100 * reel.seen[reel.steps.index(reel.plane_step)]
        said.append(
            f"{whose}{len(reel.sentences.texts)} sentences on one plane, which was laid through the codes of step "
            f"{reel.plane_step:,} and stays where it is. It is exact, and shows {share:.0f} % of the variance of "
            f"those codes, {100 * reel.seen[0]:.0f} % of those of step {reel.steps[0]:,}; what moves across it is not "
            "seen."
        )
        if not reel.watched:
            said.append(
                f"This run kept no codes along the way, so there are only {len(reel.steps)} frames: its first test "
                "sentences, encoded by its snapshots and its last weights."
            )
    if len(reels) > 1:
        said.append(
            "Each film has a plane of its own: compare how far the points lie from the prior and from each other, not "
            "where they are."
        )
    said.append("Between two checks the points are drawn on their way: nothing was measured there.")
    return said


def _reel(name: str, kind: Literal["principal", "dimensions"]) -> backend.Reel | None:
    """The film of a run. While it trains its plane stays that of the codes it was first seen with."""
    pending = backend.film_pending(name)
    if pending:
        bar = st.progress(0.0, text=f"{escape(name)} kept no codes along the way: its sentences are encoded …")
        for number, step in enumerate(pending, 1):
            backend.film_encode(name, step)
            words = f"{escape(name)}: its sentences are encoded, {number} of {len(pending)} frames"
            bar.progress(number / len(pending), text=words)
        bar.empty()
    still = st.session_state.setdefault(state.FILM_STILL, {})
    if not backend.entry(name).active:
        still.pop(name, None)
    found = backend.reel(name, kind, still.get(name))
    if found and backend.entry(name).active:
        still[name] = found.plane_step
    return found


def _refit(reels: Sequence[backend.Reel]) -> None:
    """While a run trains, its plane can be laid through the newest codes."""
    behind = [reel.name for reel in reels if reel.plane_step != reel.steps[-1]]
    if not behind:
        return

    def forget() -> None:
        for name in behind:
            st.session_state[state.FILM_STILL].pop(name, None)

    st.button("Lay the plane through the newest codes", icon=":material/filter_center_focus:", on_click=forget)


def _step_asked() -> int | None:
    """The step whose sentences the page shows, if somebody has chosen one."""
    if (asked := st.query_params.get(state.RUNS_STEP)) is not None:
        return int(asked) if asked.isdecimal() else None
    shown = st.session_state.get(state.RUNS_STEP)
    return None if shown == st.session_state.get(state.RUNS_NEWEST) else shown


@st.cache_resource(max_entries=8, show_spinner=False)
def _drawn(key: str, _reel: backend.Reel) -> dict[str, Any]:
    """A film as the browser draws it, in JSON; the same as long as the film is."""
    reel, sentences = _reel, _reel.sentences
    events = {event["step"]: event for event in backend.samples(reel.name)}
    at = [min(events, key=lambda other, step=step: abs(other - step)) for step in reel.steps] if events else []
    pages = list(dict.fromkeys(at))
    counts = [_rebuilt(events[step]) if step in events else None for step in reel.steps]
    low, high = reel.places.min((0, 1)), np.maximum(reel.places.max((0, 1)), reel.places.min((0, 1)) + 1e-6)
    sides = np.sqrt(reel.spreads[..., [0, 2]])
    lean = reel.spreads[..., 1] / np.maximum(sides.prod(-1), 1e-12)
    widest, most = float(sides.max()), max(float(reel.kl_nats.max()), 1e-6)
    spreads = np.concatenate([sides / widest * 255, 127 + 127 * lean.clip(-1, 1)[..., None]], -1)
    own = backend.entry(reel.name).phases
    called = {phase: phase_of(phase, own) for phase, *_ in reel.phases}
    phases = [phase_at(step, reel.phases) for step in reel.steps]
    named = colourings(sentences)[:-1]  # KL changes from check to check: it is not a colour of a sentence
    return {
        "key": key,
        "view": f"{reel.name} {reel.axes} {reel.plane_step}",
        "name": reel.name,
        "steps": reel.steps,
        "phases": phases,
        "called": {str(phase): f"{words[0].upper()}{words[1:]}" for phase, words in called.items()},
        "places": _packed((reel.places - low) / (high - low) * 65535, "<u2"),
        "low": low.tolist(),
        "high": high.tolist(),
        "spreads": _packed(spreads, "u1"),
        "widest": widest,
        "kl": _packed(reel.kl_nats / most * 65535, "<u2"),
        "most": most,
        "prior": {"x": reel.prior[0], "y": reel.prior[1], "radius": backend.RADIUS, "name": "95 % of random codes"},
        "axes": reel.axes,
        "text": [shortened(text) for text in sentences.texts],
        "labels": [_factor(sentences.labels[name], str(name)) for name in sentences.labels],
        "colourings": [colouring(sentences, name) for name in named],
        "colouring": first_colouring(sentences) if named[0] != LENGTH else 0,
        "figures": [shown(row, reel.sentences.means.shape[1]) for row in reel.figures],
        "values": [[row[name] for name in backend.FILM_FIGURES] for row in reel.figures],
        "said": changes(reel.steps, [called[phase] for phase in phases], reel.figures, counts),
        "pages": [pages.index(step) for step in at],
        "written": [_written(events[step]) for step in pages],
    }


def _written(event: Mapping[str, Any]) -> dict[str, Any]:
    pairs = []
    for pair in event["reconstructions"]:
        text, decoded = shortened(str(pair["text"])), shortened(str(pair["decoded"]))
        pairs.append({"text": text, "words": compared(text, decoded)})
    return {"pairs": pairs, "prior": [list(each) for each in Counter(map(shortened, event["prior"])).items()]}


def _rebuilt(event: Mapping[str, Any]) -> tuple[int, int]:
    pairs = event["reconstructions"]
    return sum(pair["text"].split() == pair["decoded"].split() for pair in pairs), len(pairs)


def _clock(reels: Sequence[backend.Reel], title: str, units: Sequence[float], label: str) -> dict[str, Any]:
    """A clock on which so many steps of each film are one unit."""
    places = [[round(step / unit, 4) for step in reel.steps] for reel, unit in zip(reels, units, strict=True)]
    every = sorted({place for own in places for place in own})
    ticks = [
        {"label": label.format(place), "frames": [max(0, bisect_right(own, place) - 1) for own in places]}
        for place in every
    ]
    bands = []
    for reel, unit in zip(reels, units, strict=True):
        starts = [(phase, first) for phase, first, _ in reel.phases]
        edges = np.interp([first / unit for _, first in starts] + [np.inf], every, range(len(every))).round(3).tolist()
        spans = zip(starts, edges, edges[1:], strict=False)
        bands.append([{"phase": phase, "from": low, "to": high} for (phase, _), low, high in spans if high > low])
    return {"title": title, "ticks": ticks, "bands": bands}


def _packed(values: ndarray, kind: str) -> str:
    return base64.b64encode(np.rint(values).astype(kind).tobytes()).decode("ascii")


def _factor(values: Any, name: str) -> dict[str, Any]:
    rows, distinct = values.factorize()
    return {"name": name, "values": distinct.tolist(), "rows": rows.tolist()}
