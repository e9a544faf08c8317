"""Interleaved timing: A B A B ..., so that a machine whose speed drifts does not favour one side."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

RECORD = "BOTTLENECK_BENCHMARKS"
"""The environment variable with the file to which `report` also writes, a line of JSON for each side."""


def interleaved(
    sides: Mapping[str, Callable[[], object]],
    repeats: int,
    warmup: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every call of every side, after `warmup` rounds that do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(warmup + repeats):
        for name, call in sides.items():
            begun = clock()
            call()
            if round_ >= warmup:
                seconds[name].append(clock() - begun)
    return seconds


def report(title: str, seconds: Mapping[str, Sequence[float]], unit: str = "ms", scale: float = 1e3) -> None:
    """Print the median and spread of each side, and its ratio to the first side; `record` them."""
    print(f"\n{title}")
    first = next(iter(seconds))
    for name, values in seconds.items():
        median, low, high = (scale * pick(values) for pick in (statistics.median, min, max))
        ratio = (
            "" if name == first else f"   {statistics.median(values) / statistics.median(seconds[first]):.2f} x {first}"
        )
        print(f"  {name:<28} {median:9.2f} {unit}   ({low:.2f} to {high:.2f}){ratio}", flush=True)
        if name != first:
            record(title, name, values, first, seconds[first])


def record(title: str, side: str, values: Sequence[float], against: str, base: Sequence[float]) -> None:
    """Keep what was measured, seconds, for the table of `python -m benchmarks`."""
    if not (place := os.environ.get(RECORD)):
        return
    entry = {
        "title": title.strip(),
        "side": side,
        "against": against,
        "ratio": statistics.median(values) / statistics.median(base),
        # rounds that were timed side by side have a ratio each; otherwise the medians' is all there is
        "ratios": [a / b for a, b in zip(values, base, strict=True)] if len(values) == len(base) else [],
        "seconds": list(values),
        "against_seconds": list(base),
    }
    with Path(place).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
