"""A verdict in words on the figures of a run: is z used, by whom, and what to try.

MI, AU and KL look at the encoder alone, so what the decoder does decides first: `delta_nll_nats`, what a sentence
costs more when it is decoded from another sentence's z. The names are

    collapsed      the encoder writes nothing into z (KL near 0), and the decoder does without
    disconnected   KL, and often MI and AU, look alive, but the decoder does not read z
    weak           the decoder reads z, but gets little from it
    autoencoder    the decoder reads z, but KL is mostly mismatch with the prior, so prior samples decode poorly
    healthy        none of these
    unknown        a figure that decides is missing

Nothing heavy is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

IGNORED_NATS = 0.5
"""delta_nll under which z is ignored: with another sentence's z a whole sentence is not even 1.7 times (e^0.5) less
likely, over all of its tokens."""

EMPTY_KL_NATS = 1.0
"""KL under which z is empty: MI is at most KL, and 1 nat tells apart fewer than 3 (e^1) groups of sentences."""

WEAK_NATS = 2.0
"""delta_nll under which z matters little: with another sentence's z a sentence is at most 7.4 times (e^2) less
likely."""

WEAK_SHARE = 0.5
"""delta_nll under this share of MI means that much of the code is wasted: a decoder that reads all of it has
delta_nll >= MI (its delta_nll is MI plus the divergence in the other direction)."""

MISMATCH_NATS_PER_UNIT = 2.0
"""KL - MI, the marginal KL, over each active unit, above which the codes have left the prior. It is what codes cost
that spread 2.6 times as wide as the prior, or 12 times as narrow, in every active dimension: prior samples then fall
where no sentence was ever encoded. MI cannot exceed ln N, so information beyond that counts as mismatch here, which is
why the threshold leaves room."""

NEAR_CEILING_NATS = 0.5
"""Within this distance of ln N, MI is only known to be at least that."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the figures say."""

    name: Literal["healthy", "weak", "collapsed", "disconnected", "autoencoder", "unknown"]
    headline: str
    """One sentence."""
    evidence: tuple[str, ...]
    """A sentence for each figure that decided."""
    advice: tuple[str, ...]
    """What to try, the likeliest first."""


def diagnose(figures: Mapping[str, Any]) -> Verdict:
    """The verdict on figures named as in metrics.jsonl: `delta_nll_nats`, `kl_nats`, `mi_nats`, `active_units`, ...

    A figure that is missing, None or not finite has not been measured; others than the known names are passed over.
    """
    delta, kl, mi, units = (_figure(figures, n) for n in ("delta_nll_nats", "kl_nats", "mi_nats", "active_units"))
    ceiling = _figure(figures, "mi_ceiling_nats")
    known = _describe(delta, kl, mi, ceiling, units)
    if delta is None or kl is None:
        return _unknown(known, delta is None and "delta_nll", kl is None and "KL")
    if delta < IGNORED_NATS:
        return _collapsed(known) if kl < EMPTY_KL_NATS else _disconnected(known, delta, kl, mi)
    if delta < WEAK_NATS or (mi is not None and delta < WEAK_SHARE * mi):
        return _weak(known, delta, mi)
    if mi is None or units is None:
        return _unknown(known, mi is None and "MI", units is None and "the number of active units")
    if kl - mi > MISMATCH_NATS_PER_UNIT * max(units, 1):
        return _autoencoder(known, kl, mi, ceiling)
    return Verdict(
        name="healthy",
        headline="Healthy: the decoder reads z, and the codes stay near the prior.",
        evidence=known,
        advice=("Walk between two prior samples, or between two sentences of the map: the way should read well.",),
    )


def _collapsed(known: tuple[str, ...]) -> Verdict:
    return Verdict(
        name="collapsed",
        headline="Collapsed: z is empty, and the decoder writes without it.",
        evidence=known,
        advice=(
            "Warm the encoder up without a KL term first: the recipe two-phase does.",
            "Leave some KL free of charge: phase2.free_bits_per_dimension=0.5.",
            "Let the KL weight rise slowly: phase2.kl_schedule=linear, with phase2.kl_epochs of several epochs.",
        ),
    )


