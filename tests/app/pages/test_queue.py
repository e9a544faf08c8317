"""The queue as Home, Runs and Train show and change it, over synthetic runs of which none is started."""

import os
import shutil

import pytest

from app import backend, state
from tests.app.frame import open_page, press, said
from vae import jobs, recipes


@pytest.fixture
def line(make_run, root):
    """A run in training, which is this process, and three that wait for it."""
    make_run("busy", share=0.4, state="running", pid=os.getpid(), eta_s=130.0)
    for name in ("one", "two", "three"):
        jobs.launch(name, recipes.plain_vae())


def test_home_shows_the_queue_and_changes_it(line):
    at = open_page()
    told = said(at)
    assert "1 in training, 3 waiting" in told
    assert "Waits behind one and two." in told
    assert "**busy**" in told
    assert len(at.get("progress")) == 1  # those that wait have no card
    assert [button.key for button in at.button if button.disabled] == ["queue_up_one", "queue_down_three"]
    press(at, "queue_up_two")
    assert jobs.queue().waiting == ("two", "one", "three")
    press(at, "queue_down_two")
    press(at, "queue_out_one")
    assert jobs.queue().waiting == ("two", "three")
    assert backend.entry("one").state == "stopped"
    at.toggle(key=state.QUEUE_PAUSED).set_value(True).run()
    at.number_input(key=state.QUEUE_AT_ONCE).set_value(2).run()
    assert (jobs.queue().at_once, jobs.queue().paused) == (2, True)
    assert "The queue is paused." in said(at)
    jobs.set_queue(at_once=1)  # in another window
    at.run()
    assert at.number_input(key=state.QUEUE_AT_ONCE).value == 1


def test_what_cannot_be_done_to_the_queue_is_said(line, root):
    at = open_page()
    shutil.rmtree(root / "two")  # meanwhile, elsewhere
    press(at, "queue_out_two")
    assert any("There is no run at" in toast.value for toast in at.toast)


def test_a_waiting_run_can_be_taken_out_and_put_back(line):
    at = open_page("runs", run="two")
    assert "Place 2 in the queue. Waits behind one." in said(at)
    assert "Delete for good" in [button.label for button in at.button]
    press(at, "Take out of the queue")
    assert any("two no longer waits" in toast.value for toast in at.toast)
    press(at, "Resume")
    assert any("two waits for its turn" in toast.value for toast in at.toast)
    assert jobs.queue().waiting == ("one", "three", "two")
    assert not at.exception


def test_the_button_says_that_a_new_run_will_wait(line, root):
    at = open_page("train")
    at.text_input(key=state.TRAIN_NAME).set_value("fourth")
    at.run()
    press(at, "Add to the queue (4 before it)")
    assert any("fourth has place 4 in the queue" in toast.value for toast in at.toast)
    assert jobs.queue().waiting == ("one", "two", "three", "fourth")
