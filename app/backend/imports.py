"""Runs of other programs, made into runs of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.backend.permission import reserved
from vae import exchange, runs


@reserved
def import_run(source: str, base: str = "") -> str:
    """Make a run of a checkpoint or a log on this computer; its name comes back. See `vae.exchange`."""
    path = Path(source.strip()).expanduser()
    if not source.strip():
        raise ValueError(f"Give the path of {exchange.FORMATS}.")
    name = runs.fresh_name(exchange.name_of(path))
    if exchange.kind(path) != "lightning":
        from vae.exchange import li2019

        return li2019.read(path, runs.root() / name).name
    if not base.strip():
        raise ValueError("A checkpoint needs the T5 that its training started from, such as t5-small.")
    from vae.exchange import lightning

    return lightning.read(path, runs.root() / name, base.strip()).name


def origin(name: str) -> dict[str, Any]:
    """Where an imported run comes from: source, format, and the settings it had there, as far as they are known."""
    return dict(runs.find(name).env.get("imported", {}))
