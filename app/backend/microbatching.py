"""Micro-batching: what several sessions ask of a model at once is computed together, in batches that are never long.

Requests of one kind (one model, one way of decoding) that come while a batch is computed go into the next one: their
rows are joined, and the answers parted again. The rule of the queue:

- The kind whose request has waited longest is next. A request that has had rows in a batch and is not done goes to the
  end of the queue.
- A batch holds at most `most` rows, from the waiting requests of its kind, the oldest first; half a batch from each of
  them before anyone gets more. So a gesture goes into it whole, beside a plane of 1,600.

So a gesture waits for the batch that is running (`MOST` rows of what can be cut), and then for at most `MOST` / 2 rows
of each request of its kind that came before it and a batch of each other kind. What cannot be cut is one batch, as
long as it is. Even shares would be fair as well, and worse: of thirty alike, all would end with the last.

One thread computes, and ends with the process. Those who ask only wait, so they can leave at any time: a session whose
reader has moved on does not stay for an answer that nobody will see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

MOST = 128
"""Rows of a batch: beyond, a row of the bundled model costs no less (0.35 ms here, of 5 for a row by itself), and a
gesture waits longer: 128 take about 45 ms of one core."""
LOOKS = 0.05
"""Seconds between two looks whether an answer is still wanted."""

Row = TypeVar("Row")
Answer = TypeVar("Answer")


class SupersededError(Exception):
    """A newer request of the same token has come: nobody wants this answer any more."""


class MicroBatcher:
    """A queue of requests, and the one thread that computes them."""

    def __init__(self) -> None:
        self._changes = threading.Lock()
        self._queue: list[_Request[Any, Any]] = []
        self._busy = False
        self._newest: dict[Hashable, _Request[Any, Any]] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="micro-batches")

    def ask(
        self,
        rows: Sequence[Row],
        compute: Callable[[list[Row]], Sequence[Answer]],
        *,
        kind: Hashable = None,
        most: int | None = None,
        token: Hashable = None,
        look: Callable[[], object] | None = None,
    ) -> list[Answer]:
        """The answers to some rows, in their order, when their turn has come.

        `compute` answers a list of rows; of several requests of one `kind` any one's is called, with rows of all; no
        kind is joined with nothing. At most `most` rows are in a batch; without it, all are computed in one piece.
        A request ends the one of the same `token` before it: that raises `SupersededError`. `look` is called every
        `LOOKS` seconds, and what it raises ends the request, too. What `compute` raises for rows of this request alone
        is raised here.
        """
        if not rows:
            return []
        request = _Request(rows=rows, compute=compute, kind=kind, most=len(rows) if most is None else most, token=token)
        with self._changes:
            if token is not None:
                if older := self._newest.get(token):
                    self._end(older, SupersededError())
                self._newest[token] = request
            self._queue.append(request)
            if not self._busy:
                self._go_on()
        try:
            while not request.done.wait(LOOKS if look else None):
                if look:
                    look()
        except BaseException as reason:
            with self._changes:
                self._end(request, reason)
            raise
        if request.problem is not None:
            raise request.problem
        return request.answers

    def _turn(self) -> None:
        """Compute one batch, and come again if anybody waits."""
        with self._changes:
            batch = self._next()
        if batch:
            self._compute(batch)
        with self._changes:
            for request, _ in batch:
                if not request.left:
                    self._end(request)
                elif not request.done.is_set():
                    self._queue.append(request)
            self._go_on()

    def _go_on(self) -> None:
        """Have the next batch computed, if anybody waits. The caller holds the lock."""
        self._busy = bool(self._queue)
        if self._busy:
            try:
                self._worker.submit(self._turn)
            except RuntimeError as problem:  # the process is ending: nobody may wait for an answer any more
                self._busy = False
                for request in list(self._queue):
                    self._end(request, problem)

    def _next(self) -> list[tuple[_Request[Any, Any], int]]:
        """Take the next batch from the queue: who is in it, and with how many rows."""
        if not self._queue:
            return []
        first = self._queue[0]
        together = [first]
        if first.kind is not None:
            together = [request for request in self._queue if request.kind == first.kind]
        parts = shares([request.left for request in together], first.most)
        chosen = [(request, part) for request, part in zip(together, parts, strict=True) if part]
        served = [request for request, _ in chosen]
        self._queue = [request for request in self._queue if request not in served]
        return chosen

    def _compute(self, batch: Sequence[tuple[_Request[Any, Any], int]]) -> None:
        """Answer a batch. If it fails, each of its requests is tried by itself, so that only its cause is told."""
        pieces = [request.rows[(at := len(request.answers)) : at + part] for request, part in batch]
        try:
            rows = [row for piece in pieces for row in piece]
            answers = list(batch[0][0].compute(rows))
            if len(answers) != len(rows):
                raise RuntimeError(f"{len(rows)} rows were computed, and {len(answers)} answers came.")
            for (request, _), piece in zip(batch, pieces, strict=True):
                request.answers += answers[: len(piece)]
                del answers[: len(piece)]
        except BaseException as problem:  # whatever it is, it belongs to who asked, in whose thread it is raised
            if len(batch) > 1:
                for one in batch:
                    self._compute([one])
            else:
                with self._changes:
                    self._end(batch[0][0], problem)

    def _end(self, request: _Request[Any, Any], problem: BaseException | None = None) -> None:
        """Let go of a request that is answered, or is not to be. The caller holds the lock."""
        if request.done.is_set():
            return
        request.problem = problem
        self._queue = [other for other in self._queue if other is not request]
        if self._newest.get(request.token) is request:
            del self._newest[request.token]
        request.done.set()


def shares(wanted: Sequence[int], most: int) -> list[int]:
    """How many of `most` rows each of some requests gets, the oldest request first.

    Each in its turn gets what it wants, up to half of the rows; what is left over then goes to the oldest that want it.
    """
    found = [0] * len(wanted)
    for limit in (max(1, most // 2), most):
        for which, want in enumerate(wanted):
            found[which] += min(max(0, min(want, limit) - found[which]), most - sum(found))
    return found


@dataclass(eq=False, kw_only=True)
class _Request(Generic[Row, Answer]):
    """Some rows, and what has been answered so far: the answers to the first of them."""

    rows: Sequence[Row]
    compute: Callable[[list[Row]], Sequence[Answer]]
    kind: Hashable
    most: int
    token: Hashable
    answers: list[Answer] = field(default_factory=list)
    problem: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def left(self) -> int:
        """Rows that wait."""
        return len(self.rows) - len(self.answers)
