"""What the machine refuses, in a sentence: room on the disk, the right to write, memory.

Libraries say these things in many ways, some in the text of an error alone; everything else stays what it is.
"""

from __future__ import annotations

import errno
import re
from typing import NamedTuple


class Refusal(NamedTuple):
    """How a refusal is known, by number or by words, and what it means."""

    numbers: tuple[int, ...]
    words: re.Pattern[str]
    sentence: str


REFUSALS = (
    Refusal(
        (errno.ENOSPC, errno.EDQUOT),
        re.compile(r"no space left|not enough space|disk quota|os error (28|112|122)\b", re.IGNORECASE),
        "The disk is full: {what} could not be written. Make room first;",
    ),
    Refusal(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        re.compile(r"permission denied|read-only file system|os error (1|13|30)\b", re.IGNORECASE),
        "It is not allowed to write {what}: ask for the right to, or train in another folder;",
    ),
    Refusal(
        (errno.ENOMEM,),
        re.compile(r"out of memory|(can.t|cannot|unable to|failed to) allocate|not enough memory", re.IGNORECASE),
        "Memory ran out: end other programs first, or train anew with a smaller train.batch_size;",
    ),
)


def refusal(error: BaseException, way_out: str) -> ValueError | None:
    """The sentence for an error by which the machine refuses something, ending in the way out; None for any other."""
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    for kind in REFUSALS:
        known = number in kind.numbers if number is not None else bool(kind.words.search(text))
        memory = isinstance(error, MemoryError) and errno.ENOMEM in kind.numbers
        if (known and not isinstance(error, ValueError)) or memory:
            what = getattr(error, "filename", None) or "a file of the run"
            return ValueError(f"{kind.sentence.format(what=what)} {way_out}")
    return None
