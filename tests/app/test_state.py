"""What a session remembers of the URL and of clicks."""

import sys

import pytest
from streamlit.testing.v1 import AppTest


def page():
    import streamlit as st

    from app import state

    if st.session_state.get("keep"):
        state.keep("a", "b")
    if st.session_state.get("restore"):
        state.restore("a", "b")
    if st.session_state.get("repeat"):
        state.repeat("a", "b")
    if "said" in st.session_state:
        st.session_state["new"] = [click["row"] for click in state.unheard(st.session_state["said"])]


def clicks(*numbers, canvas="one"):
    return {"canvas": canvas, "clicks": [{"row": 10 * number, "number": number} for number in numbers]}


def test_a_gesture_goes_on_from_what_was_kept_whatever_address_it_brings():
    at = AppTest.from_function(page)
    at.query_params["a"] = "1"
    at.session_state["keep"] = True
    at.run()
    del at.query_params["a"]  # the browser has not heard of it yet
    at.query_params["b"] = "2"
    at.session_state["keep"], at.session_state["restore"] = False, True
    at.run()
    assert not at.exception
    assert dict(at.query_params) == {"a": "1"}


def test_what_was_kept_is_said_again_once():
    at = AppTest.from_function(page)
    at.query_params["a"] = "1"
    at.session_state["keep"] = True
    at.run()
    at.query_params.clear()
    at.session_state["keep"], at.session_state["repeat"] = False, True
    at.run()
    assert dict(at.query_params) == {"a": "1"}
    at.query_params["a"] = "2"  # somebody has gone elsewhere since
    at.run()
    assert not at.exception
    assert dict(at.query_params) == {"a": "2"}


def test_every_click_is_heard_once():
    at = AppTest.from_function(page)

    def hear(said):
        at.session_state["said"] = said
        at.run()
        assert not at.exception
        return at.session_state["new"]

    assert hear(clicks(1)) == [10]
    assert hear(clicks(1)) == []  # replayed
    assert hear(clicks(1, 2, 3)) == [20, 30]  # two that came while the page was at work
    assert hear(clicks(2, 3)) == []
    assert hear(clicks(1, canvas="another")) == [10]
    assert hear(clicks(3, 4)) == [40]


@pytest.mark.parametrize(
    "said", [None, 7, "x", {}, {"canvas": "a"}, {"canvas": "a", "clicks": []}, clicks() | {"clicks": [1]}]
)
def test_what_is_no_click_is_none(said):
    at = AppTest.from_function(page)
    at.session_state["said"] = said
    at.run()
    assert not at.exception
    assert at.session_state["new"] == []


def test_the_pages_of_tests_leave_the_process_its_own_main():
    """The tests above ran a page each; a process spawned by a later test would run it, and die of it."""
    assert not hasattr(sys.modules["__main__"], "page")
