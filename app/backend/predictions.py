"""What a class predicts: a vote for each reader and chapter, kept in memory while the server runs."""

from __future__ import annotations

import threading
from collections import Counter

from app.backend.permission import reserved

_LOCK = threading.Lock()
_VOTES: dict[str, dict[str, int]] = {}

MOST = 10_000
"""Votes that are kept of a chapter; the oldest goes first."""


def predict(chapter: str, voter: str, option: int) -> None:
    """Count a reader's prediction; a later one of the same reader takes its place."""
    with _LOCK:
        votes = _VOTES.setdefault(chapter, {})
        votes.pop(voter, None)
        votes[voter] = option
        while len(votes) > MOST:
            del votes[next(iter(votes))]


def predicted(chapter: str, options: int) -> list[int]:
    """How many readers predict each of the options."""
    with _LOCK:
        counted = Counter(_VOTES.get(chapter, {}).values())
    return [counted[option] for option in range(options)]


@reserved
def forget_predictions(chapter: str) -> None:
    """Begin anew, for the next class."""
    with _LOCK:
        _VOTES.pop(chapter, None)
