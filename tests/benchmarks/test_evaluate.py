"""The report of a tiny run is measured against plain passes, to the end."""

import sys

from benchmarks import evaluate


def test_a_report_is_counted_in_forward_passes(trained_run, monkeypatch, capsys):
    words = ["--run", str(trained_run.path), "--sentences", "20", "--samples", "3", "--repeats", "1"]
    monkeypatch.setattr(sys, "argv", ["evaluate", *words])
    evaluate.main()
    said = capsys.readouterr().out
    assert said.count(" x forward pass") == 2
