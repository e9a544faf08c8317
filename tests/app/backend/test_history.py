import csv
import io
import os
import shutil

import psutil
import pytest

from app import backend
from app.backend import history
from vae import runs
from vae.runs import append_line, keep_lines


def values(name, figure, split="train"):
    return getattr(backend.course(name), split)["figures"][figure]["last"]


def write_long(run, events, start=0):
    """Steps of training, each with its own number as rec, in one go."""
    lines = "".join(
        f'{{"step": {step}, "phase": 1, "split": "train", "epoch": {step / 100}, "rec_nats": {step}.0, '
        f'"sentences_per_second": 640.0}}\n'
        for step in range(start, start + events)
    )
    with run.metrics_path.open("a", encoding="utf-8", newline="") as file:
        file.write(lines)


def test_a_history_is_read_on_from_where_it_ended(make_run, monkeypatch):
    run = make_run("run", share=0.1)
    first = len(backend.course("run").train["last"])
    offsets = []
    read = runs.read_lines
    monkeypatch.setattr(runs, "read_lines", lambda path, at=0, most=None: offsets.append(at) or read(path, at, most))
    append_line(run.metrics_path, {"step": 9999, "phase": 2, "split": "train", "rec_nats": 1.0})
    course = backend.course("run")
    assert len(course.train["last"]) == first + 1
    assert course.train["last"][-1] == 9999
    assert min(offsets) > 1000


def test_a_history_that_was_rewritten_is_read_anew(make_run):
    """A resumed run drops what came after its last saved state, and grows again."""
    run = make_run("run", share=0.2)
    assert min(values("run", "rec_nats")) > 0
    keep_lines(run.metrics_path, [event for event in run.metrics() if event["step"] <= 50])
    for step in range(60, 5000, 10):
        append_line(run.metrics_path, {"step": step, "phase": 1, "split": "train", "rec_nats": -1.0})
    after = backend.course("run").train
    assert [
        value for step, value in zip(after["first"], after["figures"]["rec_nats"]["last"], strict=True) if step > 50
    ]
    assert all(
        value == -1.0
        for step, value in zip(after["first"], after["figures"]["rec_nats"]["last"], strict=True)
        if step > 50
    )
    assert after["last"] == sorted(after["last"])


def test_a_new_run_of_an_old_name_shows_its_own_history(make_run):
    run = make_run("again")
    assert backend.course("again").train["last"][-1] > 2000
    shutil.rmtree(run.path)
    make_run("again", "plain-vae", share=0.05)
    assert backend.course("again").train["last"][-1] < 200


def test_half_a_line_waits_and_garbage_is_passed_over(make_run):
    run = make_run("run", share=0.05)
    before = backend.course("run")
    with run.metrics_path.open("ab") as file:
        file.write(
            b'[1, 2]\nnot json\n{"step": "x", "phase": 1, "split": "train"}\n{"phase": 1, "split": "train"}\n'
            b'{"step": 700, "phase": 1, "split": "train", "kl_nats": "y", "rec_nats": true}\n{"st'
        )
    after = backend.course("run")
    assert len(after.train["last"]) == len(before.train["last"]) + 1
    assert values("run", "kl_nats")[-1] is None
    assert values("run", "rec_nats")[-1] is None


def test_what_is_kept_of_a_long_history_is_bounded_and_its_end_is_exact(make_run):
    run = make_run("long", share=0.0)
    write_long(run, 20_000)
    course = backend.course("long")
    assert len(course.train["last"]) <= history.Track().capacity
    assert len(course.steps) <= history.Track().capacity
    assert course.train["figures"]["rec_nats"]["last"][-1] == 19_999
    assert course.phases == [(1, 0, 19_999)]
    write_long(run, 1, start=20_000)
    assert values("long", "rec_nats")[-1] == 20_000


def test_a_close_up_has_every_measurement_of_its_steps(make_run):
    run = make_run("long", share=0.0)
    write_long(run, 20_000)
    assert max(backend.course("long").train["count"]) > 1
    for low, high in ((0, 40), (11_111, 11_222), (19_950, 25_000)):
        close = backend.close_up("long", low, high)
        assert close.train["last"] == list(range(low, min(high, 19_999) + 1))
        assert close.train["figures"]["rec_nats"]["last"] == [float(step) for step in close.train["last"]]


def test_a_close_up_is_read_once_and_only_where_there_is_more_to_see(make_run, monkeypatch):
    run = make_run("long", share=0.0)
    write_long(run, 2_000)
    backend.course("long")
    read, asked = runs.read_lines, []
    monkeypatch.setattr(runs, "read_lines", lambda path, at=0, most=None: asked.append(most) or read(path, at, most))
    backend.close_up("long", 500, 520)
    count = len(asked)
    backend.close_up("long", 500, 520)
    assert len(asked) == count + 1  # whether the file has grown
    make_run("short", share=0.1)
    assert backend.close_up("short", 0, 1000) is None


