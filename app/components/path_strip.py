"""A path read sentence by sentence, scrubbed in the browser (assets/path_strip.*): no step of it asks the server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import groupby
from typing import Any

import streamlit as st

from app import backend
from app.components.assets import component
from app.components.latent_map import shortened
from app.components.sentences import compared

TYPICAL = 2.0
"""Standard deviations of the prior's distance from the origin that count as typical: 95 % of its samples."""

_STRIP = component("path_strip", "live.css", "slider.css", "rows.css", "words.css", "words.js")


def path_strip(
    walk: backend.Walk,
    *,
    position: int,
    key: str,
    on_position: Callable[[], None],
    group: str = "",
    label: str = "",
    distances: bool = True,
) -> None:
    """Show the path. Where the reader comes to rest is told to `on_position`; see `rested`.

    Strips of one `group` move together, each at the step nearest to the same t. The `label` tells them apart to those
    who do not see them. Without `distances` the sentences are all that is shown, not how far their codes are.
    """
    data = {"id": identity(walk), "t": walk.places, "position": position, "group": group, "label": label}
    data |= reading(walk, distances=distances) | {"lines": lines(walk) if distances else []}
    _STRIP(key=key, data=data, on_position_change=on_position)


def rested(key: str, walk: backend.Walk) -> float | None:
    """The t at which the reader of a path has come to rest; none while that is another path's."""
    place = st.session_state[key].position or {}
    return walk.places[place["step"]] if place.get("id") == identity(walk) else None


def identity(walk: backend.Walk) -> str:
    """A name for the path, the same whenever it is the same path and reads the same."""
    content = repr((walk.places, walk.texts, walk.draws)).encode() + walk.codes.tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def reading(walk: backend.Walk, *, distances: bool = True) -> dict[str, Any]:
    """The rows of the path, repeats merged and their new words marked, and what is said beside each step.

    Where a step was read several times, its first sentence is held against the first before, and the others follow in
    `more`; steps are merged if all of them repeat.
    """
    rows: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    before = None
    draws = walk.draws or [[text] for text in walk.texts]
    for (text, *others), group in groupby(range(len(draws)), draws.__getitem__):
        members = list(group)
        start, end = walk.places[members[0]], walk.places[members[-1]]
        where = (f"t {start:.2f}" if start == end else f"t {start:.2f} – {end:.2f}").replace("-", "−")
        words = compared(text if before is None else before, text)
        more = [compared(other, other) for other in others]
        rows.append({"first": members[0], "where": where, "words": words, "more": more})
        for step in members:
            lead, quote = near(walk, step) if distances else ("", "")
            said = {"row": len(rows) - 1, "typical": typical(walk.shells[step]) if distances else ""}
            steps.append(said | {"lead": lead, "quote": quote, "near": neighbours(walk, step) if distances else []})
        before = text
    return {"rows": rows, "steps": steps}


def lines(walk: backend.Walk) -> list[dict[str, Any]]:
    """What is drawn along the slider: for each figure its values, their range, and a band that is to be expected."""
    reach = max(2 * TYPICAL, *map(abs, walk.shells))
    found = [
        {
            "name": "distance from the origin; shaded: random codes",
            "values": [round(shell, 3) for shell in walk.shells],
            "low": -reach,
            "high": reach,
            "band": [-TYPICAL, TYPICAL],
        }
    ]
    if walk.nearest:
        far = [round(distance, 3) for _, distance in walk.nearest]
        name = f"distance to the nearest sentence; at most {max(far):.1f}"
        found.append({"name": name, "values": far, "low": 0.0, "high": max(far), "band": None})
    return found


def typical(shell: float) -> str:
    """How far a code is from the origin against samples of the prior, in words."""
    if abs(shell) <= TYPICAL:
        return "As far from the origin as a typical random code."
    side = "Nearer to" if shell < 0 else "Farther from"
    return f"{side} the origin than random codes are, by {abs(shell):.1f} standard deviations of their distance."


def neighbours(walk: backend.Walk, step: int) -> list[tuple[str, str]]:
    """The nearest sentences of the map with their distances in code space, where more than one was looked for."""
    if not walk.further or not walk.further[step]:
        return []
    return [(f"{distance:.1f}", shortened(text)) for text, distance in (walk.nearest[step], *walk.further[step])]


def near(walk: backend.Walk, step: int) -> tuple[str, str]:
    """The nearest sentence of the map: words that lead to it, and the sentence."""
    if not walk.nearest:
        return "", ""
    text, distance = walk.nearest[step]
    text = shortened(text)
    return (
        "The code of a sentence of the map: " if distance < 0.005 else f"Nearest on the map, {distance:.1f} away: "
    ), text
