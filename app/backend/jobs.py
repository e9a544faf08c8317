"""What can be done with a run: launch, stop, resume, rename, delete."""

from __future__ import annotations

from app.backend.listing import hand_on_colour
from vae import jobs, runs
from vae.config import Config


def launch(name: str, settings: Config) -> str:
    """Make a run and start training it in a process of its own; its name comes back."""
    return jobs.launch(runs.valid_name(name), settings).name


def stop(name: str) -> None:
    """Ask a run to save what it has and stop."""
    jobs.stop(runs.find(name))


def resume(name: str) -> None:
    """Go on where a run stopped."""
    jobs.resume(runs.find(name))


def rename(name: str, new: str) -> str:
    """Give a run another name; its colour goes with it."""
    renamed = runs.find(name).rename(new.strip()).name
    hand_on_colour(name, renamed)
    return renamed


def delete(name: str) -> None:
    """Delete a run with everything in it."""
    runs.find(name).delete()
