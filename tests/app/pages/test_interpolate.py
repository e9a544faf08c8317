"""The page Interpolate, run through the frame over a run with a random model. The strip is tested in a browser."""

import contextlib
import io
import json
import shutil

import pytest

from app import backend, state
from app.backend import Decoding, End
from tests.app.frame import open_page, said


def strip(at):
    return json.loads(at.get("bidi_component")[0].proto.json)


def plane(at):
    return json.loads(at.get("bidi_component")[1].proto.json)


def table(at):
    return at.dataframe[0].value.dropna(subset="t")["sentence"].tolist()


@pytest.fixture
def second(make_run, make_space, sentences):
    """Another finished run, `second`, with other weights and two more dimensions, that has collapsed, and no map."""
    run = make_run("second", "plain-vae")
    make_space(seed=3, latent_size=7).save_pretrained(run.model_path)
    return run


def components(at):
    """What every component of the page was given: strips have steps, maps have a sheet."""
    given = [json.loads(element.proto.json) for element in at.get("bidi_component")]
    return [data for data in given if "steps" in data], [data for data in given if "sheet" in data]


def printed(code):
    """What a piece of Python prints."""
    words = io.StringIO()
    with contextlib.redirect_stdout(words):
        exec(code, {})
    return words.getvalue().split("\n")[:-1]


def test_it_begins_with_a_walk_between_two_random_codes(explored):
    at = open_page("interpolate", run="explored")
    model = backend.model("explored")
    assert table(at) == backend.walk(model, End(seed=0), End(seed=1)).texts
    assert at.query_params["walk_b_seed"] == "1"
    assert "--prior --seed 0 --end-seed 1" in "\n".join(code.value for code in at.code)
    assert len(strip(at)["t"]) == 11
    assert plane(at)["path"]["id"] == strip(at)["id"]


@pytest.mark.parametrize(
    ("asked", "seeds"),
    [
        ({"walk_a_seed": "3", "walk_b_seed": "3"}, (3, 3)),
        ({"walk_a_seed": "5"}, (5, 0)),
        ({"walk_steps": "11"}, (0, 0)),
    ],
    ids=str,
)
def test_a_link_is_the_walk_that_it_always_was(explored, asked, seeds):
    at = open_page("interpolate", run="explored", **asked)
    a, b = (End(seed=seed) for seed in seeds)
    assert table(at) == backend.walk(backend.model("explored"), a, b).texts


def test_the_seed_of_an_end_waits_while_the_end_is_a_sentence(explored):
    at = open_page("interpolate", run="explored")
    at.segmented_control(key="walk_b_kind").set_value("Sentence").run()
    at.segmented_control(key="walk_b_kind").set_value("Prior").run()
    assert [at.number_input(key=f"walk_{side}_seed").value for side in "ab"] == [0, 1]


def test_the_url_says_it_all(explored):
    at = open_page(
"interpolate",
        run="explored", walk_a_kind="Sentence", walk_a_text="an old dog waits for it .", walk_a_drawn="true",
        walk_a_seed="4", walk_b_kind="Map", walk_b_row="17", walk_steps="7", walk_extend="0.5", walk_method="Slerp",
        walk_decoding="Sample", walk_temperature="0.7", walk_top_p="0.9", walk_draw="3", walk_t="1.5",
    )  # fmt: skip
    assert not at.warning
    a = End(kind="sentence", text="an old dog waits for it .", drawn=True, seed=4)
    how = Decoding(method="sample", temperature=0.7, top_p=0.9, seed=3)
    walk = backend.walk(
        backend.model("explored"), a, End(kind="map", row=17), steps=7, method="slerp", extend=0.5, how=how
    )
    assert table(at) == walk.texts
    assert strip(at)["t"] == walk.places
    assert strip(at)["position"] == plane(at)["path"]["position"] == 6


def test_the_path_lies_where_its_codes_do(explored):
    at = open_page("interpolate", run="explored", walk_a_seed="2")
    model = backend.model("explored")
    codes = backend.walk(model, End(seed=2), End()).codes
    where = backend.project(model, "pca").place(codes)
    assert plane(at)["path"]["x"] == pytest.approx(where[:, 0].tolist())
    assert plane(at)["path"]["y"] == pytest.approx(where[:, 1].tolist())


