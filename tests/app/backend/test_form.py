import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import backend
from vae import recipes
from vae.config import Config, Phase


@pytest.mark.parametrize("name", list(recipes.RECIPES))
def test_the_command_of_a_recipe_is_short(name, root):
    settings = recipes.get(name)
    line = backend.command("x", settings)
    assert f"--recipe {name}" in line
    assert "--set" not in line
    assert "--data" not in line


floats = st.floats(0, 10, allow_nan=False).map(lambda value: round(value, 6))


@given(
    st.sampled_from(list(recipes.RECIPES)),
    st.builds(
        Phase,
        epochs=floats.map(lambda value: value + 1),
        learning_rate=floats.map(lambda value: value / 10),
        kl_schedule=st.sampled_from(["constant", "linear", "cyclic"]),
        learning_rate_warmup=st.integers(0, 1000),
        frozen=st.lists(st.sampled_from(["encoder", "decoder", "head"]), unique=True).map(tuple),
    ),
    st.one_of(st.none(), st.integers(1, 10**6)),
)
def test_what_the_command_sets_is_what_the_form_says(recipe, phase, sentences):
    start = recipes.get(recipe)
    if start.model.latent == "zero":  # such a model has parts that cannot be trained
        phase = replace(phase, frozen=start.phase2.frozen)
    data = backend.Data(train_sentences=sentences, text_column="my text")
    settings = Config(**{**vars(start), "phase2": phase, "data": data})
    assert start.with_settings(settings.changes(start)) == settings


def test_corpus_base_and_odd_values_stand_quoted_on_the_command_line(root):
    settings = recipes.two_phase().with_settings(
        ["data.corpus=file:/tmp/my texts.csv", "data.text_column=the text", "model.base=google-t5/t5-small"]
    )
    line = backend.command("x", settings)
    assert "'file:/tmp/my texts.csv'" in line or '"file:/tmp/my texts.csv"' in line
    assert "--base google-t5/t5-small" in line
    assert "data.text_column=the text" in line


def test_the_form_builds_what_it_says_and_objects_in_a_sentence():
    values = json.loads(json.dumps(recipes.two_phase().to_dict()))
    values.pop("recipe")
    assert backend.build("two-phase", values) == recipes.two_phase()
    values["model"]["latent_size"] = 0
    with pytest.raises(ValueError, match=r"latent_size=0 must be a whole number of at least 1"):
        backend.build("two-phase", values)


def test_an_upload_is_kept_once_under_a_harmless_name(root):
    spec = backend.save_upload("../../my reviews ü.TSV", b"text\nhello\n")
    assert spec == backend.save_upload("../../my reviews ü.TSV", b"text\nhello\n")
    path = root / "uploads"
    (file,) = (found for found in path.rglob("*") if found.is_file())
    assert spec == f"file:{file.resolve()}"
    assert file.name == "my-reviews.tsv"
    assert file.read_bytes() == b"text\nhello\n"
    assert backend.save_upload("....txt", b"x") != spec
    assert backend.entries() == []


def test_a_look_at_a_text(root, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("text,mood\n" + "".join(f"sentence number {i} .,glad\n" for i in range(60)), encoding="utf-8")
    preview = backend.preview(backend.Data(corpus=f"file:{table}"))
    assert 40 <= preview.sentences <= 60
    assert preview.labels == ("mood",)
    assert all("sentence number" in example for example in preview.examples)
    assert backend.preview(backend.Data()).sentences == 20_000
    assert backend.preview(backend.Data(train_sentences=500)).sentences == 500
    with pytest.raises(ValueError, match="nowhere"):
        backend.preview(backend.Data(corpus="file:/nowhere/at/all.txt"))


def test_a_changed_file_is_looked_at_anew(root, tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("\n".join(f"one {i}" for i in range(50)), encoding="utf-8")
    before = backend.preview(backend.Data(corpus=f"file:{file}")).sentences
    file.write_text("\n".join(f"two {i}" for i in range(500)), encoding="utf-8")
    assert backend.preview(backend.Data(corpus=f"file:{file}")).sentences > 5 * before


def test_without_runs_the_cost_is_a_rough_figure(root):
    estimate = backend.estimate(recipes.two_phase(), 20_000)
    assert estimate.measured_on == ()
    assert 60 < estimate.seconds < 3600
    other = recipes.two_phase().with_settings(["model.base=google-t5/t5-small"])
    assert backend.estimate(other, 20_000).seconds is None
    assert backend.estimate(recipes.two_phase(), None).seconds is None


def test_the_cost_is_measured_on_runs_alike(make_run):
    make_run("alike", share=0.6, state="stopped")
    make_run("bundled", bundled=True)
    make_run("other", config=recipes.two_phase().with_settings(["data.max_tokens=128"]))
    estimate = backend.estimate(recipes.two_phase(), 20_000)
    assert estimate.measured_on == ("alike",)
    first, second = (phase.epochs for phase in recipes.two_phase().phases.values())
    assert estimate.seconds == pytest.approx(1.1 * 20_000 * (first + second) / 640, rel=0.05)
    twice = recipes.two_phase().with_settings([f"phase2.epochs={first + 2 * second}"])
    assert backend.estimate(twice, 20_000).seconds == pytest.approx(2 * estimate.seconds, rel=0.01)


@pytest.mark.parametrize("name", ["", "../x", "x" * 300, "a b", "CON", "taken"])
def test_a_name_that_cannot_be_is_refused_in_a_sentence(name, make_run):
    make_run("taken")
    with pytest.raises(ValueError, match=r"cannot name a run|already a run"):
        backend.check_name(name)


def test_a_source_is_a_folder_or_a_hub_id(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(ValueError, match=r"no config\.json"):
        backend.check_source(str(tmp_path))
    (tmp_path / "model" / "config.json").write_text("{}", encoding="utf-8")
    assert backend.check_source(f" {tmp_path} ") == str(tmp_path)
    assert backend.check_source("someone/some-t5") == "someone/some-t5"
    for source in ("", "  ", "nowhere", "a/b/c", "https://x/y z"):
        with pytest.raises(ValueError, match=r"Hub id"):
            backend.check_source(source)
