"""What this server allows: everything, or, where it is read-only, to explore, to decode and to watch.

`BOTTLENECK_READ_ONLY=1` is read here alone. What is `reserved` refuses then, whatever a page shows or forgets to hide;
everything else at the door writes nothing, and computes in memory what it would otherwise keep.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

VARIABLE = "BOTTLENECK_READ_ONLY"
"""Set to 1 for a server that only shows; unset, empty, 0, no, off or false for one that trains."""

REFUSAL = "This server is read-only: explore and watch here; nothing is started, changed or kept."

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def read_only() -> bool:
    """Whether this server only shows."""
    return os.environ.get(VARIABLE, "").strip().lower() not in ("", "0", "no", "off", "false")


def require_permission() -> None:
    """A `ValueError` where this server is read-only."""
    if read_only():
        raise ValueError(REFUSAL)


def reserved(act: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function, which refuses with a `ValueError` before it does anything where this server is read-only."""

    @functools.wraps(act)
    def permitted(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        require_permission()
        return act(*arguments, **named)

    return permitted
