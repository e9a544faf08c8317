"""The page Arithmetic, run through the frame over a run with a random model. The slider is tested in a browser."""

import json
import shutil

import pytest

from app import backend, state
from app.backend import Group
from tests.app.frame import open_page, said

A, B, C = "two women is riding a bus .", "a man is riding a bus .", "an old dog waits for it ."
BY_EXAMPLES = {"run": "explored", "arithmetic": "From examples"}


def board(at):
    (mounted,) = at.get("bidi_component")
    return json.loads(mounted.proto.json)


def table(at):
    return at.dataframe[0].value


@pytest.fixture
def model(explored):
    return backend.model("explored")


def test_three_sentences_in_the_url_give_a_strip(model):
    at = open_page(
        "arithmetic", run="explored", arithmetic_a=A, arithmetic_b=B, arithmetic_c=C, arithmetic_strength="1.5"
    )
    assert not at.warning
    along = backend.strengths(0, 2, 0.1)
    expected = backend.analogy(model, A, B, C, along, 1.5)
    assert table(at)["strength"].tolist() == along
    assert table(at)["sentence"].tolist() == expected.reading.texts
    (dial,) = board(at)["dials"]
    assert dial["values"][dial["own"]] == 1.5
    assert dial["values"][dial["base"]] == 0
    assert dial["locked"] is None
    assert backend.analogy_python(model, A, B, C, along) in [code.value for code in at.code]


def test_it_begins_at_a_strength_of_one(model):
    for mode in ("A − B + C", "From examples"):
        (dial,) = board(open_page("arithmetic", run="explored", arithmetic=mode))["dials"]
        assert dial["values"][dial["own"]] == 1


def test_an_example_fills_in_a_and_b_and_leaves_c(model):
    at = open_page("arithmetic", run="explored", arithmetic_c=C, arithmetic_strength="0.2")
    at.button(key="arithmetic_try_at night").click().run()
    texts = [at.text_input(key=key).value for key in state.ARITHMETIC_ABC]
    assert texts[0].replace(" at night", "") == texts[1]
    assert texts[2] == C
    assert state.ARITHMETIC_STRENGTH not in at.query_params


def test_two_values_of_a_label_give_a_direction_and_five_witnesses(model):
    at = open_page(
"arithmetic",
        **BY_EXAMPLES, arithmetic_from="an old", arithmetic_to="a man", arithmetic_text=C, arithmetic_seed="3",
        arithmetic_strength="-2",
    )  # fmt: skip
    assert not at.warning
    groups = Group(label="subject", value="an old"), Group(label="subject", value="a man")
    along = backend.strengths(-3, 3, 0.25)
    expected = backend.steered(model, *groups, C, backend.witnesses(model, 3), along, -2)
    texts = expected.reading.texts
    assert table(at)["sentence"].tolist() == [texts[row] for row in expected.dials[0].rows]
    assert table(at)["sentence 5"].tolist() == [texts[row] for row in expected.followers[4]]
    assert len(board(at)["followers"]) == 5
    assert "From the mean of 20 codes to that of 20" in said(at)
    assert board(at)["dials"][0]["shown"][board(at)["dials"][0]["own"]] == "−2.00"
    assert backend.steered_python(model, *groups, C, along) in [code.value for code in at.code]


def test_typed_groups_are_lists(model):
    at = open_page("arithmetic", **BY_EXAMPLES, arithmetic_groups="Typed", arithmetic_text=C)
    for key, text in zip(state.ARITHMETIC_LISTS, (f"{A}\n\n{B}", C), strict=True):
        at.text_area(key=key).set_value(text)
    at.run()
    expected = backend.steered(
        model, Group(texts=(A, B)), Group(texts=(C,)), C, backend.witnesses(model, 0), backend.strengths(-3, 3, 0.25), 1
    )
    assert table(at)["sentence"].tolist() == [expected.reading.texts[row] for row in expected.dials[0].rows]
    assert "From the mean of 2 codes to that of 1" in said(at)
    assert [at.query_params[key] for key in state.ARITHMETIC_LISTS] == [f"{A}\n\n{B}", C]


def typed(at):
    return [at.text_area(key=key).value for key in state.ARITHMETIC_LISTS]


def test_typed_groups_come_with_a_link_and_go_where_they_are_changed(model):
    less, more = state.ARITHMETIC_LISTS
    at = open_page("arithmetic", **BY_EXAMPLES, arithmetic_groups="Typed", **{less: f"{A}\n{B}", more: C})
    assert typed(at) == [f"{A}\n{B}", C]
    assert "From the mean of 2 codes to that of 1" in said(at)
    at.text_area(key=less).set_value(C).run()
    assert typed(at) == [C, C]
    assert at.query_params[less] == C
    at.query_params[less] = A  # another link, in the same session
    at.run()
    assert typed(at) == [A, C]


def test_the_usual_groups_and_long_ones_are_not_in_the_address(model):
    less, more = state.ARITHMETIC_LISTS
    at = open_page("arithmetic", **BY_EXAMPLES, arithmetic_groups="Typed")
    assert less not in at.query_params
    assert "not in the address" not in said(at)
    at.text_area(key=more).set_value("a man is riding a bus .\n" * 100).run()
    assert more not in at.query_params
    assert "A list of more than 2,000 characters is not in the address" in said(at)
    at.run()
    assert typed(at)[1] == "a man is riding a bus .\n" * 100
    at.text_area(key=more).set_value(C).run()
    assert at.query_params[more] == C


