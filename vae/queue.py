"""The queue of a folder of runs: which runs wait for their turn, in which order, and how many train at once.

It stands in queue.json beside the runs, under its own lock, and holds names alone: what state a run is in, the run's
own directory says, so a name whose run no longer waits means nothing and is dropped by whoever writes next. Readers
need no lock, because the file is replaced whole. Who starts what is waiting is `jobs`' affair.

Nothing heavy is imported here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from vae import runs
from vae.config import read_json

FILE = "queue.json"
MOST = 64
"""Runs that may be asked to train at once."""
LOCK_PATIENCE = 30.0
"""Seconds to wait for a lock, which is held for moments only."""


class Unwritable(ValueError):  # noqa: N818
    """What had to be written could not be: a full disk, a folder that may only be read."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """What queue.json holds. While it is `paused`, nothing that waits is started."""

    at_once: int = 1
    waiting: tuple[str, ...] = ()
    paused: bool = False

    def place(self, name: str) -> int | None:
        """The place of a run among those that wait, from 1; None if it does not wait."""
        return self.waiting.index(name) + 1 if name in self.waiting else None

    def words(self, name: str) -> str:
        """What a run in the queue waits for, in a sentence."""
        ahead = self.waiting[: self.waiting.index(name)]
        if len(ahead) > 3:
            ahead = (*ahead[:2], f"{len(ahead) - 2} more")
        listed = " and ".join(filter(None, (", ".join(ahead[:-1]), *ahead[-1:])))
        told = f"Waits behind {listed}." if ahead else "Next."
        return told + (" The queue is paused." if self.paused else "")


def read(folder: Path) -> Queue:
    """The queue of a folder of runs; a damaged file is a `ValueError`."""
    path = folder / FILE
    if not path.is_file():
        return Queue()
    damaged = ValueError(f"{path} is damaged: delete it; runs that waited can then be resumed.")
    try:
        values = read_json(path)
    except ValueError:
        raise damaged from None
    if not _sound(values):
        raise damaged
    known = {key: values[key] for key in Queue.__dataclass_fields__ if key in values}
    return Queue(**known | {"waiting": tuple(dict.fromkeys(known.get("waiting", ())))})


def write(folder: Path, queue: Queue) -> None:
    """Replace the queue of a folder. The caller holds it."""
    runs.write_json(folder / FILE, asdict(queue))


@contextlib.contextmanager
def held(folder: Path) -> Iterator[Queue]:
    """Hold the queue of a folder, as it is now."""
    with alone(folder / ".queue.lock", f"The queue of {folder}"):
        yield read(folder)


@contextlib.contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock file: of several callers, in whatever process or thread, one at a time.

    One that stays locked is a `ValueError`; what cannot be written meanwhile is `Unwritable`. Whoever holds the queue
    may go on to hold a run, and never the other way round.
    """
    try:
        with filelock.FileLock(lock, timeout=LOCK_PATIENCE):
            yield
    except filelock.Timeout:
        raise ValueError(f"{what} is locked by another process: try again in a moment.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unwritable(f"{what} cannot be written ({reason}): make room, or ask for the right to write.") from error


def _sound(values: Any) -> bool:
    """Whether a document has the form of a queue."""
    if not isinstance(values, dict):
        return False
    at_once, waiting, paused = values.get("at_once", 1), values.get("waiting", []), values.get("paused", False)
    names = isinstance(waiting, list) and all(isinstance(name, str) for name in waiting)
    return names and isinstance(paused, bool) and type(at_once) is int and 1 <= at_once <= MOST
