"""Figures over the steps of a run in as many numbers as a screen can show, however long the run has become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CAPACITY = 320
"""Most points of one line: about as many as a small panel has pixels that can be told apart."""

SHOWN_DIGITS = 6
"""Significant digits of a figure on its way to the screen, which shows fewer."""


@dataclass(slots=True)
class Span:
    """The values of one figure in one bucket."""

    low: float
    high: float
    last: float
    total: float
    count: int

    def add(self, later: Span) -> None:
        """Take in the values of the steps that follow."""
        self.low, self.high = min(self.low, later.low), max(self.high, later.high)
        self.total, self.count, self.last = self.total + later.total, self.count + later.count, later.last


@dataclass(slots=True)
class Bucket:
    """What was measured in a range of steps: how often, and what."""

    first: int
    last: int
    count: int
    figures: dict[str, Span] = field(default_factory=dict)

    def add(self, later: Bucket) -> None:
        """Take in the bucket of the steps that follow."""
        self.first, self.last = min(self.first, later.first), max(self.last, later.last)
        self.count += later.count
        for name, span in later.figures.items():
            if name in self.figures:
                self.figures[name].add(span)
            else:
                self.figures[name] = span


class Track:
    """Measurements in at most `capacity` buckets, all as wide. When there are more, neighbours merge: twice as wide.

    Of each figure a bucket keeps the least value, the largest, the last and the sum. So a spike is never lost, the
    newest value is exact, and what the buckets are depends on the events alone, not on when they were read.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity, self.width = capacity, 1
        self._buckets: dict[int, Bucket] = {}
        self._table: dict[str, Any] | None = None

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """One event: its figures, which are finite, at a step."""
        spans = {name: Span(value, value, value, value, 1) for name, value in figures.items()}
        self._put(Bucket(step, step, 1, spans))
        while len(self._buckets) > self.capacity:
            self.width *= 2
            narrow, self._buckets = self._sorted(), {}
            for bucket in narrow:
                self._put(bucket)
        self._table = None

    def table(self) -> dict[str, Any]:
        """The buckets as columns, in the order of their steps.

        `first` and `last` are steps, `count` is how many events; `figures` has, by name, `last`, and where buckets
        hold several events also `low`, `high` and `mean`; None where a figure was not measured.
        """
        if self._table is None:
            buckets = self._sorted()
            names = dict.fromkeys(name for bucket in buckets for name in bucket.figures)
            thinned = any(bucket.count > 1 for bucket in buckets)
            self._table = {
                "first": [bucket.first for bucket in buckets],
                "last": [bucket.last for bucket in buckets],
                "count": [bucket.count for bucket in buckets],
                "figures": {
                    name: _columns([bucket.figures.get(name) for bucket in buckets], thinned) for name in names
                },
            }
        return self._table

    def thinned(self, low: int, high: int) -> bool:
        """Whether a bucket between two steps holds more than one event."""
        return any(bucket.count > 1 and bucket.last >= low and bucket.first <= high for bucket in self._sorted())

    def _put(self, bucket: Bucket) -> None:
        place = bucket.last // self.width
        if place in self._buckets:
            self._buckets[place].add(bucket)
        else:
            self._buckets[place] = bucket

    def _sorted(self) -> list[Bucket]:
        return [self._buckets[place] for place in sorted(self._buckets)]


class Columns:
    """A list of numbers at each check, of at most `capacity` checks: of neighbours that merge, the later stays."""

    def __init__(self, capacity: int = CAPACITY // 2) -> None:
        self.capacity, self.width = capacity, 1
        self._kept: dict[int, tuple[int, Sequence[float]]] = {}

    def add(self, step: int, values: Sequence[float]) -> None:
        """The numbers at a step."""
        self._kept[step // self.width] = (step, values)
        while len(self._kept) > self.capacity:
            self.width *= 2
            self._kept = {kept[0] // self.width: kept for kept in sorted(self._kept.values())}

    def items(self) -> dict[int, list[float]]:
        """The numbers by step, in order."""
        return {step: list(values) for step, values in sorted(self._kept.values())}


def shown(values: Iterable[float | None]) -> list[float | None]:
    """Numbers in as many digits as are ever shown."""
    return [value if value is None else float(f"{value:.{SHOWN_DIGITS}g}") for value in values]


def _columns(spans: Sequence[Span | None], thinned: bool) -> dict[str, list[float | None]]:
    kinds = ("last", "low", "high") if thinned else ("last",)
    columns = {kind: [None if span is None else getattr(span, kind) for span in spans] for kind in kinds}
    if thinned:
        columns["mean"] = [None if span is None else span.total / span.count for span in spans]
    return {kind: shown(column) for kind, column in columns.items()}