def test_garbage_in_the_url_is_one_sentence_and_a_walk(explored):
    at = open_page(
"interpolate",
        run="explored", walk_a_kind="zzz", walk_b_seed="-4", walk_steps="nan", walk_extend="9", walk_method="curl",
        walk_decoding="\x00", walk_t="later", walk_b_drawn="perhaps",
    )  # fmt: skip
    (warning,) = at.warning
    assert warning.value.count("walk") == 8
    assert "\n" not in warning.value
    assert len(table(at)) == 11


@pytest.mark.parametrize("garbage", ["120", "-3", "x", "²", "9" * 400])
def test_a_sentence_that_the_map_does_not_have_is_one_sentence(explored, sentences, garbage):
    at = open_page("interpolate", run="explored", walk_a_kind="Map", walk_a_row=garbage)
    (warning,) = at.warning
    assert "walk_a_row" in warning.value.replace("\\", "")
    assert at.selectbox(key="walk_a_row").value == 0


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_sentence_is_one_sentence_and_nothing_is_lost(explored, text):
    at = open_page("interpolate", run="explored", walk_a_kind="Sentence", walk_steps="5")
    at.text_input(key="walk_a_text").set_value(text).run()
    (error,) = at.error
    assert error.value.replace("\\", "") == "End A is an empty sentence: type some words."
    assert at.slider(key=state.WALK_STEPS).value == 5
    at.text_input(key="walk_a_text").set_value("the boy is riding it .").run()
    assert not at.error
    assert len(table(at)) == 5


def test_any_text_is_an_end(explored):
    for text in ("🦊" * 5, "שלום עולם", "<img src=x onerror=alert(1)> $x$ **b**", "x" * 2000):
        at = open_page("interpolate", run="explored", walk_a_kind="Sentence", walk_a_text=text)
        assert not at.error
        assert len(table(at)) == 11


def test_a_search_offers_what_it_finds_and_keeps_the_choice(explored, sentences):
    at = open_page("interpolate", run="explored", walk_a_kind="Map", walk_a_row="5")
    at.text_input(key="walk_a_search").set_value("old dog").run()
    box = at.selectbox(key="walk_a_row")
    assert box.value == 5
    assert box.options == [sentences[5], *(text for text in sentences if "old dog" in text)]
    box.select_index(2).run()
    assert sentences[at.selectbox(key="walk_a_row").value] == box.options[2]
    assert at.query_params["walk_a_row"] == str(at.selectbox(key="walk_a_row").value)


def test_two_random_codes_are_a_new_pair_by_two_seeds(explored):
    at = open_page("interpolate", run="explored", walk_a_kind="Sentence")
    at.button(key="walk_pair").click().run()
    a, b = [at.number_input(key=f"walk_{side}_seed").value for side in "ab"]
    assert a != b
    assert f"--prior --seed {a} --end-seed {b}" in "\n".join(code.value for code in at.code)


def test_the_python_and_the_command_are_there_to_be_copied(explored):
    at = open_page("interpolate", run="explored", walk_a_seed="1", walk_b_kind="Sentence")
    assert "space.sample_prior(2, seed=1)[0]" in at.code[0].value
    assert len(at.code) == 1
    assert "use the Python above" in said(at)


def test_a_deaf_decoder_is_named_in_one_line(explored, make_run):
    collapsed = make_run("collapsed", "plain-vae")
    shutil.copytree(explored.model_path, collapsed.model_path)
    assert "This run has collapsed: its decoder ignores z." in said(open_page("interpolate", run="collapsed"))


def test_a_replayed_defect_is_named(explored, make_run):
    replay = make_run("replay", "as-released")
    shutil.copytree(explored.model_path, replay.model_path)
    assert "This run replays a defect" in said(open_page("interpolate", run="replay"))
    assert "replays a defect" not in said(open_page("interpolate", run="explored"))


