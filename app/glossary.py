"""The words of the interface: which figures are shown where, what explains them, phases, states, time spans.

What a figure or a word means is defined once, in `vae.glossary`; it is passed on to pages from here, in Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.palette import TERMS_OF_THE_ELBO
from vae.glossary import METRICS, TERMS, Metric, Term

__all__ = ["CURVES", "ENTRIES", "METRICS", "PHASES", "STATES", "TABLE", "Metric", "Term", "duration", "entry"]
__all__ += ["groups", "help_of", "link", "matches", "mathematics", "phase_of"]

ENTRIES: Mapping[str, Term] = {**TERMS, **METRICS}
"""Everything that the glossary explains."""

CURVES = (
    *("delta_nll_nats", "kl_nats", "mi_nats", "active_units", "rec_nats", "neg_elbo_nats"),
    *("kl_weight", "learning_rate", "sentences_per_second", "memory_mb", "gpu_memory_mb", "denoising_nats"),
)
"""The figures drawn as curves, in the order in which they answer “is it alive?”; the last in phase 0 only."""

TABLE = ("delta_nll_nats", "kl_nats", "mi_nats", "active_units", "rec_nats", "neg_elbo_nats", "ppl_word")
"""The figures of a table of runs."""

PHASES: Mapping[int, str] = {0: "pre-training", 1: "encoder warm-up", 2: "finetuning"}
"""The phases of a run in words."""


def phase_of(phase: int, phases: Sequence[int]) -> str:
    """A phase of a run that has these, in words: `phase 1 of 2, encoder warm-up`; of one alone, what it is."""
    words, finetuning = PHASES.get(phase, ""), [each for each in phases if each]
    return f"phase {phase} of {len(finetuning)}, {words}" if phase and len(finetuning) > 1 else words


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


_GROUPS: Mapping[str, Sequence[str]] = {
    "The words": tuple(TERMS),
    "Does the decoder listen?": ("delta_nll_nats", "delta_matched_nats", "delta_prior_nats", "delta_zero_nats"),
    "What a code holds": (
        *("kl_nats", "mi_nats", "mi_ceiling_nats", "mi_upper_nats"),
        *("marginal_kl_nats", "marginal_kl_least_nats", "active_units"),
    ),
    "What a sentence costs": (
        *("rec_nats", "neg_elbo_nats", "nll_nats", "effective_sample_size", "ppl_word", "ppl_token"),
        "batch_leak_nats",
    ),
    "What is written": ("exact_reconstructions", "bleu", "distinct_prior", "unknown_share"),
    "While it trains": (
        *("kl_weight", "kl_charged_nats", "learning_rate", "denoising_nats", "encoder_updates"),
        *("sentences_per_second", "tokens_per_second", "peak_share", "time_s", "memory_mb", "gpu_memory_mb"),
    ),
}
_PROBES = ("smoothness", "rec_swaps", "bleu_swaps", "accuracy", "copying")
_BETTER = {"high": "higher is better", "low": "lower is better", "": ""}
_MARKED = re.compile(r"\\(rec|kl)\{((?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*)\}")


def groups() -> dict[str, list[str]]:
    """The entries of the glossary by what they are about, each in one group."""
    probes = [name for name in METRICS if name.startswith(_PROBES)]
    placed = {name for names in _GROUPS.values() for name in names} | set(probes)
    found = {title: list(names) for title, names in _GROUPS.items()}
    found["Further figures"] = [name for name in METRICS if name not in placed]
    found["Probes: what codes are worth to a reader"] = probes
    return {title: names for title, names in found.items() if names}


def matches(term: Term, text: str) -> bool:
    """Whether an entry has all the words of a search."""
    said = " ".join((term.title, term.symbol, term.name, term.name.replace("_", " "), term.definition, term.source))
    said = _plain(said)
    return all(word in said for word in _plain(text).split())


def entry(term: Term, *, asked: bool = False) -> str:
    """An entry of the glossary: name and symbol, definition, formula, how to read it. `asked` marks the name."""
    title = f":primary-background[{term.title}]" if asked else term.title
    symbol = {"rec_nats": r"\rec{\mathrm{rec}}", "kl_nats": r"\kl{\mathrm{KL}}"}.get(term.name, "")
    head = f"**{title}**" + f" · {mathematics(symbol) or term.symbol}" * bool(term.symbol)
    unit, better = (term.unit, _BETTER[term.better]) if isinstance(term, Metric) else ("", "")
    facts = " · ".join(filter(None, (unit, better, term.source)))
    lines = (f"{head}  \n{term.definition}", mathematics(term.formula), facts and f":small[:gray[{facts}]]")
    return "\n\n".join(filter(None, lines))


def mathematics(formula: str) -> str:
    """A formula, its two terms of the ELBO in their colours."""
    pieces = _MARKED.split(formula)
    shown = []
    for plain, which, marked in zip(pieces[::3], [*pieces[1::3], ""], [*pieces[2::3], ""], strict=True):
        if plain.strip():
            shown.append(f"$\\displaystyle {plain.strip()}$")
        if which:
            shown.append(f":{TERMS_OF_THE_ELBO[which]}[$\\displaystyle {marked.strip()}$]")
    return " ".join(shown)


def link(name: str) -> str:
    """Where the glossary explains it, as every page of the app can say it, also under a base path."""
    return f"glossary?term={name}"


def help_of(metric: Metric) -> str:
    """What a label says when somebody points at it: the definition, and the way to the glossary, in a tab of its own.

    Not for headings of tables: what they say is gone before a pointer reaches it.
    """
    return f"{metric.definition} [More in the glossary]({link(metric.name)})"


def _plain(text: str) -> str:
    return text.casefold().replace("−", "-").replace("δ", "delta ")


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