def test_any_text_in_the_address_is_a_list(model):
    for text in ("x\n" * 500, "<img src=x onerror=alert(1)> **b**", "שלום עולם", "\n"):
        at = open_page("arithmetic", **BY_EXAMPLES, arithmetic_groups="Typed", **{state.ARITHMETIC_LISTS[0]: text})
        assert all("\n" not in error.value for error in at.error)
        assert bool(at.error) == (text in ("x\n" * 500, "\n"))


def test_the_line_for_the_terminal_is_there_to_be_copied(model):
    along = backend.strengths(0, 2, 0.1)
    at = open_page("arithmetic", run="explored", arithmetic_a=A, arithmetic_b=B, arithmetic_c=C)
    assert backend.analogy_command(model, A, B, C, along) in [code.value for code in at.code]
    at = open_page("arithmetic", **BY_EXAMPLES, arithmetic_from="an old", arithmetic_to="a man", arithmetic_text=C)
    groups = Group(label="subject", value="an old"), Group(label="subject", value="a man")
    expected = backend.steered_command(model, *groups, C, backend.strengths(-3, 3, 0.25))
    assert expected in [code.value for code in at.code]
    long = "\n".join(["a man is riding a bus in the park ."] * 190)
    at = open_page(
        "arithmetic", **BY_EXAMPLES, arithmetic_groups="Typed", **dict.fromkeys(state.ARITHMETIC_LISTS, long)
    )
    assert "too long for one line" in said(at)


def test_the_sentences_next_to_the_result_are_named(model):
    at = open_page(
        "arithmetic", run="explored", arithmetic_a=A, arithmetic_b=B, arithmetic_c=C, arithmetic_strength="1.5"
    )
    expected = backend.analogy(model, A, B, C, backend.strengths(0, 2, 0.1), 1.5)
    rows = backend.neighbours(model, expected.reading.codes[expected.own], 5)
    (listed,) = (element.proto.body for element in at.get("html") if "Nearest sentences" in element.proto.body)
    places = [listed.index(backend.codes(model).texts[row]) for row, _ in rows]
    assert places == sorted(places)


def test_a_direction_between_the_same_groups_leads_nowhere(model):
    at = open_page("arithmetic", **BY_EXAMPLES, arithmetic_from="an old", arithmetic_to="an old")
    assert "leads nowhere" in said(at)
    assert "the same at every strength" in said(at)


def test_another_label_forgets_the_values_of_the_one_before(explored, make_space, sentences):
    import pandas as pd

    from vae import latents

    labels = {"first": ["a", "b"] * 60, "second": ["x", "y", "y"] * 40, "constant": ["c"] * 120}
    latents.write_latents(explored, make_space(), pd.DataFrame({"text": sentences} | labels))
    at = open_page("arithmetic", **BY_EXAMPLES, arithmetic_from="b", arithmetic_to="a")
    assert at.selectbox(key=state.ARITHMETIC_LABEL).options == ["first", "second"]
    at.selectbox(key=state.ARITHMETIC_LABEL).set_value("second").run()
    assert not at.exception
    assert not at.warning
    assert [at.selectbox(key=key).value for key in state.ARITHMETIC_VALUES] == ["y", "x"]


def test_garbage_in_the_url_is_a_sentence_and_the_page_goes_on(model):
    at = open_page(
        "arithmetic",
        **BY_EXAMPLES,
        arithmetic_groups="z",
        arithmetic_from="cows",
        arithmetic_seed="x",
        arithmetic_strength="nan",
    )
    for asked in ("arithmetic_groups=z", "arithmetic_from=cows", "arithmetic_seed=x", "arithmetic_strength=nan"):
        assert asked in said(at)
    assert all("\n" not in warning.value for warning in at.warning)
    assert len(table(at)) == 25
    assert "arithmetic=z" in said(open_page("arithmetic", run="explored", arithmetic="z"))


def test_what_is_empty_is_one_sentence(model):
    at = open_page("arithmetic", run="explored")
    at.text_input(key=state.ARITHMETIC_ABC[1]).set_value("  ").run()
    (error,) = at.error
    assert error.value.replace("\\", "") == "B is an empty sentence: type some words."
    at = open_page("arithmetic", **BY_EXAMPLES, arithmetic_groups="Typed")
    at.text_area(key=state.ARITHMETIC_LISTS[0]).set_value("\n").run()
    (error,) = at.error
    assert "A list of examples is empty" in error.value


def test_any_text_can_be_calculated_with(model):
    for text in ("🦊" * 5, "שלום עולם", "<img src=x onerror=alert(1)> $x$ **b**", "x" * 2000):
        at = open_page("arithmetic", run="explored", arithmetic_a=text)
        assert not at.error
        assert len(table(at)) == 21


def test_a_model_without_a_map_has_typed_groups_and_no_witnesses(explored):
    explored.latents_path.unlink()
    at = open_page("arithmetic", **BY_EXAMPLES)
    assert len(at.text_area) == 2
    assert board(at)["followers"] == []
    assert not [box for box in at.number_input if box.key == state.ARITHMETIC_SEED]


def test_a_deaf_decoder_is_named(explored, make_run, monkeypatch):
    collapsed = make_run("collapsed", "plain-vae")
    shutil.copytree(explored.model_path, collapsed.model_path)
    monkeypatch.setattr("app.backend.models.decode", lambda of, codes, how=None: ["a man ."] * len(codes))
    at = open_page("arithmetic", run="collapsed")
    assert "its decoder ignores z" in said(at)
    assert "the same at every strength" in said(at)


def test_there_is_a_way_on_when_there_is_no_run(root):
    at = open_page("arithmetic")
    assert "There is no trained model yet" in said(at)
    assert at.get("page_link")
