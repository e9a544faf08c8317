"""The processes that train one run together, as `torchrun` starts them: one of them leads, and usually it is alone.

The lead alone writes the run directory and speaks. What processes could see differently (a measurement, a file, a
signal) the lead decides, and a failure of one ends all with one message. Every function here is cheap where there is
one process, and goes without it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

T = TypeVar("T")

FAILURE = "bottleneck/failure"
"""The entry of the store that all processes share in which the first to fail says why."""
LOST = "Another process of this run is gone or cannot be reached: resume goes on from the last saved state."


def lead() -> bool:
    """Whether this process leads. Known before the processes have met."""
    return os.environ.get("RANK", "0") == "0"


def meet() -> PartialState:
    """Wait for the other processes, if there are any, and return who and how many they are.

    On CPUs they talk by gloo; the library has to be told, else it lets them work apart.
    """
    return PartialState(cpu=not torch.accelerator.is_available())


def several() -> bool:
    """Whether processes have met, and are more than one."""
    return bool(dist.is_initialized() and dist.get_world_size() > 1)


def told(value: T) -> T:
    """What the lead holds, in every process."""
    if not several():
        return value
    held: list[T] = [value]
    broadcast_object_list(held)
    return held[0]


def summed(values: Mapping[str, Any], device: torch.device) -> dict[str, float]:
    """Numbers of a step, added over all processes. Several talk once for all of them."""
    numbers = {name: float(value) for name, value in values.items()}
    if not several():
        return numbers
    total = torch.tensor(list(numbers.values()), dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return dict(zip(numbers, total.tolist(), strict=True))


def averaged(total: torch.Tensor, count: float) -> torch.Tensor:
    """A sum of numbers, and how many they were, made the mean over all processes."""
    if several():
        both = torch.cat([total.double(), total.new_tensor([count], dtype=torch.float64)])
        dist.all_reduce(both)
        return (both[:-1] / both[-1]).to(total.dtype)
    return total / count


def outcome(error: BaseException) -> BaseException:
    """What this process ends with when an error has ended its training.

    Of several, the lead ends with the reason of the one that failed first. Another one ends without a word, unless it
    failed first and the traceback of a bug is needed.
    """
    if not several():
        return error
    rank, count, lost = dist.get_rank(), dist.get_world_size(), isinstance(error, dist.DistError)
    lost = lost or "gloo" in str(error)  # which has no class of error of its own
    reason = LOST if lost else str(error).strip() or type(error).__name__
    first, _, why = _first_failure(f"{rank} {reason}").partition(" ")
    if rank:
        return error if int(first) == rank and not lost and not isinstance(error, ValueError) else SystemExit(2)
    if lost:
        return ValueError(LOST if why == LOST else f"Process {int(first) + 1} of {count} failed: {why}")
    return error


def _first_failure(mine: str) -> str:
    """The failure of the process that failed first, which may be this one."""
    try:
        return dist.distributed_c10d._get_default_store().compare_set(FAILURE, "", mine).decode()
    except dist.DistError:  # the process that held the store is gone, too
        return f"0 {LOST}"
