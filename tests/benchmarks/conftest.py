"""What the benchmarks tell a server that they start."""

from __future__ import annotations

import pytest

from app.backend import permission


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What is told to a server, as the benchmark does it: its folder of runs, and that it is read-only."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("BOTTLENECK_RUNS", str(folder))
    monkeypatch.setenv(permission.VARIABLE, "1")
    return folder
