"""Home, run through the frame over synthetic runs."""

import os

from tests.app.frame import assert_light, open_page, press, said
from vae import recipes
from vae.runs import Run, Status


def test_the_first_page_paints_without_what_is_heavy(make_run, root):
    make_run("captions-two-phase", bundled=True)
    assert_light("home", "at.title")


def test_home_says_what_to_do_when_there_are_no_runs(root):
    at = open_page()
    assert "There are no runs yet" in said(at)
    assert len(at.get("page_link")) == 3


def test_home_shows_every_run_with_its_state_and_verdict(make_run, root):
    make_run("good")
    make_run("bad", "plain-vae")
    make_run("going", share=0.2, state="running", pid=os.getpid(), eta_s=130.0)
    (root / "broken").mkdir()
    (root / "broken" / "config.json").write_text("[]", encoding="utf-8")
    (root / "broken" / "status.json").write_text("{}", encoding="utf-8")
    told = said(open_page())
    for expected in ("good", "Healthy:", "Collapsed:", "finished", "training", "cannot be read", "is damaged"):
        assert expected in told
    assert "Traceback" not in told


def test_of_very_many_runs_home_shows_some_and_those_in_training(make_run, root):
    make_run("busy", share=0.1, state="running", pid=os.getpid())
    for number in range(60):
        Run.create(root / f"run-{number}", recipes.plain_vae()).write_status(Status(state="stopped"))
    at = open_page()
    assert len([link for link in at.get("page_link") if link.proto.label == "Curves"]) == 25
    assert "**busy**" in said(at)
    press(at, "Show 24 more")
    assert len([link for link in at.get("page_link") if link.proto.label == "Curves"]) == 49
