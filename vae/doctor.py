"""A verdict in words on the figures of a run: is z used, by whom, and what to try.

MI, AU and KL look at the encoder alone, so what the decoder does decides first: `delta_nll_nats`, what a sentence
costs more when it is decoded from another sentence's z. The names are

    collapsed      the encoder writes nothing into z (KL near 0), and the decoder does without
    disconnected   KL, and often MI and AU, look alive, but the decoder does not read z
    weak           the decoder reads z, but gets little from it, or little more than the length
    autoencoder    the decoder reads z, but KL is mostly mismatch with the prior, so prior samples decode poorly
    healthy        none of these
    unknown        a figure that decides is missing, or nothing has been trained yet

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

SAME_NATS = 0.005
"""A difference that is said as none."""

LEAK_NATS = 0.1
"""What the neighbours in a batch may change in the cost of a sentence: rounding changes a thousandth of it, and bf16 a
few hundredths; the code of another sentence changes whole nats."""

TRANSPOSE = "Look for a reshape without a transpose between z and the decoder: codes reach the wrong sentences."

EMPTY_KL_NATS = 1.0
"""KL under which z is empty: MI is at most KL, and 1 nat tells apart fewer than 3 (e^1) groups of sentences."""

WEAK_NATS = 2.0
"""delta_nll under which z matters little: with another sentence's z a sentence is at most 7.4 times (e^2) less
likely."""

WEAK_SHARE = 0.5
"""delta_nll under this share of MI means that much of the code is wasted: a decoder that reads all of it has
delta_nll >= MI (its delta_nll is MI plus the divergence in the other direction)."""

MISMATCH_NATS_PER_UNIT = 0.5
"""Certain mismatch with the prior over each active unit above which the codes have left it. Either mean and variance
show it: the codes are spread 1.8 times as wide as the prior or 2.5 times as narrow, or lie 1 standard deviation to its
side, in every active dimension. Or KL exceeds the cost of a sentence without z by as much: more than there is to say,
so that codes are needles with nothing between them. In 32 dimensions prior samples then fall where almost no sentence
was ever encoded."""

GAP_NATS_PER_UNIT = 0.1
"""Certain mismatch over each active unit above which the codes of a healthy run do not quite fill the prior: they are
spread 1.3 times as wide as it or 1.4 times as narrow, or lie 0.45 standard deviations to its side, in every active
dimension. In 32 dimensions that makes 3.2 nats: the region that the prior gives a chance of e^-3.2 = 4 % may hold all
codes, and most samples from it then fall beside them. Captions and reviews end at 0.04 to 0.07 (docs/lab-log.md)."""

UNEXPLAINED_NATS_PER_UNIT = 2.0
"""KL - MI over each active unit, above which the same is said where that mismatch has not been measured. MI cannot
exceed ln N, so information beyond that counts as mismatch here, which is why this threshold leaves room."""

NEAR_CEILING_NATS = 0.5
"""Within this distance of ln N, MI is only known to be at least that."""

GIST_SHARE = 0.5
"""MI under this share of its ceiling ln N means that z holds a gist: it tells apart fewer kinds of sentence than each
kind has members, e^MI < sqrt(N)."""


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


def diagnose(figures: Mapping[str, Any]) -> Verdict:  # noqa: PLR0911
    """The verdict on figures named as in metrics.jsonl: `delta_nll_nats`, `kl_nats`, `mi_nats`, `active_units`, ...

    A figure that is missing, None or not finite has not been measured; others than the known names are passed over.
    A report says more than a check of training: `delta_matched_nats` keeps a code that tells no more than the length
    of its sentence from passing as a good one. A check before the first step of training accuses nobody.
    """
    if untrained(figures):
        return Verdict(name="unknown", headline="Not trained yet.", evidence=(), advice=())
    known = _Known(figures)
    delta, kl, mi, units = known.delta, known.kl, known.mi, known.units
    if delta is None or kl is None:
        return _unknown(known, delta is None and "delta_nll", kl is None and "KL")
    if delta < IGNORED_NATS:
        return _collapsed(known) if kl < EMPTY_KL_NATS else _disconnected(known, delta)
    if known.leaks:
        return _mixed_up(known)
    beyond_length = delta if known.matched is None else min(delta, known.matched)
    if beyond_length < WEAK_NATS or (mi is not None and delta < WEAK_SHARE * mi):
        return _weak(known)
    if mi is None or units is None:
        return _unknown(known, mi is None and "MI", units is None and "the number of active units")
    if known.mismatch is None:
        has_left = kl - mi > UNEXPLAINED_NATS_PER_UNIT * max(units, 1)
    else:
        has_left = known.mismatch > MISMATCH_NATS_PER_UNIT * max(units, 1)
    return _autoencoder(known, kl, mi) if has_left else _healthy(known, units)


def untrained(figures: Mapping[str, Any]) -> bool:
    """Whether figures are those of a check before the first step of training: what they say is chance."""
    return 0 in (figures.get("step"), figures.get("epoch"))


def _healthy(known: _Known, units: float) -> Verdict:
    gap = known.mismatch is not None and known.mismatch > GAP_NATS_PER_UNIT * max(units, 1)
    where = "have not left the prior, though they do not quite fill it" if gap else "stay near the prior"
    spread = "kl" if known.mismatch is None else "gap" if gap else "spread"
    if known.gist:
        advice: tuple[str, ...] = (
            "Make room for more in z: leave more KL free of charge, phase2.free_bits_per_dimension=0.5 for one.",
            "Or let the KL weight rise more slowly: phase2.kl_schedule=linear, with more of phase2.kl_epochs.",
            "Walk between two sentences of the map: each step should be a sentence, and the ends keep their gist.",
        )
    elif gap:
        advice = ("Walk between two sentences of the map: the way should read better than samples from the prior do.",)
    else:
        advice = ("Walk between two prior samples, or between two sentences of the map: the way should read well.",)
    if gap:
        nearer = "To bring the codes nearer to the prior, lower phase2.free_bits_per_dimension, or train for longer."
        advice = (*advice, nearer)
    return Verdict(
        name="healthy",
        headline=f"Healthy: the decoder reads z, and the codes {where}.",
        evidence=known.say("delta", "mi", "gist", spread),
        advice=advice,
    )


def _mixed_up(known: _Known) -> Verdict:
    return Verdict(
        name="disconnected",
        headline="Disconnected: sentences are decoded from the z of their neighbours in the batch.",
        evidence=known.say("leak", "delta", "kl"),
        advice=(
            TRANSPOSE,
            "Do not trust KL, MI and AU here: they look at the encoder alone.",
            "Even delta NLL is fooled where the sentences of a batch are alike, in length for one.",
        ),
    )


def _collapsed(known: _Known) -> Verdict:
    if known.kl == 0:  # no encoder that trains gets there exactly
        return Verdict(
            name="collapsed",
            headline="Collapsed, and by design: z is the same for every sentence.",
            evidence=known.say("delta", "kl"),
            advice=(
                "Use it as a yardstick: python -m vae evaluate RUN --against this one says what z adds to its decoder.",
            ),
        )
    return Verdict(
        name="collapsed",
        headline="Collapsed: z is empty, and the decoder writes without it.",
        evidence=known.say("delta", "kl"),
        advice=(
            "Leave some KL free of charge: phase2.free_bits_per_dimension=0.5.",
            "Warm the encoder up first, and keep the free bits: the recipe two-phase does both. Without free bits "
            "no warm-up saved the code on the captions.",
            "Let the KL weight rise slowly: phase2.kl_schedule=linear, with phase2.kl_epochs of several epochs.",
        ),
    )


def _disconnected(known: _Known, delta: float) -> Verdict:
    evidence = known.say("delta", "kl", "mi", "units")
    advice: tuple[str, ...] = ()
    if known.kl is not None and known.mi is not None and known.mi < EMPTY_KL_NATS:
        wasted = _nats(known.kl - known.mi)
        evidence += (f"Of the KL, {wasted} is mismatch with the prior: it costs, and carries no information.",)
    if known.leaks:
        evidence += known.say("leak")
        advice = (TRANSPOSE,)
    if delta < -IGNORED_NATS:
        advice = (*advice, "Check that codes and sentences are in the same order: they seem to be mixed up.")
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


def _weak(known: _Known) -> Verdict:
    evidence = known.say("delta", "mi")
    if known.mi is not None and known.delta is not None and known.delta < WEAK_SHARE * known.mi:
        evidence += ("A decoder that reads all of its code would lose at least MI with another sentence's z.",)
    elif known.matched is not None and known.matched < WEAK_NATS:
        evidence = known.say("delta", "matched")
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


def _autoencoder(known: _Known, kl: float, mi: float) -> Verdict:
    if known.mismatch is None:
        evidence = (
            *known.say("delta", "kl", "mi"),
            f"KL exceeds MI by {_nats(kl - mi)}: that looks like mismatch between codes and prior.",
        )
        if _near_ceiling(mi, known.ceiling):
            evidence += ("MI is at its ceiling: on more sentences it could rise, and the mismatch shrink by as much.",)
    else:
        evidence = known.say("delta", "kl", "mismatch")
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


def _unknown(known: _Known, *missing: str | Literal[False]) -> Verdict:
    names = " and ".join(name for name in missing if name)
    return Verdict(
        name="unknown",
        headline=f"Not measured yet: there is no verdict without {names}.",
        evidence=known.say("delta", "kl", "mi", "units"),
        advice=("Wait for the next evaluation of the run, or measure it now: python -m vae evaluate RUN.",),
    )


class _Known:
    """The figures that were measured, and a sentence for each."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self.delta, self.matched = _figure(figures, "delta_nll_nats"), _figure(figures, "delta_matched_nats")
        self.kl, self.mi, self.units = (_figure(figures, n) for n in ("kl_nats", "mi_nats", "active_units"))
        self.leak = _figure(figures, "batch_leak_nats")
        self.ceiling, self.mismatch = (_figure(figures, n) for n in ("mi_ceiling_nats", "marginal_kl_least_nats"))

    @property
    def leaks(self) -> bool:
        """Whether sentences are decoded otherwise in a batch than alone."""
        return self.leak is not None and self.leak > LEAK_NATS

    @property
    def gist(self) -> bool:
        """Whether MI lies well below its ceiling."""
        return self.mi is not None and self.ceiling is not None and self.mi < GIST_SHARE * self.ceiling

    def say(self, *names: str) -> tuple[str, ...]:
        """The sentences about these figures, in this order; nothing of one that was not measured."""
        sentences = self._sentences()
        return tuple(sentences[name] for name in names if name in sentences)

    def _sentences(self) -> dict[str, str]:
        said = {}
        if self.delta is not None:
            more, reading = ("less" if self.delta < 0 else "more"), "so the decoder reads z"
            if self.delta < IGNORED_NATS:
                reading = "so z makes no difference to the decoder"
            if self.delta < -IGNORED_NATS:
                reading = "so its own z only misleads the decoder"
            much = f"{_nats(abs(self.delta))} {more}" if abs(self.delta) >= SAME_NATS else "the same"
            said["delta"] = f"With another sentence's z a sentence costs {much}, {reading}."
        if self.leak is not None:
            said["leak"] = f"Scored alone, a sentence costs {_nats(self.leak)} more or less than in a batch."
        if self.matched is not None:
            said["matched"] = (
                f"With the z of another of the same length it is {_nats(self.matched)}: z tells little but the length."
            )
        if self.kl is not None:
            said["kl"] = f"KL, the price of z, is {_nats(self.kl)} a sentence."
        if self.mi is not None:
            least = "at least " if _near_ceiling(self.mi, self.ceiling) else ""
            said["mi"] = f"MI, what z tells about its sentence, is {least}{_nats(self.mi)}"
            if self.ceiling is not None:
                said["mi"] += f" of at most {_nats(self.ceiling)} that this many sentences can show"
            said["mi"] += "."
        if self.mi is not None and self.gist:
            said["gist"] = (
                f"So z tells about {math.exp(self.mi):,.0f} kinds of sentence apart (e to the power of MI): expect the "
                "gist of a sentence back, not its words."
            )
        if self.units is not None:
            said["units"] = f"{self.units:.0f} dimension{' is' if self.units == 1 else 's are'} active."
        if self.mismatch is not None:
            mismatch = _nats(self.mismatch)
            said["mismatch"] = (
                f"At least {mismatch} of it is mismatch: the codes do not fill the prior as its samples do."
            )
            said["spread"] = (
                f"The codes of all sentences fill the prior, as far as can be seen: a mismatch of {mismatch}."
            )
            said["gap"] = (
                f"The codes of all sentences do not quite fill the prior, a mismatch of at least {mismatch}: its "
                "samples read less well than walks between sentences."
            )
        return said


def _figure(figures: Mapping[str, Any], name: str) -> float | None:
    value = figures.get(name)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _near_ceiling(mi: float, ceiling: float | None) -> bool:
    return ceiling is not None and mi > ceiling - NEAR_CEILING_NATS


def _nats(value: float) -> str:
    rounded = f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 0.95 else f"{value:.2f}"
    return f"{0.0 if float(rounded) == 0 else rounded} nats"
