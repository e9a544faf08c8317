"""Other programs' formats: runs that come in, and events that go out.

`lightning` opens checkpoints of the code released with Park & Lee 2021, `li2019` the log.txt of the code released with
Li et al. 2019, each as a finished run that is looked at and never trained on; `tensorboard` and `write_csv` tell others
what a run measured. What has another unit there is left out rather than shown under a name of ours.
"""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vae import runs
from vae.config import Config
from vae.runs import Run, Status

FORMATS = "a Lightning checkpoint (.ckpt, or the folder with checkpoints/ in it), or a log.txt"

RECIPE = "imported"
"""What stands where a run of ours has its recipe."""


def kind(source: Path) -> str:
    """Which format a file or folder has: `lightning` or `li2019`; a `ValueError` for anything else."""
    if not source.exists():
        raise ValueError(f"There is nothing at {source}: check the path.")
    if source.suffix == ".ckpt" or (source.is_dir() and next(source.rglob("*.ckpt"), None)):
        return "lightning"
    if source.name == "log.txt" or (source / "log.txt").is_file():
        return "li2019"
    raise ValueError(f"{source} cannot be imported: give {FORMATS}.")


def name_of(source: Path) -> str:
    """A name for the run: that of the experiment, as far as a run can bear it."""
    named = source.parent if source.name == "log.txt" else source
    if source.suffix == ".ckpt":
        named = source.parent.parent if source.parent.name == "checkpoints" else source.with_suffix("")
    return f"imported-{re.sub(r'[^A-Za-z0-9._-]', '-', named.name).strip('.-')}"[:70].rstrip(".-")


def finished(path: Path, config: Config, events: Iterable[Mapping[str, Any]], origin: Mapping[str, Any]) -> Run:
    """A run directory with a history that was made elsewhere; `origin` says where, and goes into env.json."""
    run = Run.create(path, config)
    history = list(events)
    runs.keep_lines(run.metrics_path, history)
    runs.write_json(run.path / "env.json", {"imported": dict(origin)})
    step = max((event["step"] for event in history), default=0)
    words = f"Imported from {origin['source']}, to be looked at."
    run.write_status(
        Status(state="finished", phase=2, step=step, total_steps=step, heartbeat=time.time(), message=words)
    )
    return run


def csv_of(run: Run) -> str:
    """Every event of a run as a row, its figures with all their digits, and a list as a column for each entry."""
    rows = [{key: value for pair in event.items() for key, value in _cells(*pair)} for event in run.metrics()]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _cells(key: str, value: Any) -> list[tuple[str, Any]]:
    """A figure as a cell of a table; a list as one for each entry."""
    return [(f"{key}_{i}", entry) for i, entry in enumerate(value)] if isinstance(value, list) else [(key, value)]
