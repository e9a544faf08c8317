"""The page Map, run through the frame over a run with a random model. Clicks on the map are tested in a browser."""

import json
import os
import shutil
import time
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest

from app import backend, state
from app.components.address import write_rows
from tests.app.frame import html, open_page, said
from vae import latents


def open_map(**query):
    return open_page("map", **({state.MAP_METHOD: "PCA"} | query))


def drawing(at):
    (mounted,) = at.get("bidi_component")
    drawn = json.loads(mounted.proto.json)
    return drawn | json.loads(drawn["sheet"])


def test_the_map_shows_the_sentences_of_the_run(explored, sentences):
    at = open_map(run="explored")
    assert drawing(at)["points"]["text"] == sentences
    assert drawing(at)["colour"]["title"] == "subject"
    assert "exact" in said(at)


def test_ends_come_from_the_url_and_lead_on(explored, sentences):
    at = open_map(run="explored", map_a="3", map_b="77")
    assert [(end["name"], end["row"]) for end in drawing(at)["ends"]] == [("A", 3), ("B", 77)]
    assert sentences[3] in said(at)
    (link,) = (link.proto for link in at.get("page_link") if "Interpolate" in link.proto.label)
    assert link.page == "interpolate"
    assert link.query_string == "run=explored&walk_a_kind=Map&walk_a_row=3&walk_b_kind=Map&walk_b_row=77"


def test_each_end_has_its_neighbours_and_its_links(explored, sentences):
    at = open_map(run="explored", map_a="3", map_b="77")
    means = backend.codes(backend.model("explored")).means
    for table, row in zip(at.dataframe, (3, 77), strict=True):
        far = np.linalg.norm(means - means[row], axis=1)
        near = [other for other in np.argsort(far, kind="stable") if other != row][:5]
        assert table.value["sentence"].tolist() == [sentences[other] for other in near]
    links = [link.proto for link in at.get("page_link")]
    for page, key in (("dimensions", "dims_text"), ("arithmetic", "arithmetic_a")):
        found = [parse_qs(link.query_string) for link in links if link.page == page]
        assert [query["run"] for query in found] == [["explored"]] * 2
        assert [query[key] for query in found] == [[sentences[3]], [sentences[77]]]
    assert parse_qs(next(link.query_string for link in links if link.page == "dimensions"))["dims_from"] == ["Sentence"]


def test_groups_come_from_the_url_or_are_said_to_be_unknown(explored, sentences):
    at = open_map(run="explored", map_1=write_rows([1, 5], sentences), map_2=write_rows([7, 8, 9], sentences))
    assert "2 sentences, such as" in said(at)
    assert "The means of the groups lie" in said(at)
    at = open_map(run="explored", map_1=write_rows([1, 5], sentences[::-1]), map_2="drop table")
    (warning,) = at.warning
    assert "map_1=" in warning.value.replace("\\", "")
    assert "map_2=drop table" in warning.value.replace("\\", "")
    assert "Two groups" not in said(at)


def test_groups_wait_while_a_run_of_other_sentences_is_looked_at(explored, make_run, make_space, sentences):
    other = make_run("other")
    shutil.copytree(explored.model_path, other.model_path)
    latents.write_latents(other, make_space(), pd.DataFrame({"text": sentences[::-1]}))
    same = make_run("same")
    shutil.copytree(explored.path, same.path, dirs_exist_ok=True)
    written = write_rows([1, 5], sentences)
    at = open_map(run="explored", map_1=written)
    at.session_state[state.MAP_KEPT] = {"map_1": written}
    at.selectbox(key=state.RUN).set_value("same").run()
    assert "2 sentences, such as" in said(at)
    at.selectbox(key=state.RUN).set_value("other").run()
    assert "Two groups" not in said(at)
    assert "map_1" not in at.query_params
    assert not at.warning
    at.selectbox(key=state.RUN).set_value("explored").run()
    assert "2 sentences, such as" in said(at)
    assert at.query_params["map_1"] == written


def test_ends_are_swapped_and_cleared(explored):
    at = open_map(run="explored", map_a="3", map_b="77")
    at.button(key="map_swap").click().run()
    assert [end["row"] for end in drawing(at)["ends"]] == [77, 3]
    at.button(key="map_clear").click().run()
    assert drawing(at)["ends"] == []


@pytest.mark.parametrize("garbage", ["120", "-1", "x", "²", "9" * 500, "1.5", "<script>"])
def test_an_end_that_is_not_on_the_map_is_one_sentence(explored, garbage):
    at = open_map(run="explored", map_a=garbage, map_b="4")
    assert [end["name"] for end in drawing(at)["ends"]] == ["B"]
    (warning,) = at.warning
    assert "map_a" in warning.value.replace("\\", "")
    assert "\n" not in warning.value


