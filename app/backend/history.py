"""What a run has said so far: its measurements, its sentences, its log, and what the doctor makes of them.

A history is read once, and then on from where the last reading ended. What is kept of the measurements does not grow
with the run (`tracks`); what is finer is read from the file again, for the range of steps that somebody looks at.
"""

from __future__ import annotations

import bisect
import contextlib
import math
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import streamlit as st

from app.backend.logs import last_lines
from app.backend.tracks import Columns, Track, shown
from vae import doctor, exchange, runs
from vae.glossary import METRICS

BLOCK = 1 << 16
"""Bytes of a file that are read at a time; of every block it is known at which step it begins."""

SPLITS = ("train", "valid")
"""What is logged while training, and what is measured on held-out sentences."""

PLACES = ("step", "phase", "epoch", "time_s")
"""What says where an event belongs."""

CLOSE_UPS = 4
"""Close-ups of one run that are kept."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """The measurements of a run, thinned where there are many. Tables are those of `tracks.Track`."""

    train: dict[str, Any]
    valid: dict[str, Any]
    steps: list[int]
    """Steps at which it is known how far the run was; `epochs` and `hours` belong to them."""
    epochs: list[float]
    """Passes over the training sentences, all phases together."""
    hours: list[float]
    """Hours in training, as measured; of runs that do not say, reckoned from their speed without checks and saving."""
    phases: list[tuple[int, int, int]]
    """(phase, first step, last step) of each phase so far, in order, each beginning where one ended."""
    kl_per_dimension: dict[int, list[float]]
    """The mean KL of each dimension of z, nats, at each check, by step; of very many checks a part, and the newest."""

    def phase_at(self, step: int) -> int:
        """The phase that a step of this history belongs to."""
        return next(phase for phase, _, end in self.phases if step <= end)

    def __bool__(self) -> bool:
        return bool(self.steps)


@dataclass(frozen=True, kw_only=True)
class CloseUp:
    """The measurements between two steps, finer than those of the whole."""

    low: int
    high: int
    train: dict[str, Any]
    valid: dict[str, Any]


def course(name: str) -> Course:
    """The measurements of a run. Only what is new is read from the disk."""
    run = runs.find(name)
    story = _story(str(run.metrics_path))
    with story.reading():
        pace = story.tracks["pace"].table()
        figures = {figure: columns["last"] for figure, columns in pace["figures"].items()}
        seconds, batches = figures.get("time_s", []), figures.get("effort", [])
        if batches and (len(seconds) != len(batches) or None in seconds):
            size = run.config.train.batch_size
            seconds = [part * size for part in batches]
        return Course(
            **{split: story.tracks[split].table() for split in SPLITS},
            steps=pace["last"],
            epochs=figures.get("epoch", []),
            hours=shown(part / 3600 for part in seconds),
            phases=story.phases(),
            kl_per_dimension=story.units.items(),
        )


def close_up(name: str, low: int, high: int) -> CloseUp | None:
    """The measurements of a run between two steps, from the file; None where `course` already has them all.

    The same range is read once, so its end may lie before the newest step by now.
    """
    story = _story(str(runs.find(name).metrics_path))
    with story.reading():
        return story.close_up(low, high)


def metrics_csv(name: str) -> bytes:
    """Every event of a run's metrics.jsonl as CSV, all figures with all digits; lists have a column an entry."""
    return exchange.csv_of(runs.find(name)).encode()


def samples(name: str) -> list[dict[str, Any]]:
    """The sentences of a run over time, oldest first: `step`, `phase`, `reconstructions`, `prior`."""
    book = _book(str(runs.find(name).samples_path))
    with book.reading():
        return list(book.events.values())


def sample_steps(name: str) -> list[int]:
    """The steps at which a run has written sentences, in order."""
    book = _book(str(runs.find(name).samples_path))
    with book.reading():
        return list(book.events)


def sample(name: str, step: int) -> dict[str, Any] | None:
    """The sentences of a run at a step, as in `samples`; None where it has written none."""
    book = _book(str(runs.find(name).samples_path))
    with book.reading():
        return book.events.get(step)


