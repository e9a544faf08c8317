"""A plane of latent space that reads itself under the pointer, drawn in the browser (assets/plane.*).

What is computed here is what the drawing needs: tints of regions, one table of sentences, facts of every cell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from app import backend
from app.components.assets import component
from app.components.latent_map import shortened
from app.components.path_strip import typical
from app.palette import PALETTE

LAYERS = ("labels", "sentences", "prior", "aggregate", "holes")
"""What can be shown or not."""

AT_FIRST = ("labels", "prior", "aggregate", "holes")
"""What is shown until somebody says otherwise."""

POINTS = 5000
"""Most codes of sentences that are drawn: those nearest to the plane."""

PINS = "ABC"
"""Names of the pins, in the order in which they are set."""


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A letter on the plane: a pin, or one of the three codes that it was laid through."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Track:
    """A walk on the plane. `id` is that of the strip of sentences it goes with."""

    id: str
    x: Sequence[float]
    y: Sequence[float]
    position: int


_PLANE = component("plane", "live.css", "canvas.css", "canvas.js")


def plane_view(
    data: dict[str, Any],
    *,
    key: str,
    on_pinned: Callable[[], None],
    on_framed: Callable[[], None],
    on_cleared: Callable[[], None],
    on_shown: Callable[[], None],
) -> None:
    """Show a plane: `data` is a `drawing`. In the callbacks, `st.session_state[key]` has what was meant:

    `pinned` the clicks (`state.unheard`), each with x and y of the middle of a cell, and `held` as `drawing` takes it;
    `framed` the middle and width of a part to be decoded, or `whole`; `shown` the layers that are.
    """
    _PLANE(
        key=key,
        data=data,
        on_pinned_change=on_pinned,
        on_framed_change=on_framed,
        on_cleared_change=on_cleared,
        on_shown_change=on_shown,
        on_lost_change=lambda: None,  # the run that follows sends everything
    )


def drawing(
    field: backend.Field,
    surface: backend.Plane,
    sentences: backend.Codes | None,
    *,
    name: str,
    pins: Sequence[Sign] = (),
    marks: Sequence[Sign] = (),
    path: Track | None = None,
    shown: Sequence[str] = AT_FIRST,
    whole: bool = True,
    held: str = "",
) -> dict[str, Any]:
    """A plane as the browser draws it, in JSON. Cells go from the left, row by row from the bottom.

    What never changes while one looks at a window is left out if that is the one whose `id` the browser says it has
    `held`: it is nearly all of it, and sending it took longer than all else that a click asks for.
    """
    found = {
        "id": identity(field, surface),
        "whole": whole,
        "pins": [asdict(pin) for pin in pins],
        "path": None if path is None else asdict(path),
        "shown": list(shown),
    }
    return found if found["id"] == held else found | _scene(field, surface, sentences, name, marks)


def _scene(
    field: backend.Field,
    surface: backend.Plane,
    sentences: backend.Codes | None,
    name: str,
    marks: Sequence[Sign],
) -> dict[str, Any]:
    """All that does not change with a click."""
    window, table = field.window, _Table(shortened(text) for text in field.texts)
    tint = tints(field.cells)
    phrases = _Table()
    points, away = _points(surface, sentences, table)
    x, y = field.prior
    count = len(field.texts)
    return {
        "name": f"{name}-plane",
        "window": {"x": window.x, "y": window.y, "cell": window.cell, "n": window.n},
        "cells": field.region.ravel().tolist(),
        "regions": [
            {"text": region.value, "row": region.row, "column": region.column, "tint": tint[region.value]}
            for region in field.regions
        ],
        "tints": PALETTE,
        "typicals": [phrases.index(typical(shell)) for shell in field.shells.ravel().round(1).tolist()],
        "typical": phrases.entries,
        "nearest": _nearest(field, sentences, table),
        "apart": None if field.apart is None else field.apart.ravel().round(2).tolist(),
        "aggregate": None if field.aggregate is None else _logarithm(field.aggregate).tolist(),
        "holes": None if field.aggregate is None else field.holes.ravel().tolist(),
        "prior": {"x": x, "y": y, "radius": backend.RADIUS},
        "points": points,
        "away": away,
        "texts": table.entries,
        "marks": [asdict(mark) for mark in marks],
        "axes": surface.names,
        "alt": f"A plane through the latent space of {name}, {surface.names[0]} by {surface.names[1]}, read at "
        f"{window.n} by {window.n} cells: {count} different sentence{'s' * (count != 1)}. Arrow keys go from cell to "
        "cell, Enter pins one, Escape takes the pins off.",
    }


def identity(field: backend.Field, surface: backend.Plane) -> str:
    """A name for what is seen, the same whenever it is the same plane and window and reads the same."""
    content = repr((field.window, field.texts)).encode() + field.cells.tobytes()
    content += b"" if field.apart is None else field.apart.tobytes()
    return hashlib.sha256(content + surface.origin.tobytes() + surface.axes.tobytes()).hexdigest()[:16]


def tints(cells: ndarray) -> list[int]:
    """Of each sentence of a grid, which colour of the palette it has: another than its neighbours, where that can be.

    The most frequent ones choose first: the colour that shares the shortest border with them, of these the least used.
    """
    count = int(cells.max()) + 1
    borders = np.zeros((count, count), np.int64)
    for one, other in ((cells[:, 1:], cells[:, :-1]), (cells[1:], cells[:-1])):
        np.add.at(borders, (one.ravel(), other.ravel()), 1)
    borders += borders.T
    chosen = np.full(count, -1)
    used = np.zeros(len(PALETTE), np.int64)
    for sentence in range(count):
        shared = [int(borders[sentence][chosen == colour].sum()) for colour in range(len(PALETTE))]
        chosen[sentence] = min(range(len(PALETTE)), key=lambda colour: (shared[colour], used[colour], colour))
        used[chosen[sentence]] += 1
    return chosen.tolist()


class _Table:
    """Different texts, each once."""

    def __init__(self, entries: Any = ()) -> None:
        self.entries: list[str] = list(entries)
        self._known = {text: number for number, text in enumerate(self.entries)}

    def index(self, text: str) -> int:
        """Where a text stands; added if it is new."""
        if text not in self._known:
            self._known[text] = len(self.entries)
            self.entries.append(text)
        return self._known[text]


def _nearest(field: backend.Field, sentences: backend.Codes | None, table: _Table) -> list[int] | None:
    if field.nearest is None or sentences is None:
        return None
    return [table.index(shortened(sentences.texts[row])) for row in field.nearest.ravel().tolist()]


def _points(
    surface: backend.Plane, sentences: backend.Codes | None, table: _Table
) -> tuple[dict[str, list[Any]], tuple[float, float]]:
    """The codes of sentences on the plane, the nearest ones, and from how far to how far away they lie."""
    if sentences is None:
        return {"x": [], "y": [], "away": [], "text": []}, (0.0, 0.0)
    away = surface.distance(sentences.means)
    rows = np.argsort(away, kind="stable")[:POINTS][::-1]  # the nearest are drawn last
    x, y = surface.place(sentences.means[rows]).round(3).T
    points = {
        "x": x.tolist(),
        "y": y.tolist(),
        "away": away[rows].round(2).tolist(),
        "text": [table.index(shortened(sentences.texts[row])) for row in rows],
    }
    return points, (float(away[rows].min()), float(away[rows].max()))


def _logarithm(ratio: ndarray) -> ndarray:
    """Above 0 where the aggregate posterior is, as far as a contour needs it."""
    return np.log(np.maximum(ratio, 1e-9)).ravel().round(2)
