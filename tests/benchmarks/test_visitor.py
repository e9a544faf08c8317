"""The visitor without a browser, on a script with everything that it can do."""

import asyncio

import pytest

from benchmarks.interact import served
from benchmarks.visitor import visit

SCRIPT = """
import time
import streamlit as st

with_query = st.query_params.get("wish", "nothing")
st.markdown(f"wished for {with_query}")
st.markdown(f"chosen {st.radio('one', ['a', 'b'])}")
if st.button("fail"):
    raise RuntimeError("it broke")
if st.button("refuse"):
    st.error("not here", icon=":material/error:")
if st.button("again"):
    st.session_state["again"] = True
    st.query_params["wish"] = "more"
    st.rerun()
st.error("a bad verdict", icon=":material/compress:")

@st.fragment(run_every=5)
def part():
    st.session_state["drawn"] = st.session_state.get("drawn", 0) + 1
    st.markdown(f"drawn {st.session_state.drawn}")
    st.markdown(f"stop {st.select_slider('stop', ['1', '2', '3'])}")
    if st.toggle("more"):
        st.markdown(st.text_input("words", "") or "none")

part()
"""


def said(visitor):
    return [each.body for each in visitor.of_kind("markdown")]


def test_a_visitor_does_what_a_page_does_and_knows_what_it_shows(told, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")

    async def walk(address):
        async with visit(address, "", "wish=much") as visitor:
            await visitor.look()
            assert said(visitor) == ["wished for much", "chosen a", "drawn 1", "stop 1"]
            assert list(visitor.intervals.values()) == [5.0]
            await visitor.choose("b")
            assert "chosen b" in said(visitor)
            await visitor.slide("stop", "3")  # of the fragment alone
            assert said(visitor) == ["wished for much", "chosen b", "drawn 3", "stop 3"]
            await visitor.refresh()
            assert said(visitor)[2:] == ["drawn 4", "stop 3"]
            await visitor.switch("more", True)
            await visitor.write("words", "some words")
            assert said(visitor)[-1] == "some words"
            await visitor.switch("more", False)
            assert said(visitor)[-1] == "stop 3"  # what is not drawn again is gone
            with pytest.raises(LookupError, match="no text_input 'words'"):
                await visitor.write("words", "others")
            await visitor.press("again")
            assert visitor.asked("wish") == "more"
            assert said(visitor)[0] == "wished for more"
            assert visitor.problems == []
            await visitor.press("refuse")
            await visitor.press("fail")
            assert [each.split(":")[0] for each in visitor.problems] == ["not here", "RuntimeError"]
            assert visitor.sent == visitor.answered == 10

    with served(script, told) as address:
        asyncio.run(walk(address))