def _disconnected(known: tuple[str, ...], delta: float, kl: float, mi: float | None) -> Verdict:
    evidence = known
    advice: tuple[str, ...] = ()
    if mi is not None and mi < EMPTY_KL_NATS:
        evidence += (f"Of the KL, {_nats(kl - mi)} is mismatch with the prior: it costs, and carries no information.",)
    if delta < -IGNORED_NATS:
        advice = ("Check that codes and sentences are in the same order: they seem to be mixed up.",)
    return Verdict(
        name="disconnected",
        headline="Disconnected: the encoder fills z, but the decoder does not read it.",
        evidence=evidence,
        advice=(
            *advice,
            "Do not trust KL, MI and AU here: free bits hold them up even when the decoder is deaf.",
            "Warm the encoder up through the decoder, without a KL term: the recipe two-phase does.",
            "Let W_proj and the decoder train in phase 2, and for longer: look at phase2.frozen and phase2.epochs.",
        ),
    )


def _weak(known: tuple[str, ...], delta: float, mi: float | None) -> Verdict:
    evidence = known
    if mi is not None and delta < WEAK_SHARE * mi:
        evidence += ("A decoder that reads all of its code would lose at least MI with another sentence's z.",)
    return Verdict(
        name="weak",
        headline="Weak: the decoder gets only a little from z.",
        evidence=evidence,
        advice=(
            "Train longer: early in a run this is the usual verdict.",
            "Make room for KL: raise phase2.free_bits_per_dimension, or let the KL weight rise more slowly.",
            "Give the encoder a longer warm-up: phase1.epochs.",
        ),
    )


def _autoencoder(known: tuple[str, ...], kl: float, mi: float, ceiling: float | None) -> Verdict:
    evidence = (
        *known,
        f"KL exceeds MI by {_nats(kl - mi)}: that looks like mismatch between codes and prior.",
    )
    if _near_ceiling(mi, ceiling):
        evidence += ("MI is at its ceiling: on more sentences it could rise, and the mismatch shrink by as much.",)
    return Verdict(
        name="autoencoder",
        headline="Autoencoder: the decoder reads z, but the codes lie far from the prior.",
        evidence=evidence,
        advice=(
            "Charge for KL: a phase 2 with phase2.kl_weight=1 follows the warm-up in the recipe two-phase.",
            "If it is charged already, lower phase2.free_bits_per_dimension, or let the KL weight rise sooner.",
            "Until then walk between encoded sentences: samples from the prior fall where nothing was learned.",
        ),
    )


def _unknown(known: tuple[str, ...], *missing: str | Literal[False]) -> Verdict:
    names = " and ".join(name for name in missing if name)
    return Verdict(
        name="unknown",
        headline=f"Not measured yet: there is no verdict without {names}.",
        evidence=known,
        advice=("Wait for the next evaluation of the run, or measure it now: python -m vae evaluate RUN.",),
    )


def _describe(
    delta: float | None, kl: float | None, mi: float | None, ceiling: float | None, units: float | None
) -> tuple[str, ...]:
    """A sentence for each figure that was measured."""
    sentences = []
    if delta is not None:
        more, reading = ("less" if delta < 0 else "more"), "so the decoder reads z"
        if delta < IGNORED_NATS:
            reading = "so z makes no difference to the decoder"
        if delta < -IGNORED_NATS:
            reading = "so its own z only misleads the decoder"
        sentences.append(f"With another sentence's z a sentence costs {_nats(abs(delta))} {more}, {reading}.")
    if kl is not None:
        sentences.append(f"KL, the price of z, is {_nats(kl)} a sentence.")
    if mi is not None:
        at_most = "" if ceiling is None else f" of at most {_nats(ceiling)} that this many sentences can show"
        least = "at least " if _near_ceiling(mi, ceiling) else ""
        sentences.append(f"MI, what z tells about its sentence, is {least}{_nats(mi)}{at_most}.")
    if units is not None:
        sentences.append(f"{units:.0f} dimension{' is' if units == 1 else 's are'} active.")
    return tuple(sentences)


def _figure(figures: Mapping[str, Any], name: str) -> float | None:
    value = figures.get(name)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _near_ceiling(mi: float, ceiling: float | None) -> bool:
    return ceiling is not None and mi > ceiling - NEAR_CEILING_NATS


def _nats(value: float) -> str:
    rounded = f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 0.95 else f"{value:.2f}"
    return f"{0.0 if float(rounded) == 0 else rounded} nats"