def figures(name: str) -> dict[str, Any]:
    """The newest validation event of a finetuning phase; empty while there is none."""
    story = _story(str(runs.find(name).metrics_path))
    with story.reading():
        return story.newest


def kl_per_dimension(name: str) -> dict[int, list[float]]:
    """The mean KL of each dimension of z, nats, at each check of a run, by step; of very many checks a part."""
    story = _story(str(runs.find(name).metrics_path))
    with story.reading():
        return story.units.items()


def verdict(name: str) -> doctor.Verdict | None:
    """What the doctor says about the newest figures of a run; none while there are no figures."""
    return judge(figures(name))


def judge(known: dict[str, Any]) -> doctor.Verdict | None:
    """What the doctor says about figures; none while there are none."""
    try:
        return doctor.diagnose(known) if known else None
    except (KeyError, TypeError, ValueError):  # figures that a crash or another program has mangled
        return None


def measured(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without figures that are no numbers: what a crash or another program has mangled is not measured."""
    return {name: value for name, value in event.items() if name not in METRICS or value is None or _is_number(value)}


def untrained(known: Mapping[str, Any]) -> bool:
    """Whether figures are those of a check before the first step of training: what they say is chance."""
    return doctor.untrained(known)


def speed(name: str) -> float | None:
    """Sentences a second that a run trained at when it last said so."""
    story = _story(str(runs.find(name).metrics_path))
    with story.reading():
        return story.speed


def memory(name: str) -> int | None:
    """Bytes of memory that the processes of a run's trainer hold; None where none is alive."""
    status = runs.find(name).status
    if status.pid is None or status.process_started is None:
        return None
    try:
        process = psutil.Process(status.pid)
        if abs(process.create_time() - status.process_started) > 1:
            return None  # another process has got the number
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.Error:
        return None


def log_tail(name: str, lines: int = 40) -> str:
    """The last lines of a run's log; empty while there is none."""
    return "\n".join(last_lines(runs.find(name).log_path, lines))


class Ledger:
    """One .jsonl file that only grows, read on from where the last reading ended.

    A resumed run may rewrite its history, and a new run may take an old name: the last bytes that were read are
    compared with the file before reading on, and if they differ, it is read from the start. Whoever extends it says
    what there is before the first event (`clear`) and what becomes of one (`take`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._forget()

    def clear(self) -> None:
        """Nothing has been read."""
        raise NotImplementedError

    def take(self, event: dict[str, Any], offset: int) -> None:
        """One more event, of the block that begins at an offset."""
        raise NotImplementedError

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Every whole event of the file has been taken in, and nobody else reads meanwhile."""
        with self._lock:
            self._read_on()
            yield

    def _read_on(self) -> None:
        if self._offset and self._bytes_before(self._offset) != self._tail:
            self._forget()
        while True:
            events, offset = runs.read_lines(self.path, self._offset, BLOCK)
            for event in events:
                self.take(event, self._offset)
            if offset == self._offset:
                break
            self._offset, self._tail = offset, self._bytes_before(offset)

    def _forget(self) -> None:
        self._offset, self._tail = 0, b""
        self.clear()

    def _bytes_before(self, offset: int) -> bytes:
        if not self.path.is_file():
            return b""
        with self.path.open("rb") as file:
            file.seek(max(0, offset - 256))
            return file.read(min(256, offset))


class _Story(Ledger):
    """metrics.jsonl: tracks by split, and `pace`, how far the run was at each step."""

    def clear(self) -> None:
        self.tracks = {name: Track() for name in (*SPLITS, "pace")}
        self.units = Columns()
        self.newest: dict[str, Any] = {}
        self.speed: float | None = None
        self._ends: dict[int, int] = {}
        self._blocks: list[tuple[int, int]] = []  # (first step, offset)
        self._close_ups: dict[tuple[int, int], CloseUp | None] = {}
        self._step, self._epoch, self._epochs, self._phase, self._effort = 0, 0.0, 0.0, None, 0.0

    def take(self, event: dict[str, Any], offset: int) -> None:
        step, phase, split = event.get("step"), event.get("phase"), event.get("split")
        if split == "valid" and "delta_nll_nats" in event:
            self.newest = measured(event)
        units = event.get("kl_per_dim_nats")
        if isinstance(step, int) and isinstance(units, list) and units and all(map(_is_number, units)):
            self.units.add(step, shown(units))
        if not isinstance(step, int) or not isinstance(phase, int) or split not in SPLITS:
            return
        if not self._blocks or offset - self._blocks[-1][1] >= BLOCK:
            self._blocks.append((step, offset))
        self._ends[phase] = max(step, self._ends.get(phase, 0))
        self._keep_pace(step, phase, event)
        self.tracks[split].add(step, _numbers(event))

    def phases(self) -> list[tuple[int, int, int]]:
        """As in `Course`."""
        ends = sorted(self._ends.items())
        starts = [0, *(end for _, end in ends)]
        return [(phase, start, end) for (phase, end), start in zip(ends, starts, strict=False)]

    def close_up(self, low: int, high: int) -> CloseUp | None:
        """As in `close_up`."""
        if (low, high) not in self._close_ups:
            fine = any(self.tracks[split].thinned(low, high) for split in SPLITS)
            self._close_ups[low, high] = self._read_close(low, high) if fine else None
            for old in list(self._close_ups)[:-CLOSE_UPS]:
                del self._close_ups[old]
        return self._close_ups[low, high]

    def _read_close(self, low: int, high: int) -> CloseUp:
        tracks = {split: Track() for split in SPLITS}
        first = bisect.bisect_left(self._blocks, (low, 0))
        offset = self._blocks[max(0, first - 1)][1] if self._blocks else 0
        after = bisect.bisect_right(self._blocks, (high, math.inf))
        end = self._blocks[after][1] if after < len(self._blocks) else self._offset
        events, _ = runs.read_lines(self.path, offset, end - offset)
        for event in events:
            step, split = event.get("step"), event.get("split")
            if isinstance(step, int) and low <= step <= high and split in SPLITS:
                tracks[split].add(step, _numbers(event))
        return CloseUp(low=low, high=high, **{split: track.table() for split, track in tracks.items()})

    def _keep_pace(self, step: int, phase: int, event: dict[str, Any]) -> None:
        """Epochs are counted anew in every phase; the effort, in batches, follows from the speed."""
        if phase != self._phase:
            self._epochs, self._epoch, self._phase = self._epochs + self._epoch, 0.0, phase
        if _is_number(event.get("epoch")):
            self._epoch = float(event["epoch"])
        speed = event.get("sentences_per_second")
        if event["split"] == "train" and _is_number(speed) and speed > 0:
            self._effort, self._step, self.speed = self._effort + max(0, step - self._step) / speed, step, speed
        place = {"epoch": self._epochs + self._epoch, "effort": self._effort}
        time = {"time_s": event["time_s"]} if _is_number(event.get("time_s")) else {}
        self.tracks["pace"].add(step, place | time)


class _Book(Ledger):
    """samples.jsonl: what is whole, by step."""

    def clear(self) -> None:
        self.events: dict[int, dict[str, Any]] = {}

    def take(self, event: dict[str, Any], offset: int) -> None:
        if _is_samples(event):
            self.events[event["step"]] = event


@st.cache_resource(max_entries=256, show_spinner=False)
def _story(path: str) -> _Story:
    return _Story(Path(path))


@st.cache_resource(max_entries=256, show_spinner=False)
def _book(path: str) -> _Book:
    return _Book(Path(path))


def _numbers(event: dict[str, Any]) -> dict[str, float]:
    """The figures of an event: everything that is a finite number and does not say where it belongs."""
    return {name: value for name, value in event.items() if name not in PLACES and _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_samples(event: dict[str, Any]) -> bool:
    pairs, prior = event.get("reconstructions"), event.get("prior")
    return (
        isinstance(event.get("step"), int)
        and isinstance(prior, list)
        and all(isinstance(sentence, str) for sentence in prior)
        and isinstance(pairs, list)
        and all(isinstance(pair, dict) and {"text", "decoded"} <= pair.keys() for pair in pairs)
    )
