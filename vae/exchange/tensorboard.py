"""TensorBoard event files: what a run says in metrics.jsonl and samples.jsonl, for the curves that others use.

The package `tensorboard` is not among our requirements; whoever wants these files installs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae.runs import Run

MISSING = "TensorBoard's event files need the package tensorboard: install it with `pip install tensorboard`."


class Board:
    """The event file of a run, beside its metrics.jsonl: scalars by split, and sentences as text."""

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        """Begin a file in `folder`; what earlier files say of `first_step` and later is void, as after a resume."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ValueError(MISSING) from error
        self.writer: Any = SummaryWriter(str(folder), purge_step=first_step or None, flush_secs=10)

    def add(self, event: Mapping[str, Any]) -> None:
        """Write an event of metrics.jsonl or samples.jsonl."""
        step = event["step"]
        if "reconstructions" in event:
            rebuilt = "\n\n".join(f"    {p['text']}\n    {p['decoded']}" for p in event["reconstructions"])  # as code
            self.writer.add_text("reconstructions", rebuilt, step)
            self.writer.add_text("prior", "\n\n".join(f"    {text}" for text in event["prior"]), step)
            return
        for name, value in event.items():
            if isinstance(value, int | float) and name != "step":
                self.writer.add_scalar(f"{name}/{event['split']}", value, step)

    def close(self) -> None:
        """End the file."""
        self.writer.close()


def export(run: Run, folder: Path) -> int:
    """Write a run's whole history as an event file into a folder; the number of its events comes back."""
    events = [*run.metrics(), *run.samples()]
    board = Board(folder)
    for event in events:
        board.add(event)
    board.close()
    return len(events)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every scalar in a folder's event files, by tag, in order."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise ValueError(MISSING) from error
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
