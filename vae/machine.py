"""Who owns which core.

Training must leave the machine usable: two processes that each take every core can make decoding a hundred times
slower. So the trainer runs at low priority with one budget of threads and the app decodes with another, and both
budgets are decided here, from the number of cores alone. Environment variables override them for a cluster or a
lecture hall: ``BOTTLENECK_TRAINER_THREADS`` and ``BOTTLENECK_APP_THREADS``. Where several runs may train at once, their
starter tells each how many, and they share one budget.
"""

from __future__ import annotations

import os

import psutil

TRAINERS = "BOTTLENECK_TRAINERS"
"""The environment variable by which a training process knows how many may train at once."""


def cores() -> int:
    """Physical cores that this process may use, at least 1."""
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    process = psutil.Process()
    allowed = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else physical
    return max(1, min(physical, allowed))


def trainer_threads() -> int:
    """Threads of a trainer: its share of the cores that the app's decoder leaves, from 1 to 8 (small models gain
    nothing beyond). A share counts those that may train beside it, because another can start at any moment.

    Not every core: threads of one computation wait for each other, so when anything else takes one of two cores, two
    threads are many times slower than one (docs/lab-log.md), and on a laptop something always does.
    """
    return _override("BOTTLENECK_TRAINER_THREADS") or max(
        1, min((cores() - app_threads()) // (_override(TRAINERS) or 1), 8)
    )


def app_threads() -> int:
    """Threads of the app's decoder: a quarter of the cores and at least one; one row at a time needs no more."""
    return _override("BOTTLENECK_APP_THREADS") or max(1, min(cores() // 4, 4))


def lower_priority() -> None:
    """Give way to everything interactive; the portable spelling of ``nice``."""
    process = psutil.Process()
    if psutil.WINDOWS:
        process.nice(psutil.IDLE_PRIORITY_CLASS)
    else:
        process.nice(max(process.nice(), 15))


def _override(variable: str) -> int:
    text = os.environ.get(variable) or "0"
    if not text.isdecimal():
        raise ValueError(f"{variable}={text!r} is not a number: set a whole number or unset it.")
    return int(text)
