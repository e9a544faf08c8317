"""The page Dimensions, run through the frame over a run with a random model. The sliders are tested in a browser."""

import json
import shutil

import numpy as np
import pytest

from app import backend, state
from tests.app.frame import open_page, said


def board(at):
    (mounted,) = at.get("bidi_component")
    return json.loads(mounted.proto.json)


def present(at):
    """The code that the page is about, by dimension, where its slider is shown."""
    return {int(dial["name"][1:]): dial["values"][dial["own"]] for dial in board(at)["dials"]}


def sentence(at):
    drawn = board(at)
    dial = drawn["dials"][0]
    return " ".join(word for word, _ in drawn["sentences"][drawn["rows"][dial["rows"][dial["own"]]][0]])


def words(text):
    return " ".join(text.split())


@pytest.fixture
def model(explored):
    return backend.model("explored")


def test_it_begins_at_a_random_code_with_a_slider_for_each_dimension(model):
    at = open_page("dimensions", run="explored")
    z = backend.prior(model, 1, 0)[0]
    assert present(at) == {dimension: pytest.approx(z[dimension]) for dimension in range(5)}
    assert [dial["name"] for dial in board(at)["dials"]] == [f"z{d}" for d, _ in backend.dimensions_by_kl(model)]
    assert sentence(at) == words(backend.decode(model, z[None])[0])
    assert "Every stop of a slider has been decoded" in said(at)


def test_the_url_says_it_all(model):
    text = "an old dog waits for it ."
    at = open_page(
        "dimensions", run="explored", dims_from="Sentence", dims_text=text, dims="3:1.25,1:-0.5", dims_locked="1"
    )
    assert not at.warning
    z = backend.encode(model, text)[0].copy()
    z[3], z[1] = 1.25, -0.5
    assert present(at) == {dimension: pytest.approx(z[dimension]) for dimension in range(5)}
    assert {dial["name"] for dial in board(at)["dials"] if dial["locked"]} == {"z1"}
    assert sentence(at) == words(backend.decode(model, z[None])[0])
    assert backend.write_code(z) in [code.value for code in at.code]


def test_another_page_may_link_to_a_start_text(model):
    """With nothing else in the address, and a text that is the only thing it says."""
    text = "an old dog waits for it ."
    at = open_page("dimensions", run="explored", dims_from="Sentence", dims_text=text)
    assert not at.warning
    assert at.text_input(key=state.DIMENSIONS_TEXT).value == text
    z = backend.encode(model, text)[0]
    assert present(at) == {dimension: pytest.approx(z[dimension]) for dimension in range(5)}


def test_the_line_for_the_terminal_and_the_neighbours_are_those_of_the_present_code(model):
    at = open_page("dimensions", run="explored", dims_from="Zero", dims="3:1.25")
    start, changes = backend.Start(kind="zero"), {3: 1.25}
    order = [dimension for dimension, _ in backend.dimensions_by_kl(model)]
    strips = backend.strips(model, backend.start_code(model, start), changes, order)
    dial = next(dial for dial in strips.dials if dial.name == "z3")
    assert backend.dimensions_command(model, start, changes, dial) in [code.value for code in at.code]
    rows = backend.neighbours(model, strips.reading.codes[strips.own], 5)
    (listed,) = (element.proto.body for element in at.get("html") if "Nearest sentences" in element.proto.body)
    places = [listed.index(backend.codes(model).texts[row]) for row, _ in rows]
    assert places == sorted(places)


def test_dimensions_may_come_in_the_order_of_a_label(model):
    at = open_page("dimensions", run="explored", dims_by="subject")
    found = backend.association(model, "r2").sort_values("value", ascending=False)
    assert [dial["name"] for dial in board(at)["dials"]] == [f"z{dimension}" for dimension in found["dimension"]]
    assert board(at)["dials"][0]["note"] == f"R² {found['value'].iloc[0]:.2f}"


def test_garbage_in_the_url_is_a_sentence_and_the_page_goes_on(model):
    at = open_page(
        "dimensions",
        run="explored",
        dims="3:1,9:2",
        dims_locked="x",
        dims_from="Map",
        dims_seed="-1",
        dims_by="z",
        dims_figure="u",
    )
    for asked in ("dims: There is no dimension '9'", "dims_locked: There is no dimension 'x'", "dims_from=Map",
                  "dims_seed=-1", "dims_by=z", "dims_figure=u"):  # fmt: skip
        assert asked in said(at)
    assert all("\n" not in warning.value for warning in at.warning)
    assert present(at)[3] == pytest.approx(backend.prior(model, 1, 0)[0][3])


def test_random_values_leave_what_is_locked(model):
    at = open_page("dimensions", run="explored", dims="3:1.25,1:-0.5", dims_locked="1")
    at.button(key="dims_random").click().run()
    seed = at.number_input(key=state.DIMENSIONS_SEED).value
    assert at.query_params[state.DIMENSIONS_CHANGES] == "1:-0.5"
    z = backend.prior(model, 1, seed)[0].copy()
    z[1] = -0.5
    assert present(at) == {dimension: pytest.approx(z[dimension]) for dimension in range(5)}


