"""Where sentences come from: the built-in captions, one's own files, the Hugging Face Hub.

A corpus is named by a spec that is the same in Python, on the command line and in a run's config:

    captions             a grammar of scene captions with eleven known factors      `captions.py`
    file:PATH            .txt .csv .tsv .jsonl .parquet, or a folder of them        `files.py`
    hub:NAME             ptb, snli, yahoo, yelp, any id, or a local data set folder `hub.py`

All three hand their text to `splits.py`, which cleans it, drops duplicates and keeps train, valid and test disjoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vae.corpora import captions, files, hub
from vae.corpora.splits import SPLITS, Splits

LOADERS: dict[str, Callable[..., Splits]] = {
    "captions": lambda _, *, sizes, seed, **_columns: captions.load(sizes=sizes, seed=seed),
    "file": files.load,
    "hub": hub.load,
}
KNOWN = "captions, file:PATH or hub:NAME"


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Three disjoint splits of distinct sentences: frames with `text` first and then the label columns, all strings."""

    name: str
    """The spec it came from: "captions", "file:reviews.tsv", "hub:snli"."""
    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame
    note: str
    """One or two sentences for the user: where the splits come from, what was dropped and why."""

    alone: bool = False
    """Whether all three were cut from one table, so that `whole` is what the user has given."""

    @property
    def whole(self) -> pd.DataFrame:
        """All sentences, those of train first."""
        return pd.concat([self.train, self.valid, self.test], ignore_index=True)

    @property
    def labels(self) -> list[str]:
        """The names of the label columns."""
        return [column for column in self.train.columns if column != "text"]

    def save(self, directory: Path) -> None:
        """Write train, valid and test as parquet and, last, corpus.json: a folder that has it is complete."""
        directory.mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            part = directory / f"{split}.parquet.tmp"
            getattr(self, split).to_parquet(part, index=False)
            part.replace(part.with_suffix(""))
        about = directory / "corpus.json.tmp"
        about.write_text(
            json.dumps({"name": self.name, "note": self.note, "alone": self.alone}, ensure_ascii=False),
            encoding="utf-8",
        )
        about.replace(about.with_suffix(""))

    @classmethod
    def open(cls, directory: Path) -> Corpus:
        """The corpus that `save` wrote; ValueError if it is not there, not complete or damaged."""
        for name in ("corpus.json", *(f"{split}.parquet" for split in SPLITS)):
            if not (directory / name).is_file():
                raise ValueError(f"No corpus in {directory}: {name} is missing.")
        try:
            about = json.loads((directory / "corpus.json").read_text(encoding="utf-8"))
            frames = {split: pd.read_parquet(directory / f"{split}.parquet", partitioning=None) for split in SPLITS}
            return cls(name=about["name"], note=about["note"], alone=about.get("alone", False), **frames)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ValueError(f"The corpus in {directory} is damaged ({error}): load and save it again.") from error


def load(
    spec: str,
    *,
    seed: int = 0,
    train_sentences: int | None = None,
    valid_sentences: int | None = None,
    test_sentences: int | None = None,
    text_column: str = "text",
    label_columns: Sequence[str] | None = None,
) -> Corpus:
    """The corpus that a spec names.

    Args:
        spec: "captions", "file:PATH" or "hub:NAME".
        seed: draws the captions; for files and the Hub, the sample where fewer sentences are wanted than there are.
        train_sentences, valid_sentences, test_sentences: sizes of the splits in sentences. None is 20,000, 2,000 and
            2,000 captions, or all that a file or a data set has.
        text_column, label_columns: for files and the Hub, see `splits.split`. Captions have columns of their own.

    Raises:
        ValueError: one sentence that says what is wrong and what to do.
    """
    kind, _, where = spec.partition(":")
    if kind not in LOADERS or (kind == "captions") != (where == ""):
        raise ValueError(f"Unknown corpus {spec!r}: give {KNOWN}.")
    sizes = {"train": train_sentences, "valid": valid_sentences, "test": test_sentences}
    splits = LOADERS[kind](where, sizes=sizes, seed=seed, text_column=text_column, label_columns=label_columns)
    return Corpus(name=spec, **splits._asdict())
