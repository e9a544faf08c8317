"""What pages show of a verdict: the doctor's, or what takes its place by design or for the time being.

The doctor judges figures alone. Which run they are of, and how far it has come, changes what a reader should hear: a
language model is a yardstick and no failure, and in a warm-up, where KL costs nothing, every run looks like an
autoencoder. Reports, downloads and the command line keep the doctor's word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from app.backend import history
from vae.doctor import Verdict
from vae.runs import Status


class Entry(Protocol):
    """What has to be known of a run: see `listing.Entry`."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> Status: ...  # noqa: D102
    @property
    def active(self) -> bool: ...  # noqa: D102
    @property
    def warms_up(self) -> bool: ...  # noqa: D102
    @property
    def yardstick(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A verdict as it is shown."""

    name: str
    """The verdict's name, `yardstick`, or `warm-up`."""
    headline: str
    evidence: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


WARM_UP = Standing(name="warm-up", headline="Warm-up: KL costs nothing yet; the verdict comes in phase 2.")
YARDSTICK = "Yardstick, by design: a language model, the same decoder with z fixed to zero."


def as_shown(entry: Entry, verdict: Verdict | None, phase: object) -> Standing | None:
    """What is shown of a verdict on figures of a phase of a run; none where there is no verdict."""
    if verdict is None:
        return None
    shown = Standing(name=verdict.name, headline=verdict.headline, evidence=verdict.evidence, advice=verdict.advice)
    if verdict.name == "unknown":
        return shown
    if entry.yardstick:
        return replace(shown, name="yardstick", headline=YARDSTICK)
    return WARM_UP if entry.warms_up and phase == 1 else shown


def standing(entry: Entry) -> Standing | None:
    """What is shown of the verdict on the newest figures of a run, with how far it was; none while there are none."""
    known = history.figures(entry.name)
    phase = None if entry.state == "finished" else known.get("phase")
    shown = as_shown(entry, history.judge(known), phase)
    if shown is None or shown.name in ("unknown", "yardstick") or (shown is WARM_UP and entry.active):
        return shown
    return replace(shown, headline=placed(shown.headline, entry, known.get("step")))


def placed(headline: str, entry: Entry, step: object = None) -> str:
    """A headline with how far its run was when that is not the end: `Healthy so far: …`, `Healthy at step 9 of 90: …`.

    `step` is that of the figures, or else that of the run.
    """
    name, colon, rest = headline.partition(":")
    return f"{name} {when}{colon}{rest}" if (when := reached(entry, step)) else headline


def reached(entry: Entry, step: object = None) -> str:
    """How far a run was: `so far` while it trains, `at step 9 of 90` where it ended too early; empty at its end."""
    if entry.active:
        return "so far"
    if entry.state == "finished" or entry.status.step >= entry.status.total_steps:
        return ""
    at = step if isinstance(step, int) else entry.status.step
    return f"at step {at:,} of {entry.status.total_steps:,}"
