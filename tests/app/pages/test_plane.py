"""The page Plane, run through the frame over a run with a random model. The plane itself is tested in a browser."""

import json
import shutil

import numpy as np
import pytest

from app import backend, state
from app.backend import Cut
from app.components.plane_view import AT_FIRST
from tests.app.frame import open_page, said


def open_plane(**query):
    return open_page("plane", **({state.PLANE_CELLS: "20"} | query))


def drawing(at):
    return json.loads(at.get("bidi_component")[0].proto.json)


def test_it_begins_with_the_principal_plane_read_everywhere(explored):
    at = open_plane(run="explored")
    model = backend.model("explored")
    surface = backend.plane(model, Cut())
    field = backend.plane_field(model, surface, backend.plane_whole(model, surface, n=20))
    shown = drawing(at)
    assert [shown["texts"][shown["regions"][region]["text"]] for region in shown["cells"]] == [
        field.texts[cell] for cell in field.cells.ravel()
    ]
    assert shown["whole"]
    assert shown["pins"] == []
    assert "to pin A there" in said(at)
    assert "400 codes" in said(at)


def test_the_url_says_it_all(explored):
    at = open_plane(
        run="explored", plane_kind="Two dimensions", plane_i="3", plane_j="1", plane_through="the boy is riding it .",
        plane_a="0.25,-1.5", plane_b="1.125,0.5", plane_window="0.5,-0.25,2", plane_shown="prior", plane_t="1",
    )  # fmt: skip
    assert not at.warning
    model = backend.model("explored")
    surface = backend.plane(model, Cut(kind="dimensions", pair=(3, 1), texts=("the boy is riding it .",)))
    pins = backend.plane_pins(model, surface, [(0.25, -1.5), (1.125, 0.5)])
    shown = drawing(at)
    assert shown["window"] == {"x": 0.5, "y": -0.25, "cell": 0.1, "n": 20}
    assert (shown["shown"], shown["whole"]) == (["prior"], False)
    assert [(pin["name"], pin["x"], pin["y"]) for pin in shown["pins"]] == [("A", 0.25, -1.5), ("B", 1.125, 0.5)]
    assert shown["path"]["position"] == 10
    strip = json.loads(at.get("bidi_component")[1].proto.json)
    assert strip["id"] == shown["path"]["id"]
    cards = said(at)
    for pin in pins:
        assert backend.plane_walk(model, *pins).texts[0 if pin is pins[0] else -1] == pin.text
        assert (
            pin.text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("'", "&#x27;") in cards
        )
        copied = next(code.value for code in at.code if code.value.startswith("[") and close(code.value, pin.code))
        assert len(json.loads(copied)) == 5


def close(text, code):
    return np.allclose(json.loads(text), code, atol=1e-5)


def test_the_python_is_there_to_be_copied(explored):
    at = open_plane(run="explored", plane_kind="Three samples", plane_seed="9")
    assert any("space.sample_prior(3, seed=9)" in code.value for code in at.code)


@pytest.mark.parametrize("kind", ["Three sentences", "Three samples"])
def test_what_spans_the_plane_is_marked(explored, kind):
    at = open_plane(run="explored", plane_kind=kind)
    one, two, three = drawing(at)["marks"]
    assert [mark["name"] for mark in (one, two, three)] == ["1", "2", "3"]
    assert (one["x"], one["y"]) == pytest.approx((0, 0), abs=1e-5)
    assert two["y"] == pytest.approx(0, abs=1e-5)
    assert three["y"] > 0


def test_garbage_in_the_url_is_one_sentence(explored):
    at = open_plane(
        run="explored", plane_kind="zzz", plane_cells="7", plane_a="1", plane_b="nan,1", plane_c="1e9,0",
        plane_window="1,2", plane_shown="prior,<script>", plane_t="later",
    )  # fmt: skip
    (warning,) = at.warning
    assert warning.value.count("plane") == 8
    assert "\n" not in warning.value
    assert drawing(at)["pins"] == []
    assert drawing(at)["shown"] == list(AT_FIRST)


