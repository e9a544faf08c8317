"""A read-only server: everything at the door is either reserved, and refuses, or only reads, and writes nothing."""

import hashlib
import inspect
import os
import time
from typing import get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import backend
from app.backend import permission
from tests.app.frame import FRAME, open_page
from vae import jobs, latents, queue
from vae.config import read_json
from vae.runs import Notes

PAGES = sorted(path.stem for path in (FRAME.parent / "app" / "pages").glob("[a-z]*.py"))

RESERVED = {
    *("annotate", "check_source", "delete", "encode_sentences", "fit_umap", "forget_predictions", "import_run"),
    *("launch", "launch_race", "launch_sweep", "measure", "move", "pause_queue"),
    *("preview", "probe", "rename", "resume", "save_upload", "stop"),
    *("stop_measuring", "stop_probing", "train_at_once"),
}
"""What starts, stops, changes or keeps something, or opens what comes from elsewhere."""

OPEN = {
    *("analogy", "analogy_command", "analogy_python", "association", "association_python", "axis"),
    *("axis_heading", "axis_value", "build", "carried", "check_name", "close_up"),
    *("codes", "codes_file", "colours", "comma_separated", "command", "compare_command"),
    *("config", "course", "decode", "describe", "differences", "dimension_kl"),
    *("dimensions_by_kl", "dimensions_command", "dimensions_python", "direction", "encode", "end_code"),
    *("entries", "entry", "erratum_rows", "estimate", "evaluate_command", "evaluation"),
    *("examples", "figures", "film_encode", "film_pending", "film_python", "film_weights"),
    *("fitting", "fresh_name", "fresh_race", "gap", "has_codes", "has_report"),
    *("held_out", "in_common", "input_text", "kl_per_dimension", "knobs", "label_values"),
    *("known_texts", "unknown_words", "unseen_words"),
    *("lane", "latent_size", "latex", "log_tail", "measured", "measuring"),
    *("memory", "metrics_csv", "model", "neighbours", "noted_table", "notes"),
    *("origin", "parse_changes", "parse_code", "parse_dimensions", "path_cell", "path_part"),
    *("paths", "paths_latex", "phase_ends"),
    *("plan", "plane", "plane_command", "plane_field", "plane_pins", "plane_python"),
    *("plane_sentences", "plane_spanning", "plane_walk", "plane_whole", "plane_window", "preset"),
    *("preset_about", "prior", "probe_command", "probe_paths", "probe_rows", "probe_tables", "probing"),
    *("project", "queue", "race_config", "race_key", "race_names", "random_pairs"),
    *("read_command", "read_only", "recipe", "recipe_names", "reel", "report_rows"),
    *("report_sentences", "report_symbol", "sample", "sample_steps", "samples", "setting_help"),
    *("setting_names", "setting_values", "showcase", "snapshots", "speed", "start_code"),
    *("as_shown", "placed", "reached", "standing", "untrained"),
    *("steered", "steered_command", "steered_python", "strengths", "strips", "sweep"),
    *("sweep_command", "sweep_cost", "sweep_name", "sweep_names", "table"),
    *("trajectory", "turns", "verdict", "walk", "walk_command", "walk_python"),
    *("witnesses", "write_changes", "write_code", "linear_vae"),
    *("predict", "predicted", "absent", "cube", "warm", "pass_over_libraries"),
}
"""What only reads, computes in memory, or keeps in memory what readers say."""


@pytest.fixture
def reader(monkeypatch):
    """The server is read-only."""
    monkeypatch.setenv(permission.VARIABLE, "1")


def seal(folder):
    """Everything in a folder, with its content and the time it was written."""
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [folder, *folder.rglob("*")]
    }


def doors():
    """The functions at the door."""
    known = {name: getattr(backend, name) for name in backend.__all__}
    return {
        name for name, value in known.items() if callable(value) and not (inspect.isclass(value) or get_origin(value))
    }


def test_every_function_at_the_door_is_known_to_be_reserved_or_open():
    assert not RESERVED & OPEN
    assert doors() == RESERVED | OPEN, "say in this file whether it may be used on a read-only server"


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_what_is_reserved_refuses_readers_before_it_looks_at_anything(name, reader):
    with pytest.raises(ValueError, match="This server is read-only: "):
        getattr(backend, name)()


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_what_is_reserved_is_open_to_everybody_else(name, monkeypatch):
    monkeypatch.delenv(permission.VARIABLE, raising=False)
    with pytest.raises(TypeError, match="required"):
        getattr(backend, name)()


