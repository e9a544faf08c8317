"""What goes out holds what the run holds; what cannot be imported is said to be so."""

import csv
import io
from pathlib import Path

import pytest

from vae import exchange
from vae.runs import Run


def test_the_table_has_every_figure_of_every_event(trained_run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(exchange.csv_of(trained_run))))
    events = trained_run.metrics()
    assert len(rows) == len(events)
    for row, event in zip(rows, events, strict=True):
        for name, value in event.items():
            if not isinstance(value, list | dict):
                assert row[name] == ("" if value is None else str(value))
        for dimension, value in enumerate(event.get("kl_per_dim_nats", [])):
            assert float(row[f"kl_per_dim_nats_{dimension}"]) == value


def test_what_is_no_run_of_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing at"):
        exchange.kind(tmp_path / "missing")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="cannot be imported"):
        exchange.kind(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="cannot be imported"):
        exchange.kind(tmp_path)
