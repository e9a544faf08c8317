"""The curves of training: a grid of small panels under one cursor and one zoom, drawn in the browser (assets/curves.*).

What is computed here is what the drawing needs: which panels there are, and the measurements of each run, of which
there are never more than a screen can show. How they are looked at (axis, scale, smoothing, range) is the reader's;
it stands in the URL, and Python answers a zoom into a long run with finer measurements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import streamlit as st

from app import backend, palette, state
from app.components.assets import component
from app.glossary import CURVES, METRICS, PHASES, phase_of

AXES: Mapping[str, str] = {"step": "step", "epoch": "epoch", "hours": "hour of training"}
"""What a curve can be drawn over: a place on each axis in words."""

BESIDE: Mapping[str, tuple[str, str]] = {
    "kl_nats": ("kl_charged_nats", "charged"),
    "mi_nats": ("mi_ceiling_nats", "ceiling"),
}
"""The figure that is drawn beside another, dotted, and its name there."""

SCHEDULED = ("kl_weight", "learning_rate", "sentences_per_second", "memory_mb", "gpu_memory_mb")
"""Figures of training itself: what is logged while training is the curve."""

PLANNED = ("kl_weight", "learning_rate")
"""Figures that follow a plan, and are never smoothed."""

LINEAR = ("active_units", "kl_weight")
"""Figures that no logarithmic axis suits."""

FLOOR, FULL = 0.003, 10.0
"""The least and the largest KL of a dimension, nats, that the shades of the last panel tell apart."""

RAMP = ("#00224E", "#35456C", "#666970", "#948E77", "#C8B866", "#FEE838")
"""Low to high for every eye, dark to light (Cividis; Nunez et al. 2018)."""

MOST_STEPS = 10**9
"""No smoothing and no range goes further."""

_CURVES = component("curves", "live.css", "canvas.css", "canvas.js")


def curves(data: dict[str, Any], *, key: str, on_chosen: Callable[[], None]) -> None:
    """Show the curves: `data` is a `drawing`. `st.session_state[key]` has what was meant in the browser:

    in the callback `chosen`, the clicks (`state.unheard`), each with the `step` of the first run; and from the first
    change on `look`, as in `looked`.
    """
    _CURVES(key=key, data=data, on_chosen_change=on_chosen, on_look_change=lambda: None)


def look_of(key: str) -> dict[str, Any]:
    """How the curves of a key are looked at: as the browser said last, which goes into the URL, or as that says."""
    said = st.session_state.get(key, {}).get("look")
    if not said:
        return from_url()
    look = looked(said)
    remember(look)
    return look


def drawing(
    courses: Mapping[str, backend.Course],
    colours: Mapping[str, str],
    look: Mapping[str, Any],
    *,
    total: int | None = None,
    chosen: int | None = None,
    latent_size: int = 0,
) -> dict[str, Any]:
    """The curves as the browser draws them, in JSON. The first run is the one that the page is about.

    `total` is how many steps it is going to have, while it trains; `chosen` the step whose sentences are shown;
    `latent_size` the most dimensions that can be in use.
    """
    first = next(iter(courses))
    measured = {figure for course in courses.values() for part in _parts(course) for figure in part["figures"]}
    names = [name for name in CURVES if name in measured]
    needed = {*names, *(BESIDE[name][0] for name in names if name in BESIDE)}
    return {
        "runs": [
            {
                "name": name,
                "letter": ascii_uppercase[number],
                "colour": colours[name],
                "train": _only(course.train, needed),
                "valid": _only(course.valid, needed),
                "places": {"step": course.steps, "epoch": course.epochs, "hours": course.hours},
                "close": _close_up(name, look, needed),
            }
            for number, (name, course) in enumerate(courses.items())
        ],
        "panels": [_panel(name, latent_size) for name in names],
        "heat": _heat(courses[first]),
        "phases": [
            {**_phase(phase, backend.entry(first).phases), "from": start, "to": end}
            for phase, start, end in courses[first].phases
        ],
        "total": total,
        "chosen": chosen,
        "look": {key: value for key, value in look.items() if key != "steps"},
        "axes": AXES,
        "name": "-".join(courses),
        "quiet": palette.QUIET,
        "faint": palette.FAINT,
        "alt": f"Curves of training of {', '.join(courses)}. Arrow keys go from measurement to measurement.",
    }


def _phase(phase: int, phases: Sequence[int]) -> dict[str, str]:
    """How a phase of a run that has these is called: in full, beside the curves, and where there is little room."""
    numbered = len([each for each in phases if each]) > 1 or phase not in phases
    words = PHASES.get(phase, "")
    name = f"{phase} {words}".strip() if numbered else words
    return {"said": phase_of(phase, phases), "name": name, "number": str(phase) if numbered else ""}


def looked(said: Any) -> dict[str, Any]:
    """How the curves are looked at, from what came from the browser: so anything, and what makes no sense is left out.

    `x` an axis; `log` the figures on a logarithmic axis; `smooth` over how many steps, 0 for none; `range` two places
    on the axis, or none for all; `steps` by run, the first and the last step that are to be shown closely.
    """
    said = said if isinstance(said, Mapping) else {}
    x, log, smooth, span, steps = (said.get(key) for key in ("x", "log", "smooth", "range", "steps"))
    known = [name for name in CURVES if isinstance(log, list) and name in log]
    return {
        "x": x if isinstance(x, str) and x in AXES else "step",
        "log": known,
        "smooth": int(smooth) if _is_number(smooth) and 0 <= smooth <= MOST_STEPS else 0,
        "range": list(span) if _is_range(span) else None,
        "steps": {str(run): [int(step) for step in pair] for run, pair in steps.items() if _is_range(pair)}
        if isinstance(steps, Mapping)
        else {},
    }


def remember(look: Mapping[str, Any]) -> None:
    """Put it into the URL, as far as it differs from what is usual."""
    words = {
        state.RUNS_X: look["x"] if look["x"] != "step" else "",
        state.RUNS_LOG: ".".join(look["log"]),
        state.RUNS_SMOOTH: str(look["smooth"] or ""),
        state.RUNS_RANGE: "~".join(f"{place:.7g}" for place in look["range"] or ()),
    }
    for key, value in words.items():
        if value and st.query_params.get(key) != value:
            st.query_params[key] = value
        elif not value and key in st.query_params:
            del st.query_params[key]


def from_url() -> dict[str, Any]:
    """How the URL says that the curves are to be looked at."""
    query = st.query_params
    span = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)~(\d{1,9}(?:\.\d{1,9})?)", query.get(state.RUNS_RANGE, ""))
    smooth = query.get(state.RUNS_SMOOTH, "")
    return looked(
        {
            "x": query.get(state.RUNS_X),
            "log": query.get(state.RUNS_LOG, "").split("."),
            "smooth": int(smooth) if re.fullmatch(r"\d{1,9}", smooth) else 0,
            "range": [float(place) for place in span.groups()] if span else None,
        }
    )


def _parts(course: backend.Course) -> tuple[dict[str, Any], dict[str, Any]]:
    return course.train, course.valid


def _only(table: Mapping[str, Any], needed: set[str]) -> dict[str, Any]:
    """A table with the figures that are drawn."""
    return {**table, "figures": {name: columns for name, columns in table["figures"].items() if name in needed}}


def _close_up(name: str, look: Mapping[str, Any], needed: set[str]) -> dict[str, Any] | None:
    """The finer measurements that were asked for, if there are any."""
    asked = look.get("steps", {}).get(name)
    close = backend.close_up(name, *asked) if asked else None
    if close is None:
        return None
    return {
        "low": close.low,
        "high": close.high,
        "train": _only(close.train, needed),
        "valid": _only(close.valid, needed),
    }


def _panel(name: str, latent_size: int) -> dict[str, Any]:
    metric = METRICS[name]
    beside, word = BESIDE.get(name, (None, ""))
    top = latent_size if name == "active_units" and latent_size else None
    return {
        "name": name,
        "title": metric.title,
        "symbol": metric.symbol,
        "unit": f"of {top}" if top else metric.unit,
        "definition": metric.definition,
        "digits": metric.digits,
        "reach": metric.reach,
        "top": top,
        "beside": beside,
        "besideName": word,
        "besideDefinition": METRICS[beside].definition if beside else "",
        "training": name in SCHEDULED,
        "planned": name in PLANNED,
        "log": name not in LINEAR,
    }


def _heat(course: backend.Course) -> dict[str, Any] | None:
    """KL of each dimension at each check; the rows are the dimensions, the finally most used one on top."""
    checks = course.kl_per_dimension
    if not checks:
        return None
    last = checks[max(checks)]
    checks = {step: kl for step, kl in checks.items() if len(kl) == len(last)}
    return {
        "steps": list(checks),
        "kl": list(checks.values()),
        "order": sorted(range(len(last)), key=lambda dimension: -last[dimension]),
        "floor": FLOOR,
        "full": FULL,
        "ramp": RAMP,
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_range(value: Any) -> bool:
    """Whether it is two places, the first before the second."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(map(_is_number, value))
        and 0 <= value[0] < value[1] <= MOST_STEPS
    )