def test_another_start_leaves_what_is_locked(model):
    at = open_page("dimensions", run="explored", dims="3:1.25,1:-0.5", dims_locked="1")
    at.segmented_control(key=state.DIMENSIONS_KIND).set_value("Zero").run()
    assert present(at) == {0: 0, 1: -0.5, 2: 0, 3: 0, 4: 0}
    at.button(key="dims_back").click().run()
    assert present(at) == dict.fromkeys(range(5), 0)


def test_back_to_the_start_is_back_to_the_last_digit(model):
    at = open_page("dimensions", run="explored", dims_seed="4", dims="3:1.25,1:-0.5", dims_locked="1")
    at.button(key="dims_back").click().run()
    assert present(at) == {d: pytest.approx(v, rel=1e-9) for d, v in enumerate(map(float, map(str, z_of(model, 4))))}
    assert sentence(at) == words(backend.decode(model, z_of(model, 4)[None])[0])


def z_of(model, seed):
    return backend.prior(model, 1, seed)[0]


def test_a_code_is_pasted(model):
    at = open_page("dimensions", run="explored", dims_locked="1")
    z = np.array([0.1, -0.2, 1.75, 0.0, -2.5], np.float32)
    at.text_area(key=state.DIMENSIONS_PASTED).set_value(backend.write_code(z)).run()
    at.button(key="dims_take").click().run()
    assert present(at) == {dimension: pytest.approx(z[dimension]) for dimension in range(5)}
    assert sentence(at) == words(backend.decode(model, z[None])[0])


@pytest.mark.parametrize("text", ["[1, 2]", "z", "[1, 2, 3, 4, NaN]", "{}", "[" * 50_000])
def test_what_is_no_code_is_one_sentence_and_changes_nothing(model, text):
    at = open_page("dimensions", run="explored", dims="3:1.25")
    assert not at.button(key="dims_take").disabled
    at.text_area(key=state.DIMENSIONS_PASTED).set_value(text).run()
    at.button(key="dims_take").click().run()
    (error,) = at.error
    assert "\n" not in error.value
    assert not at.exception
    assert at.query_params[state.DIMENSIONS_CHANGES] == "3:1.25"


def test_an_empty_sentence_is_one_sentence(model):
    at = open_page("dimensions", run="explored", dims_from="Sentence")
    at.text_input(key=state.DIMENSIONS_TEXT).set_value(" ").run()
    (error,) = at.error
    assert error.value.replace("\\", "") == "There is no sentence to encode: type some words."


def test_any_text_is_a_start(model):
    for text in ("🦊" * 5, "שלום עולם", "<img src=x onerror=alert(1)> $x$ **b**", "x" * 2000):
        at = open_page("dimensions", run="explored", dims_from="Sentence", dims_text=text)
        assert not at.error
        assert len(board(at)["dials"]) == 5


def test_the_changes_of_one_run_do_not_go_to_another(explored, make_run):
    other = make_run("other")
    shutil.copytree(explored.model_path, other.model_path)
    at = open_page("dimensions", run="explored", dims="3:1.25")
    at.selectbox(key=state.RUN).set_value("other").run()
    assert not at.exception
    assert state.DIMENSIONS_CHANGES not in at.query_params


def test_all_dimensions_are_shown_on_demand(explored, make_run, make_space):
    wide = make_run("wide")
    make_space(latent_size=12).save_pretrained(wide.model_path)
    at = open_page("dimensions", run="wide")
    assert len(board(at)["dials"]) == 8
    at.toggle(key=state.DIMENSIONS_ALL).set_value(True).run()
    assert len(board(at)["dials"]) == 12
    assert "no labels" in said(at)  # a run without codes


def test_labels_are_shown_by_either_figure(model):
    at = open_page("dimensions", run="explored", dims_figure="MI")
    (chart,) = at.get("plotly_chart")
    drawn = json.loads(chart.proto.spec)["data"][0]
    assert drawn["y"] == ["subject"]
    assert drawn["x"] == [f"z{d}" for d, _ in backend.dimensions_by_kl(model)]
    assert "nats" in drawn["hovertemplate"]


def test_a_collapsed_run_says_so_and_draws_no_noise(explored, make_run, monkeypatch):
    collapsed = make_run("collapsed", "plain-vae")
    shutil.copytree(explored.model_path, collapsed.model_path)
    shutil.copy(explored.latents_path, collapsed.latents_path)
    monkeypatch.setattr("app.backend.models.decode", lambda of, codes, how=None: ["a man ."] * len(codes))
    at = open_page("dimensions", run="collapsed")
    assert "its decoder ignores z" in said(at)
    assert "the sentence stays the same" in said(at)
    assert not at.get("bidi_component")
    assert not at.get("plotly_chart")
    assert "hardly differ" in said(at)


def test_a_defect_that_weaves_sentences_is_named(explored, make_run):
    defect = make_run("defect", "as-released")
    shutil.copytree(explored.model_path, defect.model_path)
    assert "replays a defect" in said(open_page("dimensions", run="defect"))
    assert "replays a defect" not in said(open_page("dimensions", run="explored"))


def test_a_run_without_a_model_is_no_choice(make_run):
    make_run("untrained")
    at = open_page("dimensions")
    assert "There is no trained model yet" in said(at)


def test_a_run_deleted_while_its_page_is_open_is_one_sentence(explored):
    at = open_page("dimensions", run="explored")
    shutil.rmtree(explored.path)
    at.run()
    assert not at.exception
    assert "There is no trained model yet" in said(at)