@pytest.mark.parametrize("window", ["0,0,-1", "0,0,0", "1,1,1e-12", "999,-999,1000"])
def test_any_window_is_one_that_can_be_decoded(explored, window):
    shown = drawing(open_plane(run="explored", plane_window=window))
    assert shown["window"]["cell"] >= 0.002


def test_pins_stay_with_their_plane(explored):
    at = open_plane(run="explored", plane_a="0.25,-1.5", plane_window="0,0,2")
    at.selectbox(key=state.PLANE_CELLS).set_value("40").run()
    assert len(drawing(at)["pins"]) == 1
    at.segmented_control(key=state.PLANE_KIND).set_value("Two dimensions").run()
    assert not at.exception
    assert drawing(at)["pins"] == []
    assert drawing(at)["whole"]
    assert "plane_a" not in at.query_params


def test_a_pin_has_its_neighbours_beside_its_code(explored):
    at = open_plane(run="explored", plane_a="0.25,-1.5")
    model = backend.model("explored")
    (pin,) = backend.plane_pins(model, backend.plane(model, Cut()), [(0.25, -1.5)])
    rows = backend.neighbours(model, pin.code, 5)
    assert [far for _, far in pin.near] == pytest.approx([far for _, far in rows], abs=1e-5)
    listed = at.get("html")[0].proto.body
    places = [listed.index(backend.codes(model).texts[row]) for row, _ in rows]
    assert places == sorted(places)
    assert f">{rows[0][1]:.1f}<" in listed


def test_the_line_for_the_terminal_is_there_to_be_copied(explored):
    at = open_plane(run="explored", plane_kind="Three samples", plane_seed="9", plane_a="0.25,-1.5")
    model = backend.model("explored")
    cut = Cut(kind="samples", seed=9)
    window = backend.plane_whole(model, backend.plane(model, cut), backend.plane_spanning(model, cut), 20)
    assert backend.plane_command(model, cut, window, [(0.25, -1.5)]) in [code.value for code in at.code]


def test_what_the_browser_says_it_has_is_believed_once(explored):
    at = open_plane(run="explored")
    whole = drawing(at)
    at.session_state[state.PLANE_HELD] = whole["id"]
    at.run()
    assert drawing(at) == {name: whole[name] for name in ("id", "whole", "pins", "path", "shown")}
    at.run()
    assert drawing(at) == whole


def test_a_pin_is_taken_off(explored):
    at = open_plane(run="explored", plane_a="0.25,-1.5", plane_b="0,1")
    at.button(key="plane_drop_A").click().run()
    assert [pin["name"] for pin in drawing(at)["pins"]] == ["B"]


def test_the_sentences_next_to_three_pins_span_a_plane(explored, sentences):
    codes = backend.codes(backend.model("explored")).means
    surface = backend.plane(backend.model("explored"), Cut())
    rows = [3, 40, 90]
    pins = {key: f"{x:.3f},{y:.3f}" for key, (x, y) in zip(state.PLANE_PINS, surface.place(codes[rows]), strict=True)}
    at = open_plane(run="explored", **pins)
    near = [pin.nearest[0] for pin in backend.plane_pins(
        backend.model("explored"), surface, [tuple(map(float, place.split(","))) for place in pins.values()]
    )]  # fmt: skip
    assert len(set(near)) == 3
    at.button(key="plane_span").click().run()
    assert not at.exception
    assert [at.text_input(key=key).value for key in state.PLANE_TEXTS] == near
    assert drawing(at)["pins"] == []
    assert len(drawing(at)["marks"]) == 3


