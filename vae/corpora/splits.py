"""From raw columns to three disjoint splits of clean sentences: the one place for cleaning, labels and splitting.

Wherever a corpus comes from, one `Table` a split goes in and `Splits` come out:

    clean       a sentence is one line: no control characters, whitespace collapsed; case, emoji, direction marks stay
    distinct    a sentence occurs once in the whole corpus: test keeps it, else valid, else train
    split       missing splits are cut off train by a hash of each sentence: neither order nor seed plays a part
    cut         a seeded sample of the number of sentences asked for, in the order of the corpus
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

SPLITS = ("train", "valid", "test")
SPLIT_NAMES = {"train": ("train",), "valid": ("valid", "validation", "val", "dev"), "test": ("test",)}  # ours: theirs
SHARE = 0.05  # of train, for a missing valid and for a missing test
CUT = " cut off train by a hash of each sentence"
LEAST = 10  # distinct sentences
UNKNOWN = "unknown"  # the label of a sentence that has none
MOST_VALUES, LONGEST_VALUE = 50, 40  # more or longer values (in characters) make no label, unless the column is named

# Control characters that are not whitespace, and lone halves of surrogate pairs, which no UTF-8 can hold.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")

Table = Mapping[str, Sequence[Any]]  # column -> its values, all columns of one length


class Splits(NamedTuple):
    """Three disjoint frames, `text` first and then the label columns, and what is to be told about them."""

    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame
    note: str
    alone: bool = False
    """Whether all three were cut from one table."""


def clean(text: str) -> str:
    """One line: control characters removed, any run of whitespace one space, none at the ends; otherwise unchanged."""
    return " ".join(_CONTROLS.sub("", text).split())


def coordinate(text: str, seed: int | None = None) -> float:
    """A number in [0, 1) made of the text (and the seed) alone, uniform over texts and equal on every platform."""
    salt = b"" if seed is None else str(seed).encode()
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=salt).digest(), "big") / 2**64


def split_of(text: str, *, valid: float = SHARE, test: float = SHARE) -> str:
    """The split that a sentence belongs to, where `valid` and `test` are the shares that go there."""
    at = coordinate(text)
    return "test" if at < test else "valid" if at < test + valid else "train"


def frame(columns: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """A frame whose columns are all of pandas' `str` type, empty ones too."""
    return pd.DataFrame({name: pd.Series(list(values), dtype="str") for name, values in columns.items()})


def require_sizes(sizes: Mapping[str, int | None]) -> None:
    """ValueError unless every size is None or at least one sentence."""
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise ValueError(f"{name}_sentences is {size}: ask for at least 1, or leave it out.")


def split(
    tables: Mapping[str, Table],
    *,
    source: str,
    origin: str,
    sizes: Mapping[str, int | None],
    seed: int,
    text_column: str,
    label_columns: Sequence[str] | None,
) -> Splits:
    """The clean, distinct, disjoint splits of what a file or a data set holds.

    Args:
        tables: a table for "train", and one for "valid" and "test" where they exist.
        source: what errors call the corpus ("reviews.tsv").
        origin: what the note says it was read from ("train.tsv and test.tsv").
        sizes: how many sentences are wanted of each split; None is all.
        seed: for the sample, where there are more than wanted.
        text_column: its values are text, or lists of words, which are joined by spaces.
        label_columns: the columns kept as labels; None keeps every column with at most 50 distinct short values that
            repeat. A missing value is the label "unknown".

    Raises:
        ValueError: a column is missing, a value is not text, or there are too few sentences.
    """
    require_sizes(sizes)
    labels = _labels(tables, source, text_column, label_columns)
    pool = pd.concat(
        {
            name: frame(
                {"text": _sentences(tables[name], text_column, source)}
                | {label: _label_values(tables[name], label, text_column) for label in labels}
            )
            for name in reversed(SPLITS)  # test first: of equal sentences it keeps its own
            if name in tables
        }
    )
    lines = len(pool)
    pool = pool[pool["text"] != ""]
    empty = lines - len(pool)
    pool = pool.drop_duplicates("text")
    duplicates = lines - empty - len(pool)
    if len(pool) < LEAST:
        raise ValueError(f"{source} has {_count(len(pool), 'distinct sentence')}: at least {LEAST} are needed.")

    given = pool.index.get_level_values(0)
    parts = {name: pool[given == name] for name in SPLITS}
    missing = [name for name in ("test", "valid") if parts[name].empty]
    parts |= _cut_off(parts["train"], missing)
    if parts["train"].empty:
        raise ValueError(f"{source} has no sentence left to train on: every one is also in valid or test.")

    dropped = [_count(number, noun) for number, noun in ((empty, "empty line"), (duplicates, "duplicate")) if number]
    facts = ["dropped " + " and ".join(dropped)] * bool(dropped)
    for name, size in sizes.items():
        there = len(parts[name])
        if size is not None and size < there:
            parts[name] = _sample(parts[name], size, seed)
            facts.append(f"{name} is {size:,} of {_count(there, 'sentence')}")
        elif size is not None and size > there:
            facts.append(f"{name} has only {there:,} of the {_count(size, 'sentence')} asked for")
    cut_off = f"; {' and '.join(reversed(missing))}{CUT}" if missing else ""
    note = f"Read from {origin}{cut_off}." + f" {'; '.join(facts).capitalize()}." * bool(facts)
    return Splits(
        **{name: part.reset_index(drop=True) for name, part in parts.items()}, note=note, alone=len(tables) == 1
    )


