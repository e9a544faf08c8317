"""What an evaluation found: the figures, their tables per sentence, and where a run keeps both.

A run keeps the report of each split in `reports/`: SPLIT.json, the figures by the names of metrics.jsonl, and
SPLIT.parquet, a row a sentence. Nothing heavy is imported here, so that a page or a command can show a report at once.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from vae import runs
from vae.config import read_json
from vae.runs import Run

if TYPE_CHECKING:
    import pandas as pd

TABLE = (
    *("ppl_word", "nll_nats", "neg_elbo_nats", "rec_nats", "kl_nats", "mi_nats", "active_units"),
    *("delta_nll_nats", "delta_matched_nats", "marginal_kl_nats", "exact_reconstructions", "bleu", "distinct_prior"),
)
"""The figures of a table for a paper: in the order that the field expects, then those that look at the decoder."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The figures of an evaluation, by the names of metrics.jsonl (`glossary.METRICS` says what each means).

    Nats are per sentence. `delta_*` is what a sentence costs more under that z than under its own.
    """

    sentences: int
    tokens: int
    """Tokens of all sentences, end tokens included."""
    words: int
    """Whitespace words of all sentences, and one for the end of each."""
    seed: int
    samples: int
    """K of `nll_nats` and of the perplexities."""
    latent_size: int
    rec_nats: float
    kl_nats: float
    kl_charged_nats: float | None
    """None where the training objective is not known."""
    neg_elbo_nats: float
    nll_nats: float
    effective_sample_size: float
    """Mean over the sentences."""
    ppl_word: float
    ppl_token: float
    mi_nats: float
    mi_upper_nats: float
    mi_ceiling_nats: float
    mi_saturated: bool
    marginal_kl_nats: float
    marginal_kl_least_nats: float
    active_units: int
    delta_nll_nats: float
    """Another sentence's z."""
    delta_matched_nats: float
    """The z of another sentence of the same length."""
    delta_prior_nats: float
    """A draw from the prior."""
    delta_zero_nats: float
    """z = 0."""
    batch_leak_nats: float
    """How much the cost of a sentence changes with its neighbours in the batch (mean of |difference|), which is 0."""
    exact_reconstructions: float
    bleu: float
    distinct_prior: int
    """Different sentences among the greedy decodes of 100 draws from the prior."""
    kl_per_dim_nats: list[float]
    variance_per_dim: list[float]
    """Var_x(mu_d) of each dimension, in the order of `kl_per_dim_nats`."""
    variances: list[float]
    """The same, largest first: those above 0.01 are the active units."""
    nll_by_samples: list[dict[str, float]]
    """For K = 1, 10, 100, ...: samples, nll_nats, effective_sample_size, ppl_word, ppl_token."""
    mi_by_sentences: list[dict[str, float]]
    """For growing N: sentences, mi_nats, mi_upper_nats, mi_ceiling_nats."""
    delta_by_position: list[dict[str, float]]
    """For each token position: position, sentences (that reach it), own_nats, delta_nll_nats, per such sentence."""
    intervals: dict[str, tuple[float, float]]
    """95 % intervals over the sentences, of the figures for which they mean something."""
    per_sentence: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    """A row a sentence: text, decoded, tokens, words, and in nats rec, kl, nll and the deltas. Not part of the JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the table of sentences."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "per_sentence"}
        return values | {"intervals": {name: list(interval) for name, interval in self.intervals.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """The inverse of `to_dict`; keys of no field are passed over."""
        intervals = {name: (low, high) for name, (low, high) in values["intervals"].items()}
        return cls(**{name: values[name] for name in _FIGURES} | {"intervals": intervals})


_FIGURES = {each.name for each in fields(Report)} - {"per_sentence"}


def save(run: Run, split: str, step: int, report: Report) -> None:
    """Keep the report of a split in its run, with the step of the weights that it is about."""
    folder = run.reports_path
    folder.mkdir(exist_ok=True)
    if report.per_sentence is not None:
        buffer = io.BytesIO()
        small = {name: "float32" for name in report.per_sentence if str(name).endswith("_nats")}
        report.per_sentence.astype(small).to_parquet(buffer, index=False)
        runs.write_bytes(folder / f"{split}.parquet", buffer.getvalue())
    runs.write_json(folder / f"{split}.json", {"split": split, "step": step, **report.to_dict()})


def load(run: Run, split: str = "test") -> Report | None:
    """The report that a run keeps of a split; a damaged one is a `ValueError`.

    None where there is none, where the run has been trained on since, or where the report lacks a figure, as one by an
    earlier version does.
    """
    path = run.reports_path / f"{split}.json"
    if not path.is_file():
        return None
    values = read_json(path)
    if not isinstance(values, dict):
        raise ValueError(f"{path} is damaged: evaluate the run again.")
    current = values.get("step") == run.status.step and values.keys() >= _FIGURES
    return Report.from_dict(values) if current else None


def load_sentences(run: Run, split: str = "test") -> pd.DataFrame:
    """The table of sentences that belongs to the report of a split."""
    import pandas as pd

    path = run.reports_path / f"{split}.parquet"
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is missing or damaged: evaluate the run again.") from error


def difference(a: pd.DataFrame, b: pd.DataFrame, figure: str) -> tuple[float, float, float]:
    """Mean of a figure over the sentences of `a` less that of `b`, and its 95 % interval, paired by sentence.

    The tables are `Report.per_sentence`; `ValueError` if they are not about the same sentences.
    """
    if len(a) != len(b) or not (a["text"].to_numpy() == b["text"].to_numpy()).all():
        raise ValueError("The two reports are about different sentences: evaluate both runs on the same --data.")
    gaps = (a[figure] - b[figure]).to_numpy("float64")
    mean, half = float(gaps.mean()), 1.96 * float(gaps.std(ddof=1)) / len(gaps) ** 0.5
    return mean, mean - half, mean + half
