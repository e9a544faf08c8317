"""What can be done with a run: launch, stop, resume, rename, delete; and the queue of those that wait."""

from __future__ import annotations

from app.backend.listing import hand_on_colour
from app.backend.permission import reserved
from vae import jobs, runs
from vae.config import Config


@reserved
def launch(name: str, settings: Config) -> str:
    """Make a run and put it into the queue; its name comes back. It trains in a process of its own."""
    return jobs.launch(runs.valid_name(name), settings).name


@reserved
def stop(name: str) -> None:
    """Ask a run to save what it has and stop; one that waits leaves the queue."""
    jobs.stop(runs.find(name))


@reserved
def resume(name: str) -> None:
    """Put a run into the queue, to go on where it stopped."""
    jobs.resume(runs.find(name))


@reserved
def rename(name: str, new: str) -> str:
    """Give a run another name; its colour goes with it, and its place in the queue."""
    renamed = jobs.rename(runs.find(name), new.strip()).name
    hand_on_colour(name, renamed)
    return renamed


@reserved
def delete(name: str) -> None:
    """Delete a run with everything in it."""
    jobs.delete(runs.find(name))


@reserved
def move(name: str, place: int) -> None:
    """Give a run that waits another place in the queue, from 1."""
    jobs.move(runs.find(name), place)


@reserved
def train_at_once(number: int) -> None:
    """Let as many runs train at once."""
    jobs.set_queue(at_once=number)


@reserved
def pause_queue(paused: bool) -> None:
    """Start nothing that waits, or go on."""
    jobs.set_queue(paused=paused)