def test_a_run_without_codes_has_no_map_and_still_walks(explored):
    explored.latents_path.unlink()
    at = open_page("interpolate", run="explored", walk_b_kind="Map")
    assert "walk_b_kind=Map" in said(at)
    assert len(table(at)) == 11
    assert len(at.get("bidi_component")) == 1


def test_a_run_deleted_while_its_page_is_open_is_one_sentence(explored, make_run):
    at = open_page("interpolate", run="explored")
    shutil.rmtree(explored.path)
    at.run()
    assert not at.exception
    assert "There is no trained model yet" in said(at)


def test_damaged_weights_are_one_sentence(explored):
    weights = explored.model_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:700])
    at = open_page("interpolate", run="explored")
    (error,) = at.error
    assert "\n" not in error.value


def test_two_runs_stand_side_by_side_at_one_t(explored, second):
    at = open_page("interpolate", run="explored", walk_with="second", walk_a_seed="5", walk_t="0.5")
    assert not at.warning[1:]
    strips, maps = components(at)
    assert [data["group"] for data in strips] == ["walk", "walk"]
    assert [data["position"] for data in strips] == [5, 5]
    assert len(maps) == 1  # the other has no codes
    assert maps[0]["path"]["id"] == strips[0]["id"]
    frame = at.dataframe[0].value
    for name in ("explored", "second"):
        assert frame[name].tolist() == backend.walk(backend.model(name), End(seed=5), End()).texts
    assert "second has collapsed" in said(at)
    assert "explored has codes of 5 dimensions and second of 7" in said(at)


def test_a_sentence_of_the_map_is_encoded_by_the_other_run_itself(explored, second, sentences):
    at = open_page("interpolate", run="explored", walk_with="second", walk_a_kind="Map", walk_a_row="9")
    frame = at.dataframe[0].value
    assert frame.loc[0, ["explored", "second"]].tolist() == [sentences[9]] * 2
    end = End(kind="sentence", text=sentences[9])
    assert frame["second"].tolist()[1:] == backend.walk(backend.model("second"), end, End()).texts


def test_a_run_beside_its_own_past(explored, make_space):
    make_space(seed=5).save_pretrained(explored.path / "snapshots" / "step-7")
    at = open_page("interpolate", run="explored", walk_with="explored", walk_with_snapshot="7")
    frame = at.dataframe[0].value
    past = backend.walk(backend.model("explored", snapshot=7), End(), End()).texts
    assert frame["explored, step 7"].tolist() == past != frame["explored"].tolist()
    assert "Both read the same random codes" in said(at)
    assert at.code[0].value.count("vae.load(") == 2
    assert at.code[1].value.count("--snapshot 7") == 1
    at.selectbox(key="walk_with_snapshot").set_value(None).run()
    assert "Both sides are the same weights" in said(at)
    assert table(at) == frame["explored"].tolist()


def test_both_kinds_of_path_are_two_columns(explored):
    at = open_page("interpolate", run="explored", walk_method="Both", walk_steps="5", walk_b_seed="2")
    frame = at.dataframe[0].value
    for method in ("linear", "slerp"):
        walk = backend.walk(backend.model("explored"), End(), End(seed=2), steps=5, method=method)
        assert frame[method].tolist() == walk.texts
    strips, maps = components(at)
    assert [data["path"]["id"] for data in maps] == [data["id"] for data in strips]
    assert strips[0]["id"] != strips[1]["id"]


def test_several_draws_stand_under_each_other(explored):
    at = open_page("interpolate", run="explored", walk_decoding="Sample", walk_draws="3", walk_draw="8", walk_steps="4")
    frame = at.dataframe[0].value
    assert frame["draw"].tolist() == [1, 2, 3] * 4
    (strip,), _ = components(at)
    assert [len(row["more"]) for row in strip["rows"]] == [2] * 4
    assert "repeat_interleave(3, 0)" in at.code[0].value


