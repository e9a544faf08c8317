"""Interleaved timing: A B A B ..., so that a machine whose speed drifts does not favour one side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(sides: Mapping[str, Callable[[], object]], repeats: int, warmup: int = 2) -> dict[str, list[float]]:
    """Seconds of every call of every side, after `warmup` rounds that do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(warmup + repeats):
        for name, call in sides.items():
            begun = time.perf_counter()
            call()
            if round_ >= warmup:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def report(title: str, seconds: Mapping[str, list[float]], unit: str = "ms", scale: float = 1e3) -> None:
    """Median and spread of each side, and each median over that of the first side."""
    print(f"\n{title}")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first = next(iter(medians))
    for name, values in seconds.items():
        low, high = min(values) * scale, max(values) * scale
        ratio = "" if name == first else f"   {medians[name] / medians[first]:.2f} x {first}"
        print(f"  {name:<28} {medians[name] * scale:9.2f} {unit}   ({low:.2f} to {high:.2f}){ratio}")
