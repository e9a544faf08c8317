import shutil
import sys
import time

import pytest

from app import backend, palette
from app.backend import listing
from vae import jobs, recipes
from vae.config import read_json
from vae.runs import LESSON, Run, append_line, write_json


def test_every_run_is_listed_newest_first_also_a_damaged_one(make_run, root):
    make_run("old", "plain-vae", bundled=True)
    make_run("new", share=0.1, state="stopped")
    (root / "broken").mkdir()
    (root / "broken" / "config.json").write_text("{", encoding="utf-8")
    (root / "broken" / "status.json").write_text("{}", encoding="utf-8")
    (root / "no run").mkdir()
    entries = {entry.name: entry for entry in backend.entries()}
    assert list(entries) == ["broken", "new", "old"]
    assert entries["broken"].state == "damaged"
    assert "damaged" in entries["broken"].problem
    assert (entries["old"].recipe, entries["old"].latent_size, entries["old"].bundled) == ("plain-vae", 32, True)
    assert not entries["new"].has_model


def test_no_damage_to_one_run_hides_another(make_run):
    make_run("good")
    deep = "[" * 100_000 + "\n"
    (make_run("config").path / "config.json").write_text(deep, encoding="utf-8")
    status = {"state": "running", "pid": 2**22 + 12345, "heartbeat": 1e20}
    write_json(make_run("undying").path / "status.json", status)
    with make_run("line").metrics_path.open("a", encoding="utf-8") as file:
        file.write(deep)
    for name, figure in (("text", "1.5"), ("list", [1.5]), ("huge", 10**400)):
        event = {"split": "valid", "phase": 2, "step": 9999, "epoch": 9.0, "mi_nats": 1.0, "delta_nll_nats": 2.0}
        append_line(make_run(name).metrics_path, event | {"kl_nats": figure})
    entries = {entry.name: entry for entry in backend.entries()}
    assert len(entries) == 7
    assert {name for name, entry in entries.items() if entry.state == "damaged"} == {"config", "undying"}
    assert "config.json is damaged" in entries["config"].problem
    assert "heartbeat" in entries["undying"].problem
    table = backend.table().set_index("run")
    assert table["kl_nats"].dtype == float
    assert table.loc[["text", "list", "huge"], "kl_nats"].isna().all()
    assert (table.loc[["text", "list", "huge"], "verdict"] == "unknown").all()
    for name in ("line", "text", "list", "huge"):
        assert backend.course(name).steps
        assert not isinstance(backend.figures(name).get("kl_nats"), str | list)


def test_bundled_runs_come_last_in_the_order_of_their_recipes(make_run):
    for name, recipe in (("b", "language-model"), ("c", "two-phase"), ("a", "plain-vae")):
        make_run(name, recipe, bundled=True)
    make_run("mine")
    assert [entry.name for entry in backend.entries()] == ["mine", "c", "a", "b"]


def test_a_run_of_a_lesson_is_listed_where_it_is_asked_for_and_takes_no_colour_from_others(make_run, root):
    make_run("mine")
    shown = make_run("shown", bundled=True)
    colour = backend.colours()["mine"]
    write_json(shown.path / "env.json", shown.env | {"role": LESSON})
    assert [entry.name for entry in backend.entries()] == ["mine"]
    assert [entry.name for entry in backend.entries(lessons=True)] == ["mine", "shown"]
    assert backend.table()["run"].tolist() == ["mine"]
    assert backend.entry("shown").lesson
    assert backend.colours() == {"mine": colour}
    assert backend.colours(["shown"])["shown"] != colour
    assert [entry.name for entry in backend.entries(named=["shown", "gone"])] == ["mine", "shown"]
    (root / "colours.json").unlink()
    assert set(backend.colours(["shown"])) == {"mine", "shown"}
    assert list(read_json(root / "colours.json")) == ["mine"]


def test_a_folder_whose_name_no_url_can_carry_is_listed_with_its_problem(make_run, root):
    make_run("fine").path.rename(root / "not fine")
    (entry,) = backend.entries()
    assert "cannot name a run" in entry.problem


def test_a_run_that_died_without_notice_says_so(make_run):
    make_run("dead", state="running", share=0.3, pid=2**22 + 12345)
    entry = backend.entry("dead")
    assert entry.state == "failed"
    assert "without notice" in entry.status.message