def test_epochs_go_on_from_phase_to_phase_and_hours_come_from_the_speed(make_run):
    run = make_run("run", share=0.0)
    run.metrics_path.unlink()
    common = {"split": "train", "sentences_per_second": 64.0}  # batches of 64: a step a second
    for step, phase, epoch in ((100, 1, 1.0), (200, 1, 2.0), (300, 2, 1.0)):
        append_line(run.metrics_path, {"step": step, "phase": phase, "epoch": epoch, **common})
    append_line(run.metrics_path, {"step": 360, "phase": 2, "epoch": 1.6, "split": "valid", "rec_nats": 1.0})
    course = backend.course("run")
    assert course.steps == [100, 200, 300, 360]
    assert course.epochs == pytest.approx([1, 2, 3, 3.6])
    assert course.hours == pytest.approx([100 / 3600, 200 / 3600, 300 / 3600, 300 / 3600], rel=1e-4)
    assert course.phases == [(1, 0, 200), (2, 200, 360)]
    assert backend.speed("run") == 64


def test_the_hours_of_a_run_that_measures_its_time_are_those(make_run):
    run = make_run("run", share=0.0)
    run.metrics_path.unlink()
    for step, seconds in ((10, 20.0), (20, 50.0)):
        event = {"step": step, "phase": 1, "epoch": 0.5, "split": "train", "sentences_per_second": 64.0}
        append_line(run.metrics_path, event | {"time_s": seconds, "memory_mb": 900})
    assert backend.course("run").hours == pytest.approx([20 / 3600, 50 / 3600], rel=1e-4)
    assert backend.course("run").train["figures"].keys() == {"sentences_per_second", "memory_mb"}


def test_reading_on_takes_the_settings_at_most_once(make_run, monkeypatch):
    """They were parsed anew for each point of the curves: most of what a redraw of the monitor cost."""
    run = make_run("run")
    write_long(run, 300)
    read, taken = runs.read_json, []
    monkeypatch.setattr(runs, "read_json", lambda path: taken.append(path.name) or read(path))
    assert len(backend.course("run").steps) > 100
    assert taken.count("config.json") <= 1


def test_an_empty_history_is_said_to_be_empty(make_run):
    run = make_run("run")
    run.metrics_path.unlink()
    run.samples_path.unlink()
    assert not backend.course("run")
    assert backend.close_up("run", 0, 100) is None
    assert backend.samples("run") == backend.sample_steps("run") == []
    assert backend.sample("run", 0) is None
    assert backend.figures("run") == {}
    assert backend.verdict("run") is None
    assert backend.speed("run") is None
    assert backend.metrics_csv("run") == b"\n"


def test_the_csv_has_every_event_with_all_its_digits(make_run):
    run = make_run("run", share=0.1)
    rows = list(csv.DictReader(io.StringIO(backend.metrics_csv("run").decode())))
    events = run.metrics()
    assert len(rows) == len(events)
    for row, event in zip(rows, events, strict=True):
        assert float(row["rec_nats"]) == event["rec_nats"]
        for dimension, nats in enumerate(event.get("kl_per_dim_nats", [])):
            assert float(row[f"kl_per_dim_nats_{dimension}"]) == nats


def test_the_memory_of_a_trainer_is_that_of_its_own_process(make_run):
    own = psutil.Process()
    make_run("going", share=0.1, state="running", pid=os.getpid(), process_started=own.create_time())
    make_run("other", share=0.1, state="running", pid=os.getpid(), process_started=own.create_time() - 1000)
    make_run("gone", share=0.1, state="running", pid=2**22 + 4321, process_started=1.0)
    make_run("waiting", share=0.0, state="queued")
    assert backend.memory("going") > 1_000_000
    assert [backend.memory(name) for name in ("other", "gone", "waiting")] == [None, None, None]


def test_the_verdict_is_on_the_newest_validation(make_run):
    make_run("healthy")
    make_run("collapsed", "plain-vae")
    assert backend.verdict("healthy").name == "healthy"
    assert backend.verdict("collapsed").name == "collapsed"


def test_mangled_samples_are_passed_over(make_run):
    run = make_run("run", share=0.1)
    count = len(backend.samples("run"))
    for event in (
        {"step": 1},
        {"step": 1, "prior": [1], "reconstructions": []},
        {"step": "1", "prior": [], "reconstructions": []},
    ):
        append_line(run.samples_path, event)
    assert len(backend.samples("run")) == count
    assert len(backend.sample_steps("run")) == count
    step = backend.sample_steps("run")[-1]
    assert backend.sample("run", step) == backend.samples("run")[-1]


def test_the_log_is_cut_to_its_end(make_run):
    run = make_run("run")
    run.log_path.write_bytes(b"\xff" + b"line\n" * 5000 + "letzte Zeile ü\n".encode())
    tail = backend.log_tail("run", 5).splitlines()
    assert len(tail) == 5
    assert tail[-1] == "letzte Zeile ü"
