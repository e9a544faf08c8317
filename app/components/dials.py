"""Sliders over codes that have all been read, moved in the browser (assets/dials.*): no step asks the server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

import streamlit as st

from app import backend
from app.components.assets import component
from app.components.latent_map import shortened
from app.components.path_strip import near, typical
from app.components.sentences import compared

_DIALS = component("dials", "live.css", "slider.css", "rows.css", "words.css", "words.js")


def dials(
    board: backend.Board,
    *,
    key: str,
    family: str,
    before: str,
    others: str = "",
    inputs: Sequence[str] = (),
    notes: Mapping[str, str] | None = None,
    locked: Collection[str] | None = None,
    on_moved: Callable[[], None],
    on_locked: Callable[[], None] = lambda: None,
) -> None:
    """Show the sliders under the present sentence. Where one came to rest is told to `on_moved`; see `moved`.

    Boards of one `family` answer each other's messages: those about one base. `before` names the sentence that the
    present one is held against, and `others` the further ones, of which `inputs` are what was encoded; `notes` stand
    under the names of sliders. Sliders can be locked if `locked` names those that are.
    """
    data = drawing(board, notes or {}, locked, inputs) | {"family": family, "others": others, "heard": _heard(key)}
    data["before"]["name"] = before
    _DIALS(key=key, data=data, on_moved_change=on_moved, on_locked_change=on_locked)


def moved(key: str, family: str) -> tuple[str, float] | None:
    """The slider that has come to rest, and its value; none if that was in another family."""
    told = st.session_state[key].moved or {}
    return (str(told["name"]), float(told["value"])) if told.get("family") == family else None


def locks(key: str, family: str) -> list[str] | None:
    """The sliders that are locked now; none if that was said in another family."""
    told = st.session_state[key].locked or {}
    return [str(name) for name in told["names"]] if told.get("family") == family else None


def drawing(
    board: backend.Board,
    notes: Mapping[str, str],
    locked: Collection[str] | None = None,
    inputs: Sequence[str] = (),
) -> dict[str, Any]:
    """What the browser needs: every sentence once, what is said beside it, and where each slider has which."""
    texts = board.reading.texts
    sentences = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    facts: dict[tuple[str, str, str], int] = {}
    rows = []
    for row, text in enumerate(texts):
        fact = (typical(board.reading.shells[row]), *near(board.reading, row))
        rows.append((sentences[text], facts.setdefault(fact, len(facts))))
    asides: dict[tuple[str, str], int] = {}
    followers = []
    for given, each in zip(inputs, board.followers, strict=True):
        rebuilt = texts[each[board.dials[0].base]]
        followers.append(
            {
                "input": shortened(given),
                "rebuilt": asides.setdefault((given, rebuilt), len(asides)),
                "rows": [asides.setdefault((rebuilt, texts[row]), len(asides)) for row in each],
            }
        )
    base = texts[board.base]
    drawn = {
        "sentences": [compared(base, text) for text in sentences],
        "facts": list(facts),
        "rows": rows,
        "before": {"words": compared(base, base)},
        "asides": [compared(was, text) for was, text in asides],
        "followers": followers,
        "dials": [_slider(dial, texts) | _said(dial.name, notes, locked) for dial in board.dials],
    }
    return drawn | {"id": hashlib.sha256(repr(drawn).encode() + board.reading.codes.tobytes()).hexdigest()[:16]}


def signed(value: float) -> str:
    """A value of a slider as it is shown."""
    return f"{value:+.2f}".replace("-", "−") if round(value, 2) else "0.00"


def _said(name: str, notes: Mapping[str, str], locked: Collection[str] | None) -> dict[str, Any]:
    return {"note": notes.get(name, ""), "locked": None if locked is None else name in locked}


def _slider(dial: backend.Dial, texts: list[str]) -> dict[str, Any]:
    shown = [signed(value) for value in dial.values]
    base = texts[dial.rows[dial.base]]
    strip = []
    for text, group in groupby(range(len(dial.rows)), lambda stop: texts[dial.rows[stop]]):
        stops = list(group)
        first, last = stops[0], stops[-1]
        where = shown[first] if first == last else f"{shown[first]} to {shown[last]}"
        strip.append({"first": first, "last": last, "where": where, "words": compared(base, text)})
    return {
        "name": dial.name,
        "values": dial.values,
        "shown": shown,
        "rows": dial.rows,
        "own": dial.own,
        "base": dial.base,
        "strip": strip,
    }


def _heard(key: str) -> int:
    """The number of the last message from the browser that has come here."""
    told = getattr(st.session_state.get(key), "moved", None) or {}
    return int(told.get("number", 0))
