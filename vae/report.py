"""What an evaluation found: the figures, their tables per sentence, the probes, and where a run keeps them.

A run keeps the report of each split in `reports/`: SPLIT.json, the figures by the names of metrics.jsonl, and
SPLIT.parquet, a row a sentence. Nothing heavy is imported here, so that a page or a command can show a report at once.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae import runs, tables
from vae.config import read_json
from vae.glossary import METRICS
from vae.runs import Run

if TYPE_CHECKING:
    import pandas as pd

TABLE = (
    *("ppl_word", "nll_nats", "neg_elbo_nats", "rec_nats", "kl_nats", "mi_nats", "active_units"),
    *("delta_nll_nats", "delta_matched_nats", "marginal_kl_nats", "exact_reconstructions", "bleu", "distinct_prior"),
)
"""The figures of a table for a paper: in the order that the field expects, then those that look at the decoder."""


LABELLED = (100, 500, 1000, 2000, 10_000)
"""Labelled examples of Li et al. 2019, Table 8."""

SWAPS = (0, 1, 2, 3, 4)
"""How many pairs of words change places; Table 6 has 1 to 4."""

PROBE_TABLES: Mapping[str, tuple[str, ...]] = {
    "Rebuilding and smoothness": ("bleu_sampled", "bleu_swaps_0", "smoothness", "smoothness_equal_lengths"),
    "Under swapped words": (*(f"rec_swaps_{k}_nats" for k in SWAPS), *(f"bleu_swaps_{k}" for k in SWAPS[1:])),
    "Labels read from the codes": ("accuracy_mixture", *(f"accuracy_{size}" for size in LABELLED)),
    "Copying": ("copying_words", "copying_heldout_words"),
}
"""The probes in the order of Li et al. 2019: Tables 4 and 5, 6, 8, and appendix B."""

CONTROLS: Mapping[str, Mapping[str, str]] = {
    "bag of words": {f"accuracy_{size}": f"accuracy_words_{size}" for size in LABELLED},
    "labels shuffled": {"accuracy_mixture": "accuracy_mixture_shuffled"}
    | {f"accuracy_{size}": f"accuracy_shuffled_{size}" for size in LABELLED},
    "most frequent label": {f"accuracy_{size}": "accuracy_majority" for size in LABELLED},
}
"""What each accuracy is held against, by the name of the accuracy."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One figure of a probe, in the unit that `glossary.METRICS` gives to its name."""

    value: float
    """The mean over the seeds."""
    interval: tuple[float, float] | None
    """Of 95 %; None where a single value has none."""
    n: int
    """What it is a figure over: sentences, or pairs of them."""
    by_seed: list[float]
    """The value of each seed."""


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    """The sentences on the straight line between two codes, each decoded greedily (Li et al. 2019, appendix D)."""

    seeds: tuple[int, int]
    """Of the ends: the first and the second of two draws from the prior; or the sample of the posterior of each."""
    inputs: tuple[str, str] | None
    """The sentences whose posteriors the ends are samples of; None of ends drawn from the prior."""
    texts: list[str]
    """At even t from 0 to 1, ends included."""

    def rows(self, example: int) -> list[dict[str, Any]]:
        """The rows of `tables.paths`: example, part, t and sentence."""
        inputs = [] if self.inputs is None else zip(("source", "target"), self.inputs, strict=True)
        given = [{"example": example, "part": f"{end} input", "t": None, "sentence": text} for end, text in inputs]
        last, taken = len(self.texts) - 1, f"{'prior' if self.inputs is None else 'posterior'}-sampled"
        return given + [
            {"example": example, "part": tables.path_part(t, taken, taken), "t": t, "sentence": text}
            for t, text in ((round(step / last, 6), text) for step, text in enumerate(self.texts))
        ]


