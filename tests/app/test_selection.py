"""What is said about circled sentences. Circling itself is tested in a browser."""

import contextlib
import io

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import backend, state
from app.components import selection
from app.components.address import read_rows, write_rows


def page():
    import streamlit as st

    from app import backend
    from app.components import selection

    model = backend.model("explored")
    codes = backend.codes(model)
    if rows := st.session_state.get("rows"):
        selection.about(model, codes, rows)
    selection.groups(model, codes)
    if st.session_state.get("near"):
        selection.near(model, codes, codes.means[0], 0)
    if (code := st.session_state.get("code")) is not None:
        selection.near(model, codes, code)


def show(query=None, **session):
    at = AppTest.from_function(page, default_timeout=60)
    for key, value in (query or {}).items():
        at.query_params[key] = value
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
    assert not [table for table in at.dataframe if "label" in table.value]
    assert "commoner among them than chance explains" in words(at)


def test_two_groups_are_kept_compared_and_forgotten(explored, men, sentences):
    at = show(rows=men)
    at.button(key="map_group_1").click().run()
    assert "circle others and keep them" in words(at)
    at.session_state["rows"] = [row for row, text in enumerate(sentences) if text.startswith("nobody")]
    at.run()
    at.button(key="map_group_2").click().run()
    assert not at.exception
    shown = at.dataframe[-1].value
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


def test_a_link_opens_the_same_groups_and_the_same_comparison(explored, men, sentences):
    at = show(rows=men)
    at.button(key="map_group_1").click().run()
    at.session_state["rows"] = [row for row, text in enumerate(sentences) if text.startswith("nobody")]
    at.run()
    at.button(key="map_group_2").click().run()
    at.text_input(key=state.MAP_ADDED_TO).set_value(sentences[5]).run()
    query = {key: at.query_params[key] for key in state.MAP_GROUPS} | {state.MAP_ADDED_TO: sentences[5]}
    assert read_rows(query["map_1"], sentences) == men
    other = show(query)
    assert not other.exception
    assert other.dataframe[-1].value.equals(at.dataframe[-1].value)
    assert [text for text in words(other).split("\n") if "sentences, such as" in text] == [
        text for text in words(at).split("\n") if "sentences, such as" in text
    ]
    other.button(key="map_groups_forget").click().run()
    assert not {*state.MAP_GROUPS} & {*other.query_params}
    assert "Two groups" not in words(other)


def test_a_group_too_long_for_the_address_stays_in_the_session_and_that_is_said(explored, men, monkeypatch):
    monkeypatch.setattr(selection, "LONGEST", 5)
    at = show(rows=men)
    at.button(key="map_group_1").click().run()
    assert "map_1" not in at.query_params
    assert f"{len(men)} sentences, such as" in words(at)
    assert "Group 1 has too many sentences for the address" in words(at)
    monkeypatch.setattr(selection, "LONGEST", 2000)
    at.button(key="map_group_1").click().run()
    assert "map_1" in at.query_params
    assert "too many" not in words(at)


def test_groups_belong_to_their_sentences(explored, men, sentences):
    written = write_rows(men, ["another sentence"] * len(sentences))
    assert "Two groups" not in words(show({"map_1": written}))
    assert "Two groups" not in words(show(**{state.MAP_KEPT: {"map_1": written}}))
    assert "Two groups" in words(show(**{state.MAP_KEPT: {"map_1": write_rows(men, sentences)}}))


def test_the_nearest_sentences_leave_out_the_sentence_itself(explored, sentences):
    table = show(near=True).dataframe[0].value
    assert len(table) == selection.NEAR
    assert sentences[0] not in table["sentence"].tolist()
    assert table["distance"].is_monotonic_increasing
    means = backend.codes(backend.model("explored")).means
    far = np.linalg.norm(means - means[0], axis=1)
    assert table["distance"].iloc[0] == pytest.approx(np.sort(far)[1], abs=1e-4)


def test_the_nearest_sentences_of_a_mean_are_the_nearest_of_all(explored, men, sentences):
    means = backend.codes(backend.model("explored")).means
    middle = means[men].mean(0)
    order = np.argsort(np.linalg.norm(means - middle, axis=1))[: selection.NEAR]
    expected = [sentences[row] for row in order]
    assert show(code=middle).dataframe[0].value["sentence"].tolist() == expected
    assert show(rows=men).dataframe[1].value["sentence"].tolist() == expected
