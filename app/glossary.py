"""The words of the interface: which figures are shown where, phases, states, time spans.

What a figure means is defined once, in `vae.glossary`; its `METRICS` are passed on to pages from here.
"""

from __future__ import annotations

from collections.abc import Mapping

from vae.glossary import METRICS, Metric

__all__ = ["CURVES", "METRICS", "PHASES", "STATES", "TABLE", "Metric", "duration"]

CURVES = (
    *("delta_nll_nats", "kl_nats", "mi_nats", "active_units", "rec_nats", "neg_elbo_nats"),
    *("kl_weight", "learning_rate", "sentences_per_second", "memory_mb", "gpu_memory_mb", "denoising_nats"),
)
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
