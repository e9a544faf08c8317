"""What the figures of a run mean: the words, the unit and the sentence that every page shows beside a number.

The names are those of metrics.jsonl. No streamlit, no vae: charts, cards and tables all read from here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure: its name in the files, its name in words, its symbol, unit and definition."""

    name: str
    title: str
    symbol: str
    unit: str
    definition: str
    digits: int = 1
    reach: float = 0.0
    """What an axis shows at least, so that a figure near zero looks like one."""

    @property
    def axis(self) -> str:
        """The label of an axis: symbol and unit."""
        return f"{self.symbol} ({self.unit})" if self.unit else self.symbol

    def show(self, value: object) -> str:
        """The value as people read it, without its unit; a dash where there is none."""
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            return "–"
        digits = self.digits + 1 if self.digits and 0 < abs(value) < 10**-self.digits else self.digits
        return f"{value + 0.0:,.{digits}f}"


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="kl_nats",
            title="Distance from the prior",
            symbol="KL",
            unit="nats",
            definition="How far the code of a sentence lies from the prior, KL(q(z|x) ‖ N(0, I)), summed over the "
            "dimensions of z, in nats a sentence. Near 0 the encoder says nothing.",
            reach=2.0,
        ),
        Metric(
            name="mi_nats",
            title="Information in the code",
            symbol="MI",
            unit="nats",
            definition="How much the code tells about which sentence it came from, estimated over N checked "
            "sentences, in nats. It cannot exceed its ceiling ln N, so a value at the ceiling means "
            "“at least this much”.",
            reach=2.0,
        ),
        Metric(
            name="active_units",
            title="Dimensions in use",
            symbol="AU",
            unit="dimensions",
            definition="Active units: dimensions of z whose mean moves with the sentence (variance over the checked "
            "sentences above 0.01).",
            digits=0,
        ),
        Metric(
            name="delta_nll_nats",
            title="Does the decoder listen?",
            symbol="ΔNLL",
            unit="nats",
            definition="How much worse a sentence is predicted from another sentence's code than from its own, in "
            "nats a sentence. Near 0 the decoder ignores the code, whatever KL, MI and AU say.",
            reach=2.0,
        ),
        Metric(
            name="rec_nats",
            title="Cost of rebuilding",
            symbol="rec",
            unit="nats",
            definition="Reconstruction: −log p(x|z) summed over the tokens of a sentence, in nats a sentence. "
            "0 would be rebuilding every word without doubt.",
            reach=2.0,
        ),
        Metric(
            name="neg_elbo_nats",
            title="Cost of a sentence",
            symbol="−ELBO",
            unit="nats",
            definition="Reconstruction plus KL, in nats a sentence: an upper bound on −log p(x). Lower is a better "
            "language model, also when the code is ignored.",
        ),
        Metric(
            name="ppl_word",
            title="Perplexity a word",
            symbol="PPL",
            unit="",
            definition="exp(−ELBO over all sentences / number of words, each sentence's end counted as one): an "
            "upper bound on the perplexity.",
        ),
        Metric(
            name="kl_weight",
            title="Price of information",
            symbol="KL weight",
            unit="",
            definition="The factor (beta) by which the KL term counts in the loss at this step; 0 leaves it out.",
            digits=2,
            reach=1.0,
        ),
        Metric(
            name="learning_rate",
            title="Learning rate",
            symbol="learning rate",
            unit="",
            definition="AdamW's step size at this step.",
            digits=5,
        ),
        Metric(
            name="denoising_nats",
            title="Filling in deleted words",
            symbol="loss",
            unit="nats a token",
            definition="Phase 0, base “fresh” only: the cost of filling in deleted spans, in nats for each token to "
            "be filled in.",
            digits=2,
        ),
        Metric(
            name="sentences_per_second",
            title="Speed",
            symbol="speed",
            unit="sentences/s",
            definition="Training sentences a second.",
            digits=0,
        ),
    )
}

CURVES = ("delta_nll_nats", "kl_nats", "mi_nats", "active_units", "rec_nats", "kl_weight", "denoising_nats")
"""The figures drawn as curves, in the order in which they answer “is it alive?”; the last in phase 0 only."""

TABLE = ("delta_nll_nats", "kl_nats", "mi_nats", "active_units", "rec_nats", "neg_elbo_nats", "ppl_word")
"""The figures of a table of runs."""

PHASES: Mapping[int, str] = {0: "pre-training", 1: "encoder warm-up", 2: "finetuning"}
"""The phases of a run in words."""

STATES: Mapping[str, tuple[str, str, str]] = {
    "queued": ("waiting to start", "blue", "schedule"),
    "running": ("training", "blue", "play_circle"),
    "stopping": ("saving, then stopping", "orange", "pause_circle"),
    "stopped": ("stopped, can be resumed", "orange", "pause_circle"),
    "finished": ("finished", "green", "check_circle"),
    "failed": ("ended without finishing", "red", "error"),
    "damaged": ("cannot be read", "red", "error"),
}
"""Each state in words, with a colour of the theme and an icon."""


def duration(seconds: float) -> str:
    """A time span as people say it: `40 s`, `3 min`, `1 h 20 min`, `2 days`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{round(hours / 24)} days"
