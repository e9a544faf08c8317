import shutil

from app import backend
from vae import runs
from vae.runs import append_line, keep_lines


def test_a_history_is_read_on_from_where_it_ended(make_run, monkeypatch):
    run = make_run("run", share=0.1)
    first = len(backend.metrics("run"))
    offsets = []
    read = runs.read_lines
    monkeypatch.setattr(runs, "read_lines", lambda path, at=0: offsets.append(at) or read(path, at))
    append_line(run.metrics_path, {"step": 9999, "phase": 2, "split": "train", "rec_nats": 1.0})
    frame = backend.metrics("run")
    assert len(frame) == first + 1
    assert frame["step"].iloc[-1] == 9999
    assert offsets[0] > 1000


def test_a_history_that_was_rewritten_is_read_anew(make_run):
    """A resumed run drops what came after its last saved state, and grows again."""
    run = make_run("run", share=0.2)
    before = backend.metrics("run")
    keep_lines(run.metrics_path, [event for event in run.metrics() if event["step"] <= 50])
    for step in range(60, 5000, 10):
        append_line(run.metrics_path, {"step": step, "phase": 1, "split": "train", "rec_nats": -1.0})
    after = backend.metrics("run")
    assert run.metrics_path.stat().st_size > 0
    assert before["rec_nats"].min() > 0
    assert (after.loc[after["step"] > 50, "rec_nats"] == -1.0).all()
    assert after["step"].is_monotonic_increasing


def test_a_new_run_of_an_old_name_shows_its_own_history(make_run):
    run = make_run("again")
    assert backend.metrics("again")["step"].max() > 2000
    shutil.rmtree(run.path)
    make_run("again", "plain-vae", share=0.05)
    assert backend.metrics("again")["step"].max() < 200


def test_half_a_line_waits_and_garbage_is_passed_over(make_run):
    run = make_run("run", share=0.05)
    count = len(backend.metrics("run"))
    with run.metrics_path.open("ab") as file:
        file.write(
            b'[1, 2]\nnot json\n{"step": "x", "phase": 1}\n{"phase": 1}\n{"step": 7, "phase": 1, "kl_nats": "y"}\n{"st'
        )
    frame = backend.metrics("run")
    assert len(frame) == count + 1
    assert frame["kl_nats"].isna().iloc[-1]


def test_an_empty_history_has_its_columns(make_run):
    run = make_run("run")
    run.metrics_path.unlink()
    run.samples_path.unlink()
    assert {"step", "phase", "split"} <= set(backend.metrics("run").columns)
    assert backend.metrics("run").empty
    assert backend.samples("run") == []
    assert backend.figures("run") == {}
    assert backend.verdict("run") is None


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


def test_the_log_is_cut_to_its_end(make_run):
    run = make_run("run")
    run.log_path.write_bytes(b"\xff" + b"line\n" * 5000 + "letzte Zeile ü\n".encode())
    tail = backend.log_tail("run", 5).splitlines()
    assert len(tail) == 5
    assert tail[-1] == "letzte Zeile ü"
