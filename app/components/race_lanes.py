"""Runs side by side on one clock, watched as they train or replayed, drawn in the browser (assets/race.*).

What is computed here is what the drawing needs, once for each check: the verdict by then, the one figure, and what the
model wrote. A replay asks nobody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from app import backend, state
from app.components.assets import component
from app.components.film import PLAYER
from app.components.latent_map import shortened
from app.components.sentences import compared
from app.glossary import METRICS, STATES, duration, phase_of

SENTENCES = 3
"""Sentences that are shown of each kind."""

FIGURE = METRICS["delta_nll_nats"]
"""The one figure of a lane: whether the decoder reads z."""

_RACE = component("race", *PLAYER)


def race_lanes(data: Mapping[str, Any]) -> None:
    """Show the race: `data` is a `drawing`."""
    _RACE(key=state.RACE, data=data)


def drawing(
    entries: Sequence[backend.Entry],
    lanes: Sequence[backend.Lane],
    colours: Mapping[str, str],
    start: int | None = None,
    asked: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The race as the browser draws it, in JSON. It begins at a share of it, percent, or else at its newest check.

    `asked` is a `step` to go to once, with a `number` that is another one whenever somebody asks.
    """
    totals = [total(entry, lane) for entry, lane in zip(entries, lanes, strict=True)]
    return {
        "id": " ".join(lane.name for lane in lanes),
        "key": " ".join(map(backend.race_key, lanes)),
        "lanes": [
            {
                **_lane(entry, lane),
                "colour": colours[lane.name],
                "active": entry.active,
                "said": standing(entry, reached(entry, lane)),
                "share": reached(entry, lane) / steps,
                "total": steps,
                "phases": {number: phase_of(number, entry.phases) for number in entry.phases},
                "ending": (backend.reached(entry) or "at the end").capitalize(),
            }
            for entry, lane, steps in zip(entries, lanes, totals, strict=True)
        ],
        "clocks": clocks(lanes, totals),
        "metric": {
            "symbol": FIGURE.symbol,
            "unit": FIGURE.unit,
            "title": FIGURE.title,
            "definition": FIGURE.definition,
        },
        "live": any(entry.active for entry in entries),
        "start": start,
        "asked": asked,
    }


def total(entry: backend.Entry, lane: backend.Lane) -> int:
    """The step that a run ends with, or is going to: at least 1."""
    return max(entry.status.total_steps, lane.checks[-1].step if lane.checks else 0, 1)


def reached(entry: backend.Entry, lane: backend.Lane) -> int:
    """The step that a run has come to: it says so less often than it is checked."""
    return max(entry.status.step, lane.checks[-1].step if lane.checks else 0)


def standing(entry: backend.Entry, step: int) -> str:
    """Where an active run is, which has come to a step, with the time that is left, or how one ended too early."""
    status = entry.status
    if entry.active and status.total_steps:
        words = [f"step {step:,} of {status.total_steps:,}", phase_of(status.phase, entry.phases)]
        words += [f"about {duration(status.eta_s)} left"] if status.eta_s is not None else []
        return " · ".join(filter(None, words))
    if entry.active:
        return status.message or "Getting ready."
    if entry.state == "finished":
        return ""
    return f"{STATES[entry.state][0].capitalize()}. {status.message}".strip()


def clocks(lanes: Sequence[backend.Lane], totals: Sequence[int]) -> list[dict[str, Any]]:
    """The clocks that a race can be watched on. A clock ticks at every check of any run.

    `frames` says which check of each run is its last by then, −1 before it has one.
    """
    shares = [[100 * check.step / most for check in lane.checks] for lane, most in zip(lanes, totals, strict=True)]
    steps = [[float(check.step) for check in lane.checks] for lane in lanes]
    return [
        _clock("at equal steps", steps, "step {:,.0f}"),
        _clock("at equal shares", shares, "{:.0f} % of training"),
        _clock("at equal times", [list(lane.seconds) for lane in lanes], "{:,.0f} s of training"),
    ]


def _clock(title: str, places: Sequence[Sequence[float]], label: str) -> dict[str, Any]:
    own = [[round(place, 2) for place in each] for each in places]
    ticks = [
        {"label": label.format(place), "frames": [bisect_right(each, place) - 1 for each in own]}
        for place in sorted({place for each in own for place in each})
    ]
    return {"title": title, "ticks": ticks}


def _lane(entry: backend.Entry, lane: backend.Lane) -> dict[str, Any]:
    """What there is at each check of a run."""
    shown = [backend.as_shown(entry, check.verdict, check.figures.get("phase")) for check in lane.checks]
    names = [each.name if each else "unknown" for each in shown]
    pages = {event["step"]: number for number, event in enumerate(_distinct(lane.sentences))}
    return {
        "name": lane.name,
        "checks": [
            {
                "step": check.step,
                "phase": check.phase,
                "value": FIGURE.show(None if backend.untrained(check.figures) else check.figures.get(FIGURE.name)),
                "verdict": name,
                "headline": each.headline if each else "No verdict yet.",
                "evidence": " ".join(each.evidence[:2]) if each else "",
                "page": pages[event["step"]] if event else None,
            }
            for check, event, each, name in zip(lane.checks, lane.sentences, shown, names, strict=True)
        ],
        "turns": [
            {"check": index, "words": turned(lane.checks[index].step, was, now)}
            for index, was, now in backend.turns(names)
        ],
        "written": [_written(event) for event in _distinct(lane.sentences)],
    }


def turned(step: int, was: str, now: str) -> str:
    """A change of the verdict in words; the first one is no change."""
    return f"step {step:,}: {now if was == 'unknown' else f'{was} → {now}'}"


def _distinct(events: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any]]:
    return list({event["step"]: event for event in events if event}.values())


def _written(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pairs": [_pair(str(pair["text"]), str(pair["decoded"])) for pair in event["reconstructions"][:SENTENCES]],
        "prior": [list(each) for each in Counter(map(shortened, event["prior"][:SENTENCES])).items()],
    }


@lru_cache(maxsize=4096)
def _pair(text: str, decoded: str) -> dict[str, Any]:
    text, decoded = shortened(text), shortened(decoded)
    return {"text": text, "words": compared(text, decoded)}