@dataclass(frozen=True, kw_only=True)
class Probes:
    """What the codes of a run are worth to a reader (`vae.probing`)."""

    label: str | None
    """The label column that was read; None where the corpus has none."""
    classes: int
    """How many values it has."""
    train_sentences: int
    """Training sentences whose codes the labels were learned from, and in which nearest ones were searched."""
    seed: int
    figures: dict[str, Probe]
    """By their names in `glossary.METRICS`."""
    interpolations: list[Interpolation] = field(default_factory=list)
    """Between draws from the prior, then between samples of posteriors; none in reports of a time before there were."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; each figure with its unit."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {
            "figures": {
                name: {**asdict(each), "interval": each.interval and list(each.interval), "unit": METRICS[name].unit}
                for name, each in self.figures.items()
            },
            "interpolations": [
                {"seeds": list(each.seeds), "inputs": each.inputs and list(each.inputs), "texts": each.texts}
                for each in self.interpolations
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Probes:
        """The inverse of `to_dict`."""
        figures = {
            name: Probe(
                value=each["value"],
                interval=each["interval"] and (each["interval"][0], each["interval"][1]),
                n=each["n"],
                by_seed=each["by_seed"],
            )
            for name, each in values["figures"].items()
        }
        interpolations = [
            Interpolation(
                seeds=(each["seeds"][0], each["seeds"][1]),
                inputs=each["inputs"] and (each["inputs"][0], each["inputs"][1]),
                texts=each["texts"],
            )
            for each in values.get("interpolations", [])
        ]
        return cls(
            label=values["label"],
            classes=values["classes"],
            train_sentences=values["train_sentences"],
            seed=values["seed"],
            figures=figures,
            interpolations=interpolations,
        )

    def paths(self) -> list[dict[str, Any]]:
        """The interpolations as rows of one table, a number an example."""
        return [row for number, each in enumerate(self.interpolations, 1) for row in each.rows(number)]

    def row(self) -> dict[str, Any]:
        """The figures as a row of a table, with their intervals."""
        intervals = {name: each.interval for name, each in self.figures.items() if each.interval}
        return {name: each.value for name, each in self.figures.items()} | {"intervals": intervals}


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
    unknown_share: float | None = None
    """Per cent of the tokens that are <unk>, end tokens left out; None in reports of a time before there were any."""
    per_sentence: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    """A row a sentence: text, decoded, tokens, words, and in nats rec, kl, nll and the deltas. Not part of the JSON."""
    probes: Probes | None = field(default=None, repr=False)
    """Where they have been made of the same weights; not part of the JSON where not."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the table of sentences."""
        values = {name: getattr(self, name) for name in _FIGURES}
        values["intervals"] = {name: list(interval) for name, interval in self.intervals.items()}
        return values | ({"probes": self.probes.to_dict()} if self.probes else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """The inverse of `to_dict`; keys of no field are passed over."""
        intervals = {name: (low, high) for name, (low, high) in values["intervals"].items()}
        probes = Probes.from_dict(values["probes"]) if "probes" in values else None
        known = {name: values[name] for name in _FIGURES if name in values or name not in _LATER}
        return cls(**known | {"intervals": intervals, "probes": probes})


_FIGURES = [each.name for each in fields(Report) if each.name not in {"per_sentence", "probes"}]

_LATER = {"unknown_share"}
"""Figures that a report may lack."""


def save(run: Run, split: str, step: int, report: Report) -> None:
    """Keep the report of a split in its run, with the step of the weights that it is about.

    Probes of the same weights that are kept already remain, where the report brings none.
    """
    folder = run.reports_path
    folder.mkdir(exist_ok=True)
    if report.per_sentence is not None:
        buffer = io.BytesIO()
        small = {name: "float32" for name in report.per_sentence if str(name).endswith("_nats")}
        report.per_sentence.astype(small).to_parquet(buffer, index=False)
        runs.write_bytes(folder / f"{split}.parquet", buffer.getvalue())
    path = folder / f"{split}.json"
    runs.write_json(path, {"split": split, "step": step, **_kept_probes(path, step), **report.to_dict()})


def save_probes(run: Run, split: str, step: int, probes: Probes) -> None:
    """Add probes to the report that a run keeps of a split; `ValueError` where it keeps none of these weights."""
    kept = load(run, split)
    if kept is None or run.status.step != step:
        raise ValueError(f"{run.name} has no report of the weights that were probed: evaluate it first.")
    values = {"split": split, "step": step, **replace(kept, probes=probes).to_dict()}
    runs.write_json(run.reports_path / f"{split}.json", values)


def _kept_probes(path: Path, step: int) -> dict[str, Any]:
    """The probes that a report on disk has of the weights of a step, as they stand there."""
    try:
        values = read_json(path) if path.is_file() else {}
    except ValueError:  # damaged, and about to be replaced
        return {}
    current = isinstance(values, dict) and values.get("step") == step and "probes" in values
    return {"probes": values["probes"]} if current else {}


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
    current = values.get("step") == run.status.step and values.keys() >= set(_FIGURES) - _LATER
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
