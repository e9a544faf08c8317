"""The map of a run's codes, drawn and moved in the browser (assets/latent_map.*).

What is computed here is what the drawing needs: colours of groups and shades of numbers, the prior's circle, and marks
for ends, placed codes and a path. Nothing here touches a model.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from app import backend, state
from app.components.assets import component
from app.components.sentences import LONGEST
from app.palette import PALETTE

if TYPE_CHECKING:
    import pandas as pd
    from numpy import ndarray

LENGTH, KL = "length", "KL"
"""What a map can be coloured by beside the labels: words of the sentence; nats between its code and the prior."""

NONE, OTHER = "#A3A6AB", "#70757C"
"""Greys of sentences without a value, and of the values that are too many for a colour of their own."""

RAMP = ("#2B62B0", "#5B82A8", "#8D9A8B", "#C09A55", "#E2860A")
"""Low to high: blue to orange, which everybody tells apart, and visible on light and dark ground."""

SHADES = 32
"""Steps that the ramp is drawn in."""

PRIOR_REACH = math.sqrt(-2 * math.log(0.05))
"""Radius in a plane within which 95 % of the prior falls: of N(0, I) in two dimensions, 2.45."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something put on the map: an end of a path (`row` if it is a sentence of the map), or a placed code."""

    x: float
    y: float
    text: str
    title: str
    name: str = ""
    row: int | None = None
    kind: str = "own"
    """`prior` or `own`: the sign of a placed code."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """A path on the map. `id` is that of the strip of sentences it goes with."""

    id: str
    x: Sequence[float]
    y: Sequence[float]
    t: Sequence[float]
    texts: Sequence[str]
    position: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is to be seen on the map beside its points."""

    ends: Sequence[Mark] = ()
    placed: Sequence[Mark] = ()
    path: Course | None = None
    found: Sequence[int] | None = None
    selected: Sequence[int] | None = None
    height: str = "34rem"


_MAP = component("latent_map", "live.css", "canvas.css", "canvas.js")


def latent_map(
    codes: backend.Codes,
    projection: backend.Projection,
    colour: str,
    scene: Scene,
    *,
    key: str,
    name: str,
    on_picked: Callable[[], None] | None = None,
    on_selected: Callable[[], None] | None = None,
) -> None:
    """Show the map. In `on_picked`, `st.session_state[key].picked` tells of the rows that were clicked."""
    _MAP(
        key=key,
        data=drawing(codes, projection, colour, scene, name) | {"pickable": on_picked is not None},
        on_picked_change=on_picked or (lambda: None),
        on_selected_change=on_selected or (lambda: None),
    )


def drawing(
    codes: backend.Codes, projection: backend.Projection, colour: str, scene: Scene, name: str
) -> dict[str, Any]:
    """The map as the browser draws it: its `sheet`, and what lies on that."""
    return {
        "sheet": sheet(codes, projection, colour, name),
        "ends": [asdict(mark) for mark in scene.ends],
        "placed": [asdict(mark) for mark in scene.placed],
        "path": None if scene.path is None else asdict(scene.path),
        "found": scene.found,
        "selected": scene.selected or None,
        "height": scene.height,
    }


@functools.lru_cache(maxsize=8)
def sheet(codes: backend.Codes, projection: backend.Projection, colour: str, name: str) -> str:
    """All of a map that no gesture on it changes, as JSON: written once, and read by the browser when it is another."""
    x, y = projection.coordinates.T
    method = projection.method.upper()
    labels = [{"name": str(column), **_factor(codes.labels[column])} for column in codes.labels]
    drawn = {
        "points": {
            "x": x.round(4).tolist(),
            "y": y.round(4).tolist(),
            "text": [shortened(text) for text in codes.texts],
            "words": codes.words.tolist(),
            "kl": codes.kl_nats.round(2).tolist(),
            "labels": labels,
        },
        "colour": colouring(codes, colour),
        "prior": _prior(projection),
        "axes": projection.axes if projection.exact else None,
        "run": name,
        "view": f"{name} {method} {len(x)}",
        "name": f"{name}-{projection.method}",
        "alt": f"{method} map of {len(x):,} sentences of {name}. Arrow keys go from point to point, Enter chooses one.",
    }
    return json.dumps(drawn, separators=(",", ":"))


def colourings(codes: backend.Codes) -> list[str]:
    """What the map can be coloured by."""
    return [*map(str, codes.labels), LENGTH, KL]


def first_colouring(codes: backend.Codes) -> int:
    """The index of what a map is coloured by at first: a label with few values, if there is one."""
    for index, column in enumerate(codes.labels):
        if 2 <= codes.labels[column].nunique() <= len(PALETTE):
            return index
    return 0


