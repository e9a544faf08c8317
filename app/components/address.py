"""What the URL asks for. Bound widgets pass over what they cannot show; here it is said, once, in a sentence."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import streamlit as st

from app.components.sentences import escape


class Between(NamedTuple):
    """The numbers that a widget can show."""

    low: float
    high: float

    def __contains__(self, text: object) -> bool:
        try:
            return self.low <= float(str(text)) <= self.high
        except ValueError:
            return False


class Rows(NamedTuple):
    """Texts that name some of these sentences; see `write_rows`."""

    texts: Sequence[str]

    def __contains__(self, text: object) -> bool:
        return bool(read_rows(str(text), self.texts))


SWITCH = ("true", "false")
"""What a toggle has in the URL."""


def write_rows(rows: Iterable[int], texts: Sequence[str]) -> str:
    """Some rows of a map for the URL: a checksum of their sentences, `_`, and how far each row is from the one before.

    That is a digit of base 36, two of them after a dot, or four after `~`; `-n-` is for n rows that follow each other.
    """
    known = sorted(set(rows))
    words = [f"{_base36(_checksum(known, texts))}_"]
    for step, group in groupby(after - before for before, after in pairwise([-1, *known])):
        count, digits = len(list(group)), _base36(step)
        one = digits if step < 36 else f".{digits}" if step < 36**2 else f"~{digits:0>4}"
        words.append(f"-{_base36(count)}-" if step == 1 and count > 3 else one * count)
    return "".join(words)


def read_rows(text: str, texts: Sequence[str]) -> list[int]:
    """The rows that `write_rows` wrote; none if the text is of another map's sentences, or of nothing at all."""
    checksum, _, steps = text.partition("_")
    if not re.fullmatch(rf"({_STEP})+", steps):
        return []
    rows: list[int] = []
    for step in re.findall(_STEP, steps):
        number, last = int(step.strip(".~-"), 36), rows[-1] if rows else -1
        end = last + number
        if number == 0 or end >= len(texts):
            return []
        rows += range(last + 1, end + 1) if step[0] == "-" else [end]
    return rows if checksum == _base36(_checksum(rows, texts)) else []


def heed(known: Mapping[str, Sequence[str] | Between | Rows]) -> None:
    """Say which parameters of the URL ask for something that there is not. To be called before their widgets.

    A parameter without a value asks for nothing: so a list is written in which everything was cleared.
    """
    unknown = [
        f"{key}={text if len(text) <= 40 else text[:37] + '...'}"
        for key, allowed in known.items()
        for text in st.query_params.get_all(key)
        if text and text not in allowed
    ]
    if unknown:
        st.warning(
            f"The address asks for {escape(', '.join(unknown))}, which does not exist here: "
            "the usual value is shown instead.",
            icon=":material/search_off:",
        )


_STEP = r"[0-9a-z]|\.[0-9a-z]{2}|~[0-9a-z]{4}|-[0-9a-z]{1,4}-"


def _checksum(rows: Sequence[int], texts: Sequence[str]) -> int:
    return zlib.crc32("\n".join(texts[row] for row in rows).encode("utf-8", "surrogatepass"))


def _base36(number: int) -> str:
    return np.base_repr(number, 36).lower()
