"""What a run has said so far: its measurements, its sentences, its log, and what the doctor makes of them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.backend.logs import last_lines
from vae import doctor, runs

if TYPE_CHECKING:
    import pandas as pd


def metrics(name: str) -> pd.DataFrame:
    """The history of a run: a row an event, columns as in metrics.jsonl. Only what is new is read from the disk."""
    import pandas as pd

    events = _ledger(str(runs.find(name).metrics_path)).events()
    frame = pd.DataFrame([{k: v for k, v in event.items() if not isinstance(v, list | dict)} for event in events])
    for column in ("step", "phase", "split"):
        if column not in frame:
            frame[column] = None
    numeric = [column for column in frame if column != "split"]
    frame[numeric] = frame[numeric].apply(pd.to_numeric, errors="coerce")
    return frame.dropna(subset=["step", "phase"])


def samples(name: str) -> list[dict[str, Any]]:
    """The sentences of a run over time, oldest first: `step`, `phase`, `reconstructions`, `prior`."""
    events = _ledger(str(runs.find(name).samples_path)).events()
    return [event for event in events if _is_samples(event)]


def figures(name: str) -> dict[str, Any]:
    """The newest validation event of a finetuning phase; empty while there is none."""
    for event in reversed(_ledger(str(runs.find(name).metrics_path)).events()):
        if event.get("split") == "valid" and "delta_nll_nats" in event:
            return event
    return {}


def kl_per_dimension(name: str) -> dict[int, list[float]]:
    """The mean KL of each dimension of z, nats, at each check of a run, by step."""
    events = _ledger(str(runs.find(name).metrics_path)).events()
    checks = {event.get("step"): event.get("kl_per_dim_nats") for event in events}
    return {step: kl for step, kl in checks.items() if isinstance(step, int) and isinstance(kl, list) and kl}


def verdict(name: str) -> doctor.Verdict | None:
    """What the doctor says about the newest figures of a run; none while there are no figures."""
    known = figures(name)
    try:
        return doctor.diagnose(known) if known else None
    except (KeyError, TypeError, ValueError):  # figures that a crash or another program has mangled
        return None


def log_tail(name: str, lines: int = 40) -> str:
    """The last lines of a run's log; empty while there is none."""
    return "\n".join(last_lines(runs.find(name).log_path, lines))


class _Ledger:
    """The events of one .jsonl file that only grows, read on from where the last reading ended.

    A resumed run may rewrite its history, and a new run may take an old name: the last bytes that were read are
    compared with the file before reading on, and if they differ, it is read from the start.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._events, self._offset, self._tail = path, list[dict[str, Any]](), 0, b""
        self._lock = threading.Lock()

    def events(self) -> list[dict[str, Any]]:
        """Every whole event of the file by now."""
        with self._lock:
            if self._offset and self._bytes_before(self._offset) != self._tail:
                self._events, self._offset, self._tail = [], 0, b""
            new, offset = runs.read_lines(self._path, self._offset)
            if offset != self._offset:
                self._events += [event for event in new if isinstance(event, dict)]
                self._offset, self._tail = offset, self._bytes_before(offset)
            return list(self._events)

    def _bytes_before(self, offset: int) -> bytes:
        if not self._path.is_file():
            return b""
        with self._path.open("rb") as file:
            file.seek(max(0, offset - 256))
            return file.read(min(256, offset))


@st.cache_resource(max_entries=256, show_spinner=False)
def _ledger(path: str) -> _Ledger:
    return _Ledger(Path(path))


def _is_samples(event: dict[str, Any]) -> bool:
    pairs, prior = event.get("reconstructions"), event.get("prior")
    return (
        isinstance(event.get("step"), int)
        and isinstance(prior, list)
        and all(isinstance(sentence, str) for sentence in prior)
        and isinstance(pairs, list)
        and all(isinstance(pair, dict) and {"text", "decoded"} <= pair.keys() for pair in pairs)
    )