@pytest.mark.parametrize(
    ("text", "words"), [("", "Sentence 2 of the plane is empty"), ("same .", "lie on one line, so they span no plane")]
)
def test_a_plane_that_is_none_is_one_sentence(explored, text, words):
    at = open_plane(run="explored", plane_kind="Three sentences", plane_1="same .")
    at.text_input(key="plane_2").set_value(text).run()
    (error,) = at.error
    assert words in error.value.replace("\\", "")
    assert "\n" not in error.value


def test_the_weights_along_the_way_are_offered(explored, make_space):
    make_space(seed=3).model.save_pretrained(explored.path / "snapshots" / "step-7")
    at = open_plane(run="explored", plane_snapshot="Step 7")
    model = backend.model("explored", snapshot=7)
    surface = backend.plane(model, Cut())
    field = backend.plane_field(model, surface, backend.plane_whole(model, surface, n=20))
    assert drawing(at)["texts"][: len(field.texts)] == field.texts
    assert any("snapshot=7" in code.value for code in at.code)


def test_a_collapsed_run_is_said_to_read_the_same(explored, make_run, monkeypatch):
    collapsed = make_run("collapsed", "plain-vae")
    shutil.copytree(explored.model_path, collapsed.model_path)
    shutil.copy(explored.latents_path, collapsed.latents_path)
    at = open_plane(run="collapsed")
    assert "This run has collapsed: its decoder ignores z." in said(at)
    assert "of this window reads the same" in said(at)
    monkeypatch.setattr(backend.models, "decode", lambda of, codes, how=None: ["it ."] * len(codes))
    assert "The whole plane reads the same: “it .”" in said(open_plane(run="collapsed", plane_window="0,0,1"))


def test_a_run_whose_sentences_depend_on_their_batch_says_so(explored, make_run):
    released = make_run("released", "as-released")
    shutil.copytree(explored.model_path, released.model_path)
    shutil.copy(explored.latents_path, released.latents_path)
    assert "depends on the codes that are decoded with it" in said(open_plane(run="released"))
    assert "depends on the codes" not in said(open_plane(run="explored"))


def test_a_run_without_codes_has_planes_of_its_dimensions(explored):
    explored.latents_path.unlink()
    at = open_plane(run="explored")
    assert drawing(at)["axes"] == ["z0", "z1"]
    assert "No principal axes" in said(at)
    assert "on the page Map" in said(at)
    assert drawing(at)["nearest"] is None


def test_the_dimensions_that_tell_most_come_first(explored):
    at = open_plane(run="explored", plane_kind="Two dimensions")
    kl = backend.dimension_kl(backend.model("explored"))
    order = [str(index) for index in np.argsort(-kl)]
    across, up = (at.selectbox(key=key) for key in state.PLANE_PAIR)
    assert across.options == up.options == order
    assert [across.value, up.value] == order[:2]
    assert f"z{order[0]} carries {kl.max():.2f} nats" in said(at)


def test_what_a_model_says_is_never_markup(explored, monkeypatch):
    monkeypatch.setattr(backend.models, "decode", lambda of, codes, how=None, **_: ["<b>&</b> **x**"] * len(codes))
    at = open_plane(run="explored", plane_a="0.5,0.5", plane_window="0,0,1.5")
    assert any("&lt;b&gt;&amp;&lt;/b&gt; **x**" in each.proto.body for each in at.get("html"))
    assert not any("<b>&</b>" in each.proto.body for each in at.get("html"))
    assert drawing(at)["texts"][0] == "<b>&</b> **x**"
    assert r"\<b\>&\</b\> \*\*x\*\*" in at.warning[0].value


def test_any_text_spans_a_plane(explored):
    at = open_plane(
        run="explored", plane_kind="Three sentences", plane_1="<img src=x onerror=alert(1)> $x$ **b**",
        plane_2="שלום עולם", plane_3="x" * 2000,
    )  # fmt: skip
    assert not at.error
    assert len(drawing(at)["marks"]) == 3


def test_there_is_a_way_on_when_there_is_no_run(root):
    at = open_plane()
    assert "There is no trained model yet" in said(at)
    assert at.get("page_link")
