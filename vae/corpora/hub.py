"""Sentences from the Hugging Face Hub, or from a folder laid out like a data set there: `hub:NAME`.

    hub:snli                                        a preset: ptb, snli, yahoo, yelp
    hub:ID  hub:ID:CONFIG                           any data set, "owner/name", and one of its configurations
    hub:FOLDER                                      train.jsonl, test.csv, ...: what `datasets.load_dataset` accepts
    hub:ID?column=NAME&label=NAME&split=NAME        options after a question mark, in any order

    column    the sentences (`text` if it is there, else `sentence`, else the only column of text); named again and
              again, all these columns are stacked, and a label `column` says which one a sentence comes from
    label     a label column, as often as wanted; `label=` is none (else those that look like labels, see `splits.py`)
    split     read this split alone, and cut valid and test off it
    revision  a branch, tag or commit

Only data files are read: code that comes with a data set is never run. Without a network the library's cache is used.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from vae.corpora.splits import SPLIT_NAMES, Splits, Table, split

STRINGS = ("string", "large_string", "string_view")  # the types of text
PATIENCE = 5.0  # seconds for the Hub to answer before the cache is tried


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set and the part of it that is wanted; empty or None leaves the choice to what is there."""

    id: str
    config: str | None = None
    revision: str | None = None
    split: str | None = None
    columns: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None


# The public data sets closest to those of Park & Lee (2021) and Li et al. (2019). They are not their exact subsets:
# both papers use samples of 100,000 / 10,000 / 10,000 sentences that others drew and tokenised.
PRESETS = {
    # Penn Treebank, 42,068 / 3,370 / 3,761 sentences. Its main branch holds a script; the Hub keeps this export of it.
    "ptb": Source(id="ptb-text-only/ptb_text_only", revision="refs/convert/parquet", columns=("sentence",), labels=()),
    # Premises and hypotheses, each distinct sentence once: about 10 words, as in Li et al. (Table 10: NLL / ln PPL).
    "snli": Source(id="stanfordnlp/snli", columns=("premise", "hypothesis"), labels=()),
    # 1,400,000 / 60,000 best answers with their 10 topics; valid is cut off train.
    "yahoo": Source(id="community-datasets/yahoo_answers_topics", columns=("best_answer",), labels=("topic",)),
    # 650,000 / 50,000 whole reviews with 1 to 5 stars; valid is cut off train.
    "yelp": Source(id="Yelp/yelp_review_full", columns=("text",), labels=("label",)),
}


def load(
    where: str,
    *,
    sizes: Mapping[str, int | None],
    seed: int = 0,
    text_column: str = "text",
    label_columns: Sequence[str] | None = None,
) -> Splits:
    """The splits of a data set; what `where` names comes before `text_column` and `label_columns`.

    ValueError says in one sentence what is wrong: no such data set, no network, no such column, ...
    """
    source = parse(where)
    if not source.columns and text_column != "text":
        source = replace(source, columns=(text_column,))
    if source.labels is None and label_columns is not None:
        source = replace(source, labels=tuple(label_columns))
    parts = _named_splits(_fetch(source), source)
    labels = source.labels
    if len(source.columns) > 1 and labels is not None:
        labels = (*labels, "column")
    return split(
        {name: _table(part, source) for name, part in parts.items()},
        source=source.id,
        origin=source.id,
        sizes=sizes,
        seed=seed,
        text_column="text",
        label_columns=labels,
    )


def parse(where: str) -> Source:
    """What follows "hub:"; ValueError for an option that does not exist."""
    name, _, query = where.partition("?")
    try:
        options = parse_qs(query, strict_parsing=True, keep_blank_values=True) if query else {}
    except ValueError as error:
        raise ValueError(f"hub:{where}: write options as ?column=NAME&label=NAME&split=NAME.") from error
    if unknown := set(options) - {"column", "label", "split", "revision"}:
        raise ValueError(f"hub:{where}: no option {min(unknown)!r}, there are column, label, split and revision.")
    source = PRESETS.get(name)
    if source is None:
        base, colon, config = name.rpartition(":")
        source = Source(id=name) if not colon or Path(name).is_dir() else Source(id=base, config=config)
    return replace(
        source,
        revision=options.get("revision", [source.revision])[-1],
        split=options.get("split", [source.split])[-1],
        columns=tuple(options.get("column", source.columns)),
        labels=tuple(filter(None, options["label"])) if "label" in options else source.labels,
    )