@pytest.mark.parametrize(
    "query",
    [
        {"walk_with": "second", "walk_a_kind": "Map", "walk_a_row": "9", "walk_method": "Both"},
        {"walk_decoding": "Sample", "walk_draws": "3", "walk_draw": "8", "walk_b_kind": "Sentence"},
        {"walk_view": "Ten pairs", "walk_pairs_seed": "4", "walk_pairs_steps": "3"},
        {"walk_view": "Ten pairs", "walk_pairs": "Test sentences", "walk_pairs_drawn": "true", "walk_with": "second"},
        {"walk_view": "Ten pairs", "walk_pairs": "Test sentences", "walk_method": "Both"},
    ],
    ids=["two runs, both paths", "draws", "prior pairs", "sentence pairs of two runs", "pairs along both paths"],
)
def test_the_python_on_the_page_prints_the_table_on_the_page(explored, second, query):
    at = open_page("interpolate", run="explored", **query)
    frame = at.dataframe[0].value.dropna(subset="t")
    columns = [name for name in frame if name not in ("example", "part", "t", "draw")]
    groups = [frame] if "example" not in frame else [group for _, group in frame.groupby("example")]
    models = [[name for name in columns if name.split(", ")[0] == model] for model in ("explored", "second")]
    models = [names for names in models if names] or [columns]
    expected = [text for names in models for group in groups for name in names for text in group[name]]
    assert printed(at.code[0].value) == "\n".join(expected).split("\n")


def test_ten_pairs_are_ten_examples_and_one_of_them_opens_as_a_path(explored):
    at = open_page(
        "interpolate", run="explored", walk_view="Ten pairs", walk_pairs="Test sentences", walk_pairs_seed="6"
    )
    frame = at.dataframe[0].value
    assert frame["example"].tolist() == [n for n in range(1, 11) for _ in range(2 + 5)]
    pairs = backend.random_pairs(backend.model("explored"), "map", 6)
    third = frame[frame["example"] == 3]["sentence"].tolist()
    assert third[2:] == backend.walk(backend.model("explored"), *pairs[2], steps=5).texts
    assert len(at.get("bidi_component")) == 0  # the path out of sight is not decoded
    at.button(key="walk_pair_3").click().run()
    assert [at.query_params[f"walk_{side}_row"] for side in "ab"] == [str(end.row) for end in pairs[2]]
    walk = backend.walk(backend.model("explored"), *pairs[2])
    assert table(at) == walk.texts


def test_ten_pairs_are_one_batch(explored, monkeypatch):
    from vae.space import Space

    calls = []
    decode = Space.decode
    monkeypatch.setattr(Space, "decode", lambda self, z, **how: calls.append(len(z)) or decode(self, z, **how))
    open_page("interpolate", run="explored", walk_view="Ten pairs", walk_pairs_seed="77", walk_method="Both")
    assert calls == [10 * 5 * 2]


def test_garbage_about_sides_and_pairs_is_said(explored):
    at = open_page(
"interpolate",
        run="explored", walk_with="nobody", walk_snapshot="12", walk_view="Three", walk_pairs="All",
        walk_pairs_seed="4294967295", walk_pairs_steps="99", walk_pairs_drawn="perhaps", walk_draws="0",
    )  # fmt: skip
    words = "\n".join(warning.value for warning in at.warning).replace("\\", "")
    for key in ("walk_with=nobody", "walk_snapshot=12", "walk_view=Three", "walk_pairs=All", "walk_pairs_seed=",
                "walk_pairs_steps=99", "walk_pairs_drawn=perhaps", "walk_draws=0"):  # fmt: skip
        assert key in words
    assert len(table(at)) == 11


def test_how_paths_go_is_one_choice_for_both_views(explored):
    at = open_page("interpolate", run="explored", walk_method="Slerp", walk_decoding="Beam", walk_beams="3")
    for view in ("Ten pairs", "One path"):
        at.session_state[state.WALK_VIEW] = view
        at.run()
        assert not at.exception
        assert at.session_state[state.WALK_METHOD] == "Slerp"
        assert at.query_params["walk_method"] == "Slerp"
        assert at.query_params["walk_beams"] == "3"
        assert "method='slerp'" in at.code[0].value or '"slerp"' in at.code[0].value
