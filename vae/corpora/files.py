"""Sentences from one's own files: `file:PATH`.

    .txt                        one sentence a line
    .csv .tsv .jsonl .parquet   a column `text`, and columns of labels

A folder, or a file called train, brings its own splits: train, valid (or validation, val, dev) and test, of any of
these types. What is missing is cut off train; a single file is cut 90/5/5. `splits.py` cleans and splits.

Text is UTF-8, or UTF-16 with a byte order mark. A .tsv is read line by line, as tools that write it do not agree on
quoting: a field is unquoted only if it is quoted as a whole. If its lines have unequal numbers of tabs it is read
like a .csv, in which quotes may span tabs and lines.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vae.corpora.splits import SPLIT_NAMES, Splits, Table, split

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def load(
    where: str,
    *,
    sizes: Mapping[str, int | None],
    seed: int = 0,
    text_column: str = "text",
    label_columns: Sequence[str] | None = None,
) -> Splits:
    """The splits of a file or folder; ValueError says in one sentence what is wrong with it, and where.

    Without `label_columns` a column is a label if its values repeat, are at most 50 and at most 40 characters long.
    """
    path = Path(where).expanduser()
    paths = find_splits(path)
    tables = {name: read_table(each, text_column) for name, each in paths.items()}
    return split(
        tables,
        source=path.name or str(path),
        origin=", ".join(each.name for each in paths.values()),
        sizes=sizes,
        seed=seed,
        text_column=text_column,
        label_columns=label_columns,
    )


def find_splits(path: Path) -> dict[str, Path]:
    """The file of each split that is there: a single file is all "train"."""
    if not path.exists():
        raise ValueError(f"{path} does not exist: check the path.")
    if path.is_dir():
        found = {name: _one_of(path, stems) for name, stems in SPLIT_NAMES.items()}
        if found["train"] is None:
            raise ValueError(f"{path} has no file called train with one of the endings {_known()}.")
        return {name: each for name, each in found.items() if each}
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path.name} ends in {path.suffix or 'nothing'!r}: known endings are {_known()}.")
    if path.stem.lower() != "train":
        return {"train": path}
    siblings = {
        name: _one_of(path.parent, stems, path.suffix) for name, stems in SPLIT_NAMES.items() if name != "train"
    }
    return {"train": path} | {name: each for name, each in siblings.items() if each}


def _one_of(folder: Path, stems: Sequence[str], preferred: str = "") -> Path | None:
    """The one file of these names, of the preferred type if there are several."""
    files = sorted(
        each
        for each in folder.iterdir()
        if each.stem.lower() in stems and each.suffix.lower() in READERS and each.is_file()
    )
    if len(files) > 1:
        files = [each for each in files if each.suffix.lower() == preferred.lower()] or files
    if len(files) > 1:
        raise ValueError(f"{folder} has {' and '.join(each.name for each in files)}: keep one of them.")
    return files[0] if files else None


def read_table(path: Path, text_column: str = "text") -> Table:
    """The columns of a file. A .txt has one, called `text_column`."""
    table = READERS[path.suffix.lower()](path, text_column)
    if not any(len(values) for values in table.values()):
        raise ValueError(f"{path.name} is empty.")
    return table


def _known() -> str:
    return " ".join(READERS)


def _read_text(path: Path) -> str:
    """The decoded file without a byte order mark and NUL characters, its lines ended by a newline character."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}).") from error
    encoding = "UTF-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "UTF-8"
    try:
        text = raw.decode("utf-16" if encoding == "UTF-16" else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        raise ValueError(
            f"{path.name} is not {encoding}: byte 0x{byte:02x} on line {line} is not text; save it as UTF-8."
        ) from error
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def _read_lines(path: Path, text_column: str) -> Table:
    text = _read_text(path)
    return {text_column: text.rstrip("\n").split("\n") if text.strip() else []}


def _read_csv(path: Path, _: str) -> Table:
    return _parse_csv(path, _read_text(path), ",")


def _read_tsv(path: Path, _: str) -> Table:
    text = _read_text(path)
    rows = [line.split("\t") for line in text.split("\n") if line]
    if len({len(row) for row in rows}) != 1:
        return _parse_csv(path, text, "\t")
    header, *body = ([_unquoted(field) for field in row] for row in rows)
    return dict(zip(header, map(list, zip(*body, strict=True)), strict=True)) if body else {}


def _unquoted(field: str) -> str:
    return field[1:-1].replace('""', '"') if _QUOTED.fullmatch(field) else field


def _parse_csv(path: Path, text: str, separator: str) -> Table:
    if not text.strip():
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # more fields than the header: they would be lost
        try:
            table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, index_col=False)
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
            raise ValueError(f"{path.name} cannot be read ({reason}): quote text that holds {separator!r}.") from error
    return {str(column): table[column].fillna("").tolist() for column in table.columns}


def _read_jsonl(path: Path, _: str) -> Table:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path.name}, line {number}: this is not JSON ({error}).") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path.name}, line {number}: one object a line is needed, not {line:.40}.")
        rows.append(row)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return {column: [row.get(column) for row in rows] for column in columns}


def _read_parquet(path: Path, _: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table: dict[str, list[Any]] = pq.ParquetFile(path).read().to_pydict()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path.name} is not a readable parquet file ({reason}).") from error
    return table


READERS = {
    ".txt": _read_lines,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