def _fetch(source: Source) -> Any:
    """A `DatasetDict`, or a `Dataset` if one split is named."""
    import datasets

    local = Path(source.id).expanduser().is_dir()
    path = str(Path(source.id).expanduser()) if local else source.id
    unreachable = "" if local else _unreachable()
    try:
        with _quiet(datasets), _cache_only(datasets) if unreachable else nullcontext():
            return datasets.load_dataset(path, source.config, split=source.split, revision=source.revision)
    except Exception as error:  # the library, its HTTP client, pyarrow and pandas have no base class in common
        if unreachable:
            raise ValueError(
                f"The Hugging Face Hub cannot be reached ({unreachable}) and {source.id} is not in its cache:"
                " check the connection, or use file: with a copy of the text."
            ) from error
        told = str(error.__cause__ or error).strip()  # the library says that an error occurred, its cause says which
        reason = told.splitlines()[0].replace(". ", ", ") if told else type(error.__cause__ or error).__name__
        raise ValueError(
            f"The data set {source.id} cannot be loaded ({reason.rstrip('.')}):"
            " check its name, or use file: with a copy of the text."
        ) from error


def _unreachable() -> str:
    """Why the Hub cannot be reached, "" if it can. The library alone would retry for half a minute."""
    from huggingface_hub import constants, get_session

    outcome = [f"no answer in {PATIENCE:g} seconds"]

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=PATIENCE)
            outcome[0] = ""
        except Exception as error:  # whichever HTTP client the library uses: the reason goes to the user
            outcome[0] = str(error).split(". ")[0] or type(error).__name__

    asking = threading.Thread(target=ask, daemon=True)  # the time-out of a client does not cover the name server
    asking.start()
    asking.join(PATIENCE)
    return outcome[0]


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """Without the library's own words on an error, which is said once, by its caller; bars only for who watches."""
    shown, level = not datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    datasets.logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(level)
        if shown:
            datasets.enable_progress_bars()


@contextmanager
def _cache_only(datasets: Any) -> Iterator[None]:
    before, datasets.config.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _named_splits(loaded: Any, source: Source) -> dict[str, Any]:
    """Our names for the splits of a data set; one split alone is all "train"."""
    if source.split is not None:
        return {"train": loaded}
    if len(loaded) == 1:
        return {"train": next(iter(loaded.values()))}
    found = {
        name: loaded[theirs] for name, all_theirs in SPLIT_NAMES.items() for theirs in all_theirs if theirs in loaded
    }
    if "train" not in found:
        raise ValueError(f"{source.id} has no split train but {', '.join(loaded)}: choose one with ?split=NAME.")
    return found


def _table(part: Any, source: Source) -> Table:
    """The columns of one split: `text`, and those that are or may be labels, classes by their names."""
    columns = source.columns or (_text_column(part, source),)
    if missing := [column for column in (*columns, *(source.labels or ())) if column not in part.column_names]:
        raise ValueError(
            f"{source.id} has no column `{missing[0]}` (columns: {', '.join(part.column_names)}):"
            " name others with ?column=NAME and ?label=NAME."
        )
    labels = [
        name
        for name, feature in part.features.items()
        if name not in (*columns, "text")
        and (name in source.labels if source.labels is not None else hasattr(feature, "dtype"))
    ]
    values = part.select_columns([*columns, *labels]).to_dict()
    table = {"text": [text for column in columns for text in values[column]]}
    for label in labels:
        names = getattr(part.features[label], "names", None)
        named = values[label] if names is None else [_class(names, index) for index in values[label]]
        table[label] = named * len(columns)
    if len(columns) > 1:
        table["column"] = [column for column in columns for _ in values[column]]
    return table


def _class(names: Sequence[str], index: int | None) -> str | None:
    return None if index is None or index < 0 else names[index]


def _text_column(part: Any, source: Source) -> str:
    texts: list[str] = [name for name, feature in part.features.items() if getattr(feature, "dtype", "") in STRINGS]
    for name in ("text", "sentence"):
        if name in part.column_names:
            return name
    if len(texts) != 1:
        raise ValueError(
            f"{source.id} has no column `text` (columns: {', '.join(part.column_names)}): name one with ?column=NAME."
        )
    return texts[0]
