"""A report goes into its run and comes back the same, or not at all."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vae import evaluate, report
from vae.glossary import METRICS
from vae.report import Report
from vae.runs import Run
from vae.space import Space


@pytest.fixture(scope="module")
def found(make_space: Callable[..., Space], sentences: list[str]) -> Report:
    return evaluate.evaluate(make_space(), pd.DataFrame({"text": sentences[:20]}), samples=2)


@pytest.fixture
def run(trained_run: Run, tmp_path: Path) -> Run:
    shutil.copytree(trained_run.path, tmp_path / "run")
    return Run(tmp_path / "run")


def test_a_report_comes_back_as_it_was_kept(run: Run, found: Report) -> None:
    assert report.load(run) is None
    report.save(run, "test", run.status.step, found)
    assert report.load(run) == found
    assert report.load(run, "valid") is None
    kept = report.load_sentences(run)
    assert found.per_sentence is not None
    pd.testing.assert_frame_equal(kept, found.per_sentence, check_dtype=False, rtol=1e-6)


def test_the_document_says_what_it_is_about(run: Run, found: Report) -> None:
    report.save(run, "valid", 7, found)
    document = json.loads((run.reports_path / "valid.json").read_text("utf-8"))
    assert (document["split"], document["step"], document["rec_nats"]) == ("valid", 7, found.rec_nats)
    assert (run.reports_path / "valid.parquet").stat().st_size < 20_000


def test_a_report_on_earlier_weights_is_none(run: Run, found: Report) -> None:
    report.save(run, "test", run.status.step - 1, found)
    assert report.load(run) is None


def test_what_no_number_can_hold_is_kept_as_nothing(run: Run, found: Report) -> None:
    report.save(run, "test", run.status.step, replace(found, ppl_word=math.inf))
    kept = report.load(run)
    assert kept is not None
    assert kept.ppl_word is None


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "test.json"), ("[1]", "damaged: evaluate the run again")],
)
def test_a_damaged_report_is_one_sentence(run: Run, content: str, message: str) -> None:
    run.reports_path.mkdir()
    (run.reports_path / "test.json").write_text(content.replace("STEP", str(run.status.step)), "utf-8")
    with pytest.raises(ValueError, match=message):
        report.load(run)


def test_a_report_of_a_time_before_unk_was_counted_is_read(run: Run, found: Report) -> None:
    assert found.unknown_share is not None
    report.save(run, "test", run.status.step, found)
    path = run.reports_path / "test.json"
    values = json.loads(path.read_text("utf-8"))
    del values["unknown_share"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert report.load(run) == replace(found, unknown_share=None)


def test_a_report_that_lacks_a_figure_is_none(run: Run, found: Report) -> None:
    report.save(run, "test", run.status.step, found)
    path = run.reports_path / "test.json"
    document = json.loads(path.read_text("utf-8"))
    del document["bleu"]
    path.write_text(json.dumps(document), "utf-8")
    assert report.load(run) is None


def test_missing_sentences_are_one_sentence(run: Run) -> None:
    with pytest.raises(ValueError, match=r"test\.parquet is missing or damaged"):
        report.load_sentences(run)


def test_two_runs_are_compared_sentence_by_sentence() -> None:
    """The difference is paired: what makes a sentence long falls out of it."""
    a = pd.DataFrame({"text": list("abcd"), "nll_nats": [10.0, 100.0, 1000.0, 50.0]})
    b = a.assign(nll_nats=a["nll_nats"] - [1.0, 2.0, 3.0, 2.0])
    mean, low, high = report.difference(a, b, "nll_nats")
    assert mean == 2
    half = 1.96 * math.sqrt(2 / 3) / 2
    assert (low, high) == pytest.approx((2 - half, 2 + half))
    assert report.difference(b, a, "nll_nats")[0] == -2
    for other in (b.iloc[::-1], b.iloc[:3]):
        with pytest.raises(ValueError, match="about different sentences"):
            report.difference(a, other, "nll_nats")


def test_every_figure_of_the_table_is_explained_and_measured(found: Report) -> None:
    values: dict[str, Any] = found.to_dict()
    assert set(report.TABLE) <= METRICS.keys() & values.keys()
    scalars = {name for name, value in values.items() if isinstance(value, float)}
    assert scalars <= METRICS.keys()
    assert set(values["intervals"]) <= values.keys()


def test_loads_without_torch() -> None:
    code = "import sys, vae.report, vae.tables; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
