"""A reader who moves on does not wait for what was asked before, and the model is not kept busy with it."""

import time

import pytest

SCRIPT = """
import pathlib, time
import streamlit as st
from app.backend import models

BATCHES = pathlib.Path(__file__).with_name("batches.txt")

def slow(rows):
    time.sleep(0.5)
    with BATCHES.open("a", encoding="utf-8") as log:
        log.write(f"{rows[0]}\\n")
    return rows

def draw():
    number = st.number_input("number", value=FIRST)
    said = models._ask([number] * (100 if number == 0 else 1), slow, kind="slow", most=1)
    st.markdown(f"The answer is {said[-1]}")

"""
"""A page whose answer to 0 takes 50 seconds, in 100 batches, and every other one half a second."""
WHOLE = SCRIPT.replace("FIRST", "0") + "draw()\n"
PART = SCRIPT.replace("FIRST", "-1") + "st.fragment(draw)()\n"


@pytest.fixture
def script():
    return WHOLE


@pytest.fixture
def frame(tmp_path, script):
    path = tmp_path / "slow_page.py"
    path.write_text(script, encoding="utf-8")
    return path


def batches(frame):
    log = frame.with_name("batches.txt")
    return log.read_text(encoding="utf-8").split() if log.exists() else []


def after_a_batch(frame):
    count = len(batches(frame))
    deadline = time.monotonic() + 60
    while len(batches(frame)) == count and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(batches(frame))


def test_a_newer_gesture_ends_the_older_request(page, address, frame):
    page.goto(address)
    begun = after_a_batch(frame)
    page.get_by_role("button", name="Increment").click()
    page.get_by_text("The answer is 1").wait_for()
    assert "1" in batches(frame)
    assert len(batches(frame)) <= begun + 4  # of 100: what ran while the click was on its way, and one of the new
    count = len(batches(frame))
    time.sleep(1.5)
    assert len(batches(frame)) == count  # and nobody goes on with the rest


@pytest.mark.parametrize("script", [PART])
def test_a_newer_gesture_in_a_fragment_ends_the_older_one(page, address, frame, script):
    page.goto(address)
    page.get_by_text("The answer is -1").wait_for()
    page.get_by_role("button", name="Increment").click()  # to 0, the slow one
    begun = after_a_batch(frame)
    page.get_by_role("button", name="Increment").click()
    page.get_by_text("The answer is 1").wait_for()
    assert batches(frame)[-1] == "1"
    assert len(batches(frame)) <= begun + 4


def test_nothing_goes_on_for_a_tab_that_is_closed(page, address, frame):
    page.goto(address)
    after_a_batch(frame)
    page.close()
    time.sleep(1.5)
    count = len(batches(frame))
    assert count < 20
    time.sleep(1.5)
    assert len(batches(frame)) == count