def test_garbage_in_the_url_is_one_sentence(explored, sentences):
    at = open_map(run="explored", map_method="tsne", map_colour="nothing", map_prior="1e9", map_seed="x")
    (warning,) = at.warning
    for key in ("map_method=tsne", "map_colour=nothing", "map_prior=1e9", "map_seed=x"):
        assert key in warning.value.replace("\\", "")
    assert drawing(at)["points"]["text"] == sentences


def test_a_search_marks_and_lists_what_it_finds(explored, sentences):
    at = open_map(run="explored", map_search="OLD dog bus")
    rows = [row for row, text in enumerate(sentences) if all(word in text for word in ("old", "dog", "bus"))]
    assert drawing(at)["found"] == rows
    assert at.dataframe[0].value["sentence"].tolist() == [sentences[row] for row in rows]
    assert f"{len(rows)} sentences with" in said(at)
    assert f"{len(rows)} found" in said(at)
    assert "0 sentences with" in said(open_map(run="explored", map_search="zebra"))


def test_random_codes_and_a_sentence_of_ones_own_are_placed_and_read(explored):
    at = open_map(run="explored", map_prior="3", map_seed="8", map_text="an old dog waits for it .")
    placed = drawing(at)["placed"]
    model = backend.model("explored")
    codes = backend.prior(model, 3, 8)
    assert [mark["kind"] for mark in placed] == ["prior"] * 3 + ["own"]
    assert [mark["text"] for mark in placed[:3]] == backend.decode(model, codes)
    where = backend.project(model, "pca").place(codes)
    assert [mark["x"] for mark in placed[:3]] == pytest.approx(where[:, 0].tolist())
    assert [mark["y"] for mark in placed[:3]] == pytest.approx(where[:, 1].tolist())
    assert "an old dog waits for it ." in placed[3]["title"]
    assert placed[3]["text"].split()[0] in html(at)
    ((row, far),) = backend.neighbours(model, backend.encode(model, "an old dog waits for it .")[0], 1)
    assert f"nearest code of the map is {far:.1f} away: “{backend.codes(model).texts[row]}”" in said(at)


def test_words_that_the_model_hardly_knows_are_named(explored):
    words = "an old quark waits for it ."
    assert "“quark” is in none of the 120 sentences of the map" in said(open_map(run="explored", map_text=words))
    assert "in none of" not in said(open_map(run="explored", map_text="an old dog waits for it ."))


def test_while_the_umap_is_fitted_the_pca_is_there(explored, monkeypatch):
    progress = [None]
    monkeypatch.setattr(backend, "fitting", lambda of: progress[-1])
    monkeypatch.setattr(backend, "fit_umap", lambda of: progress.append(backend.Errand(seconds=4)))
    at = open_map(run="explored", map_method="UMAP")
    assert "4 s so far" in said(at)
    assert drawing(at)["axes"] is not None
    progress.append(backend.Errand(problem="no room left"))
    at.run()
    assert "could not be fitted, so this is the PCA. no room left" in said(at)
    for kind in ("json", "parquet"):  # stands for a UMAP, with its fingerprints
        folder = explored.projections_path
        shutil.copy(folder / f"pca.{kind}", folder / f"umap.{kind}")
    at.run()
    assert "could not" not in said(at)


def test_a_collapsed_run_is_said_to_be_a_blob(explored, make_run):
    collapsed = make_run("collapsed", "plain-vae")
    for name in ("model", "latents.parquet", "projections"):
        source = explored.path / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, collapsed.path / name)
    assert "the map is a blob" in said(open_map(run="collapsed"))
    assert "blob" not in said(open_map(run="explored"))


def test_a_deleted_run_is_one_sentence_and_another_is_shown(explored):
    at = open_map(run="gone")
    assert "There is no run gone here" in said(at)
    assert drawing(at)["name"] == "explored-pca"
    shutil.rmtree(explored.path)
    at.run()
    assert not at.exception
    assert "There is no trained model yet" in said(at)


def test_a_run_without_codes_offers_to_encode_its_sentences(explored):
    explored.latents_path.unlink()
    at = open_map(run="explored")
    assert not at.exception
    assert "have no codes yet" in said(at)
    assert at.button(key="map_encode")
    explored.update_status(state="running", pid=os.getpid(), heartbeat=time.time())
    assert not [button for button in open_map(run="explored").button if button.key == "map_encode"]


def test_damaged_codes_are_one_sentence(explored):
    explored.latents_path.write_bytes(b"PAR1 nonsense")
    at = open_map(run="explored")
    (error,) = at.error
    assert "is damaged" in error.value
    assert "\n" not in error.value


def test_there_is_a_way_on_when_there_is_no_run(root):
    at = open_map()
    assert "There is no trained model yet" in said(at)
    assert at.get("page_link")