def _labels(
    tables: Mapping[str, Table], source: str, text_column: str, label_columns: Sequence[str] | None
) -> Sequence[str]:
    """The names of the label columns, after a check that the columns asked for are there."""
    columns = list(dict.fromkeys(column for table in tables.values() for column in table))
    listed = ", ".join(columns) or "none"
    if any(text_column not in table for table in tables.values()):
        raise ValueError(
            f"{source} has no column `{text_column}` (columns: {listed}): name another as text_column, "
            f"or rename it to `{text_column}`."
        )
    for label in label_columns or ():
        if label not in columns:
            raise ValueError(f"{source} has no column `{label}` (columns: {listed}): name others as label_columns.")
        if label in ("text", text_column):
            raise ValueError(f"{source}: the column `{label}` cannot be a label, its name is taken by the sentences.")
    if label_columns is not None:
        return list(dict.fromkeys(label_columns))
    return [column for column in columns if column not in ("text", text_column) and _is_label(tables, column)]


def _is_label(tables: Mapping[str, Table], column: str) -> bool:
    rows, seen = 0, set()
    for table in tables.values():
        for value in table.get(column, ()):
            rows += 1
            if isinstance(value, list | dict):
                return False
            seen.add(_label(value))
            if len(seen) > MOST_VALUES:
                return False
    return 2 * len(seen) <= rows and max(map(len, seen), default=0) <= LONGEST_VALUE


def _label(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    return clean(str(value).lower() if isinstance(value, bool) else str(value)) or UNKNOWN


def _label_values(table: Table, label: str, text_column: str) -> list[str]:
    return [_label(value) for value in table.get(label, [None] * len(table[text_column]))]


def _sentences(table: Table, column: str, source: str) -> list[str]:
    sentences = []
    for row, value in enumerate(table[column], start=1):
        if isinstance(value, str):
            sentences.append(clean(value))
        elif isinstance(value, list) and all(isinstance(word, str) for word in value):
            sentences.append(clean(" ".join(value)))
        elif value is None or (isinstance(value, float) and math.isnan(value)):
            sentences.append("")
        else:
            raise ValueError(
                f"{source}, row {row}: `{column}` is {value!r:.40}, not text; name another as text_column."
            )
    return sentences


def _cut_off(train: pd.DataFrame, missing: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Train without, and the missing splits with, the sentences of the lowest coordinates: 5 % each, at least two."""
    at = np.array([coordinate(text) for text in train["text"]])
    order = np.argsort(at, kind="stable")
    owner = np.full(len(train), "train")
    start = 0
    for part, name in enumerate(missing, start=1):
        stop = max(start + 2, int((at < part * SHARE).sum()))
        owner[order[start:stop]] = name
        start = stop
    return {name: train[owner == name] for name in ("train", *missing)}


def _sample(part: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """`size` rows, chosen by a seeded hash of each sentence, in the order in which they stand."""
    order = np.argsort([coordinate(text, seed) for text in part["text"]], kind="stable")
    return part.iloc[np.sort(order[:size])]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)