def choose_colouring(codes: backend.Codes) -> str:
    """The picker of what a map is coloured by, the same on every page that has a map."""
    return st.selectbox(
        "Colour by",
        colourings(codes),
        index=first_colouring(codes),
        key=state.MAP_COLOUR,
        bind="query-params",
        width=170,
    )


def colouring(codes: backend.Codes, column: str) -> dict[str, Any]:
    """Colours of the points: groups with a legend, or shades of a number, with the group or shade of every row.

    The most frequent values have a colour each, as many as the palette has; the rest share one, and so do the
    sentences without a value. A label of many numbers is shaded like a length.
    """
    if column == LENGTH:
        return _ramp("length (words)", codes.words.astype(float), "{:.0f}")
    if column == KL:
        return _ramp("KL (nats)", codes.kl_nats.astype(float), "{:.1f}")
    values = codes.labels[column]
    numbers = _numbers(values)
    if numbers is not None:
        return _ramp(column, numbers, "{:g}")
    counts = values.value_counts()
    named = [name for name in counts.index if name != "none"]
    own = {name: index for index, name in enumerate(named[: len(PALETTE)])}
    rest = named[len(PALETTE) :]
    groups = [{"name": name, "count": int(counts[name]), "colour": PALETTE[i]} for name, i in own.items()]
    if rest:
        groups.append({"name": f"{len(rest)} others", "count": int(counts[rest].sum()), "colour": OTHER})
    if "none" in counts:
        groups.append({"name": "none", "count": int(counts["none"]), "colour": NONE})
    shared = {"none": len(groups) - 1}
    rows = [own.get(value, shared.get(value, len(own))) for value in values]
    return {"title": column, "groups": groups, "rows": rows}


def shortened(text: str) -> str:
    """A sentence at a length that a card or a list can show."""
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def selected_rows(key: str, run: str, count: int) -> list[int]:
    """The sentences that were circled on the map of a key, if it was on this run's."""
    chosen = st.session_state.get(key, {}).get("selected") or {}
    return [row for row in chosen.get("rows", ()) if row < count] if chosen.get("run") == run else []


def matches(texts: Sequence[str], query: str) -> list[int]:
    """The rows whose sentence contains every word of a query, whatever its case."""
    words = query.casefold().split()
    return [row for row, text in enumerate(texts) if all(word in text.casefold() for word in words)] if words else []


def _ramp(title: str, numbers: ndarray, written: str) -> dict[str, Any]:
    """Shades from the 2nd to the 98th percentile, so that a few extremes do not take all of the ramp."""
    known = numbers[np.isfinite(numbers)]
    low, high = np.percentile(known, [2, 98]) if len(known) else (0.0, 0.0)
    share = np.clip((numbers - low) / max(high - low, 1e-9), 0, 1)
    rows = np.where(np.isfinite(share), np.rint(share * (SHADES - 1)), SHADES).astype(int)
    shades = [_blend(step / (SHADES - 1)) for step in range(SHADES)]
    return {
        "title": title,
        "groups": None,
        "shades": [*shades, NONE],
        "low": written.format(low),
        "high": written.format(high),
        "rows": rows.tolist(),
    }


def _blend(share: float) -> str:
    """The colour of the ramp at a share of its length."""
    place = share * (len(RAMP) - 1)
    index = min(int(place), len(RAMP) - 2)
    ends = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in RAMP[index : index + 2]]
    return "#" + "".join(f"{round(a + (b - a) * (place - index)):02X}" for a, b in zip(*ends, strict=True))


def _numbers(values: pd.Series) -> ndarray | None:
    """The values of a label as numbers, if that is what they are and there are more of them than colours."""
    import pandas as pd

    given = values[values != "none"]
    if given.nunique() <= len(PALETTE):
        return None
    numbers = pd.to_numeric(given, errors="coerce")
    return None if numbers.isna().any() else pd.to_numeric(values, errors="coerce").to_numpy(float)


def _factor(values: pd.Series) -> dict[str, Any]:
    """A column as its distinct values and, for every row, the index of its own."""
    rows, distinct = values.factorize()
    return {"values": distinct.tolist(), "rows": rows.tolist()}


def _prior(projection: backend.Projection) -> dict[str, Any] | None:
    """The circle that holds 95 % of random codes. Only an exact plane has one."""
    if not projection.exact:
        return None
    x, y = projection.place(np.zeros((1, projection.codes.shape[1])))[0].tolist()
    return {"x": x, "y": y, "radius": PRIOR_REACH, "name": "95 % of random codes"}