@given(st.sampled_from(["", "0", "no", "off", "false"]), st.sampled_from([str.upper, str.title, str]), st.booleans())
def test_words_for_no_leave_the_server_open(word, case, space):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(permission.VARIABLE, " " * space + case(word) + " " * space)
        assert not permission.read_only()


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1))
def test_any_other_word_makes_the_server_read_only(word):
    if word.lower() in ("0", "no", "off", "false"):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(permission.VARIABLE, word)
        assert permission.read_only()


def test_readers_open_runs_and_nothing_else(explored, reader):
    assert backend.model("explored").run == explored
    with pytest.raises(ValueError, match="read-only"):
        backend.model("~other", str(explored.model_path))


def test_readers_see_that_a_run_has_died_and_nobody_writes_it_down(make_run, root, reader):
    run = make_run("dead", share=0.3, state="running", pid=2**22 + 1, process_started=1.0)
    before = seal(root)
    assert backend.entry("dead").state == "failed"
    assert "ended without notice" in backend.entry("dead").status.message
    assert seal(root) == before
    assert read_json(run.path / "status.json")["state"] == "running"


def test_readers_start_nothing_that_waits(make_run, root, reader, monkeypatch):
    make_run("next", share=0.0, state="queued")
    queue.write(root, queue.Queue(waiting=("next",)))
    started = []
    monkeypatch.setattr(jobs, "advance", started.append)
    before = seal(root)
    assert [entry.place for entry in backend.entries()] == [1]
    time.sleep(0.1)
    assert not started
    assert seal(root) == before


@pytest.fixture
def classroom(explored, make_measured, make_run, make_space, root):
    """Runs of every kind, without what is derived from them: a healthy one, one that died, one that waits, a sweep."""
    for path in explored.projections_path.iterdir():
        path.unlink()
    explored.projections_path.rmdir()
    make_space(7).save_pretrained(explored.path / "snapshots/step-100")
    make_measured("measured", "plain-vae").write_notes(Notes(sweep="study", over=("phase2.kl_weight=1.0",)))
    make_run("going", share=0.3, state="running", pid=os.getpid())
    make_run("dead", share=0.3, state="running", pid=2**22 + 1, process_started=1.0)
    make_run("next", share=0.0, state="queued")
    queue.write(root, queue.Queue(waiting=("next",)))
    (root / "colours.json").unlink(missing_ok=True)
    return root


def visit(page, **query):
    at = open_page(page, **query)
    assert not [error.value for error in at.error if "read-only" in error.value], page
    return at


def buttons(at):
    return {button.label for button in at.button}


OFF = {
    *("Start", "Start the race", "Stop the race", "Stop", "Resume", "Rename", "Delete for good", "Open", "Import"),
    *("Take out of the queue", "Remove", "Up", "Down", "Measure it", "Measure it again", "Probe it", "Keep", "Launch"),
    *("Train again with these settings", "Encode them now", "Try again"),
}
"""Buttons that a reader does not see."""


def test_no_page_writes_anything_for_readers(classroom, reader):
    before = seal(classroom)
    for page in PAGES:
        for query in ({"run": "explored"}, {"run": "dead"} if page == "runs" else {}):
            at = visit(page, **query)
            assert not buttons(at) & OFF, page
            assert not at.get("file_uploader"), page
            assert "Train at once" not in {box.label for box in at.number_input}, page
    assert seal(classroom) == before


def test_film_and_map_are_computed_in_memory_for_readers(classroom, reader):
    before = seal(classroom)
    assert backend.film_pending("explored")
    for step in backend.film_pending("explored"):
        backend.film_encode("explored", step)
    assert len(backend.reel("explored").steps) > 1
    known = backend.project(backend.model("explored"), "pca")
    assert len(known.coordinates) == len(latents.read_latents(backend.model("explored").run).means)
    assert backend.project(backend.model("explored"), "umap") is None
    assert backend.colours()["explored"].startswith("#")
    assert seal(classroom) == before


def test_the_page_train_leads_readers_home_where_it_is_said_why(classroom, reader):
    at = visit("train")
    assert "Walk through the space between sentences" in at.title[0].value
    assert any("Read-only: explore and watch; training is off on this server." in each.value for each in at.caption)


def test_others_are_told_nothing_of_it(classroom, monkeypatch):
    monkeypatch.delenv(permission.VARIABLE, raising=False)
    monkeypatch.setattr(jobs, "advance", lambda folder: [])
    assert not any("Read-only" in each.value for each in visit("home").caption)
    assert {"Resume"} <= buttons(visit("runs", run="dead"))
    assert read_json(classroom / "dead" / "status.json")["state"] == "failed"
    assert (classroom / "colours.json").is_file()