def test_a_run_keeps_its_colour(make_run, root):
    make_run("a")
    make_run("b")
    before = backend.colours()
    make_run("c")
    backend.rename("b", "z")
    shutil.rmtree(root / "a")
    after = backend.colours()
    assert after["z"] == before["b"]
    assert after["c"] != after["z"]
    assert set(after) == {"c", "z"}
    (root / "colours.json").write_text("{broken", encoding="utf-8")
    assert set(backend.colours().values()) <= set(palette.PALETTE)


def test_a_run_that_has_ended_is_read_again_only_when_it_changed(make_run, monkeypatch):
    run = make_run("one", share=0.2, state="stopped")
    before, row = backend.entries(), backend.table().iloc[0].to_dict()
    assert row["kl_nats"] > 0
    with monkeypatch.context() as patch:
        patch.setattr(listing, "_read_entry", lambda run: pytest.fail("read again"))
        patch.setattr(listing, "_newest", lambda run: pytest.fail("read again"))
        assert backend.entries() == before
        assert backend.table().iloc[0].to_dict() == row
    run.update_status(message="something else")
    assert backend.entry("one").status.message == "something else"
    (run.path / "model").mkdir()
    (run.path / "model" / "config.json").touch()
    assert backend.entry("one").has_model
    with run.metrics_path.open("a", encoding="utf-8") as file:
        file.write('{"split": "valid", "phase": 2, "step": 9999, "kl_nats": 1.0, "delta_nll_nats": 2.0}\n')
    assert backend.table().iloc[0]["step"] == 9999
    (run.path / "config.json").write_text("{", encoding="utf-8")
    assert backend.entry("one").state == "damaged"
    shutil.rmtree(run.path)
    assert backend.entries() == []


WAIT = (
    "import sys, time; from vae import jobs; from vae.runs import Run; run = Run(sys.argv[1]); jobs.claim(run)\n"
    "run.update_status(state='running'); time.sleep(60)"
)


def until(run, state):
    deadline = time.monotonic() + 20
    while run.status.state != state:
        assert time.monotonic() < deadline, run.status
        time.sleep(0.02)


def test_a_training_process_that_dies_does_not_stall_the_queue_while_the_app_is_up(root, monkeypatch):
    """Nobody looks at a page after the first time."""
    monkeypatch.setattr(listing, "EVERY", 0.05)
    monkeypatch.setattr(jobs, "_command", lambda run: [sys.executable, "-c", WAIT, str(run.path)])
    before = set(jobs._children)
    assert backend.entries() == []
    try:
        first, second = jobs.launch("first", recipes.plain_vae()), jobs.launch("second", recipes.plain_vae())
        until(first, "running")
        assert [(entry.name, entry.place) for entry in backend.entries()] == [("second", 1), ("first", None)]
        jobs._children[first.status.pid].kill()
        until(second, "running")
        assert first.status.state == "failed"
    finally:
        for pid in set(jobs._children) - before:
            child = jobs._children.pop(pid)
            child.kill()
            child.wait()


def test_a_queue_that_is_damaged_is_said_by_those_that_wait(root):
    jobs.set_queue(paused=True)
    jobs.launch("one", recipes.plain_vae())
    assert backend.entry("one").place == 1
    (root / "queue.json").write_text("{", encoding="utf-8")
    assert "queue.json is damaged" in backend.entry("one").problem
    assert Run(root / "one").status.state == "queued"


def test_the_bundled_healthy_run_is_what_a_bare_link_opens_whatever_a_class_has_trained(make_run):
    make_run("mine")
    make_run("half", state="stopped", share=0.6)
    names = ["half", "mine"]
    assert backend.showcase(names) == "mine"  # finished before stopped
    assert backend.showcase(["half"]) == "half"
    make_run("shipped-flat", "plain-vae", bundled=True)
    assert backend.showcase([*names, "shipped-flat"]) == "mine"
    make_run("shipped", bundled=True)
    make_run("newest")
    assert backend.showcase(["newest", *names, "shipped-flat", "shipped"]) == "shipped"
    assert backend.showcase(["newest", *names]) in ("newest", "mine")  # of those that a page can show
    assert backend.showcase(["shipped-flat", "~opened", "gone"]) is None
