import json
import shutil
import sys
from dataclasses import replace

import pytest

from app import backend
from app.backend import errands
from vae import report as reports
from vae.runs import write_json


@pytest.fixture
def started(monkeypatch):
    """The processes that were started: none runs, and each ends when it is given a return code."""
    processes = []

    class Process:
        def __init__(self, command, **_):
            self.command, self.returncode, self.ended = command, None, False
            processes.append(self)

        def poll(self):
            return self.returncode

        def terminate(self):
            self.ended = True

        def wait(self, _):
            self.returncode = -15

    monkeypatch.setattr(errands.subprocess, "Popen", Process)
    monkeypatch.setattr(errands, "_STARTED", {})
    return processes


def test_a_report_is_found_with_its_verdict(make_measured):
    run = make_measured("good", delta_nll_nats=20.0, kl_nats=12.0)
    found = backend.evaluation("good")
    assert found.report == reports.load(run)
    assert (found.name, found.step, found.verdict.name, found.yardstick) == (
        "good",
        run.status.step,
        "healthy",
        False,
    )
    make_measured("bad", kl_nats=0.01, delta_nll_nats=0.02, delta_matched_nats=0.02)
    assert backend.evaluation("bad").verdict.name == "collapsed"


def test_a_language_model_is_the_yardstick(make_measured):
    make_measured("lm", "language-model")
    assert backend.evaluation("lm").yardstick


def test_a_run_that_was_trained_on_has_not_been_measured(make_run, make_measured):
    make_run("fresh")
    assert backend.evaluation("fresh") is None
    assert not backend.has_report("fresh")
    run = make_measured("old")
    assert backend.evaluation("old") is not None
    run.update_status(step=run.status.step + 1)
    assert backend.evaluation("old") is None
    assert backend.has_report("old")


def test_a_new_report_is_seen_at_once(make_measured, report):
    run = make_measured("run", kl_nats=12.0)
    assert backend.evaluation("run").report.kl_nats == 12.0
    reports.save(run, "test", run.status.step, replace(report, kl_nats=13.25))
    assert backend.evaluation("run").report.kl_nats == 13.25


def test_measured_runs_are_listed_bundled_first_and_damaged_reports_left_out(make_run, make_measured):
    make_measured("bundled", bundled=True)
    make_run("unmeasured")
    make_measured("mine")
    broken = make_measured("broken")
    (broken.reports_path / "test.json").write_text("[]", encoding="utf-8")
    assert backend.measured(backend.entries()) == ["bundled", "mine"]
    with pytest.raises(ValueError, match="evaluate the run again"):
        backend.evaluation("broken")


def test_measuring_is_one_process_of_its_own(make_run, started):
    run = make_run("one")
    assert backend.measuring("one") is None
    backend.measure("one", 10)
    backend.measure("one", 1000)
    (process,) = started
    assert process.command == [sys.executable, "-m", "vae", "evaluate", str(run.path.resolve()), "--samples", "10"]
    (run.reports_path / "evaluate.log").write_text("one, 2,000 sentences: 4 of 16 passes\n", encoding="utf-8")
    assert backend.measuring("one").progress == (4, 16)
    backend.stop_measuring("one")
    assert process.ended
    assert backend.measuring("one") is None


def test_measuring_that_fails_says_why(make_run, started):
    run = make_run("one")
    backend.measure("one", 10)
    (run.reports_path / "evaluate.log").write_text("error: its weights have diverged.\n", encoding="utf-8")
    started[0].returncode = 2
    assert backend.measuring("one").problem == "error: its weights have diverged."


def test_a_log_that_cannot_be_written_is_one_sentence(make_run, started):
    run = make_run("one")
    run.reports_path.write_text("in the way", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^one could not be measured \([^\n]+\)\.$"):
        backend.measure("one", 10)


def test_rows_make_the_tables_of_the_command_line(make_measured):
    make_measured("a_b", kl_nats=12.0)
    make_measured("c")
    found = [backend.evaluation(name) for name in ("a_b", "c")]
    rows = backend.report_rows(found)
    head, first, second = backend.comma_separated(rows).splitlines()
    assert head.startswith("run,split,")
    assert {"kl_nats", "kl_nats_low", "kl_nats_high", "verdict"} <= set(head.split(","))
    assert first.startswith("a_b,test,")
    assert second.startswith("c,test,")
    latex = backend.latex(rows, ["run", *backend.REPORT_TABLE])
    assert r"Run & PPL & NLL$_{2}$ & $-$ELBO & rec & KL & MI & AU & $\Delta$NLL" in latex
    assert r"a\_b & " in latex


def test_the_command_measures_the_same_runs(make_measured, root):
    make_measured("a")
    make_measured("b")
    found = [backend.evaluation(name) for name in ("a", "b")]
    words = backend.evaluate_command(found).split()
    assert words[:4] == ["python", "-m", "vae", "evaluate"]
    assert words[4:] == [str(root / "a"), str(root / "b"), "--samples", "2", "--csv"]


def test_a_gap_is_paired_by_sentence(make_measured, report):
    make_measured("lm", "language-model", shift=0.0)
    make_measured("better", shift=-3.0)
    one, yardstick = backend.evaluation("better"), backend.evaluation("lm")
    gap = backend.gap(one, [yardstick])
    assert (gap.run, gap.yardstick) == ("better", "lm")
    assert gap.nats == pytest.approx(-3.0, abs=1e-4)
    assert gap.low == pytest.approx(gap.high, abs=1e-4)  # every sentence costs 3 less


def test_without_a_yardstick_on_the_same_sentences_there_is_no_gap(make_measured):
    make_measured("other", "language-model", rows=slice(3, 12))
    make_measured("lm", "language-model")
    make_measured("run")
    run, other, yardstick = (backend.evaluation(name) for name in ("run", "other", "lm"))
    assert backend.gap(run, []) is None
    assert backend.gap(run, [other]) is None
    assert backend.gap(run, [other, yardstick]).yardstick == "lm"


def test_the_way_of_a_run_is_that_of_its_finetuning(make_run):
    run = make_run("one")
    with run.metrics_path.open("a", encoding="utf-8") as file:
        pretraining = {"step": 0, "phase": 0, "split": "valid", "denoising_nats": 1.0}
        file.write(json.dumps(pretraining) + "\n")
    way = backend.trajectory("one")
    checks = [event for event in run.metrics() if event["split"] == "valid" and event["phase"]]
    assert way["step"].tolist() == [event["step"] for event in checks]
    assert way["rec_nats"].tolist() == pytest.approx([event["rec_nats"] for event in checks], rel=1e-5)
    assert set(way["phase"]) == {1, 2}


def test_a_run_without_checks_has_no_way(make_run):
    run = make_run("young")
    run.metrics_path.unlink()
    assert backend.trajectory("young").empty


def test_missing_sentences_are_said_in_a_sentence(make_measured):
    run = make_measured("one")
    assert len(backend.report_sentences("one")) == 12
    shutil.move(run.reports_path / "test.parquet", run.path / "elsewhere")
    with pytest.raises(ValueError, match="evaluate the run again"):
        backend.report_sentences("one")


def test_a_config_is_asked_whether_z_is_zero(make_measured):
    """A recipe may be renamed by hand; what the model is decides."""
    run = make_measured("lm", "language-model")
    write_json(run.path / "config.json", run.config.to_dict() | {"recipe": "mine"})
    assert backend.evaluation("lm").yardstick
