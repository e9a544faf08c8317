"""The runs that ship for the lesson: one for each setting of what the two papers guard a VAE with."""

from __future__ import annotations

from collections.abc import Sequence

from app.backend.listing import entries
from vae import bundle
from vae.bundle import Switches

__all__ = ["Switches", "absent", "cube"]


def cube() -> dict[Switches, str]:
    """The run for each setting of the three switches, by name: all eight, whether they are there or not."""
    return bundle.cube()


def absent(names: Sequence[str]) -> list[str]:
    """Those of the runs that are not there, or not finished."""
    there = {entry.name for entry in entries(lessons=True) if entry.state == "finished"}
    return [name for name in names if name not in there]
