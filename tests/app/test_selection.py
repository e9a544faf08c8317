"""What is said about circled sentences. Circling itself is tested in a browser."""

import contextlib
import io

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import backend, state
from app.components import selection


def page():
    import streamlit as st

    from app import backend, state
    from app.components import selection

    model = backend.model("explored")
    codes = backend.codes(model)
    if rows := st.session_state.get("rows"):
        selection.about(model, codes, rows)
    selection.groups(model, codes)
    if state.MAP_GROUPS in st.session_state:
        selection.near(model, codes, 0)


def show(**session):
    at = AppTest.from_function(page, default_timeout=60)
    for key, value in session.items():
        at.session_state[key] = value
    return at.run()


def words(at):
    return "\n".join(str(element.value) for kind in ("markdown", "caption") for element in at.get(kind)).replace(
        "\\", ""
    )


def html(at):
    return "\n".join(element.proto.body for element in at.get("html"))


@pytest.fixture
def men(explored, sentences):
    return [row for row, text in enumerate(sentences) if text.startswith("a man")]


def test_circled_sentences_say_what_they_share_and_where_their_middle_is(explored, men):
    at = show(rows=men)
    assert not at.exception
    table = at.dataframe[0].value
    assert table.iloc[0].tolist()[:3] == ["subject", "a man", 100.0]
    model = backend.model("explored")
    middle = backend.codes(model).means[men].mean(0)
    assert backend.decode(model, middle[None])[0][:40] in html(at)
    assert f"The mean of their {len(men)} codes" in words(at)


def test_sentences_with_nothing_in_common(explored, sentences):
    at = show(rows=list(range(len(sentences))))
    assert not at.dataframe
    assert "commoner among them than chance explains" in words(at)


def test_two_groups_are_kept_compared_and_forgotten(explored, men, sentences):
    at = show(rows=men)
    at.button(key="map_group_1").click().run()
    assert "circle others and keep them" in words(at)
    at.session_state["rows"] = [row for row, text in enumerate(sentences) if text.startswith("nobody")]
    at.run()
    at.button(key="map_group_2").click().run()
    assert not at.exception
    shown = at.dataframe[1].value
    assert shown["strength"].tolist() == list(selection.STRENGTHS)
    model = backend.model("explored")
    codes = backend.codes(model)
    way = codes.means[at.session_state["rows"]].mean(0) - codes.means[men].mean(0)
    start = backend.encode(model, codes.texts[men[0]])[0]
    expected = [backend.decode(model, (start + s * way)[None].astype(np.float32))[0] for s in selection.STRENGTHS]
    assert shown["sentence"].tolist() == expected
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(at.code[0].value, {})
    assert [line.split("  ", 1)[1] for line in printed.getvalue().splitlines()] == expected
    at.text_input(key=state.MAP_ADDED_TO).set_value("  ").run()
    assert "Type a sentence" in words(at)
    at.button(key="map_groups_forget").click().run()
    assert "Two groups" not in words(at)


def test_groups_belong_to_their_run(explored, men):
    at = show(**{state.MAP_GROUPS: {"1": {"run": "another", "rows": men}}})
    assert "Two groups" not in words(at)


def test_the_nearest_sentences_leave_out_the_sentence_itself(explored, sentences):
    at = show(**{state.MAP_GROUPS: {"1": {"run": "another", "rows": [0]}}})
    table = at.dataframe[0].value
    assert len(table) == selection.NEAR
    assert sentences[0] not in table["sentence"].tolist()
    assert table["distance"].is_monotonic_increasing
    means = backend.codes(backend.model("explored")).means
    far = np.linalg.norm(means - means[0], axis=1)
    assert table["distance"].iloc[0] == pytest.approx(np.sort(far)[1], abs=1e-4)
