import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import backend, palette
from vae import recipes
from vae.config import Config, Phase
from vae.runs import Run, append_line, keep_lines


def test_every_run_is_listed_newest_first_also_a_damaged_one(make_run, root):
    make_run("old", "plain-vae", bundled=True)
    make_run("new", share=0.1, state="stopped")
    (root / "broken").mkdir()
    (root / "broken" / "config.json").write_text("{", encoding="utf-8")
    (root / "broken" / "status.json").write_text("{}", encoding="utf-8")
    (root / "no run").mkdir()
    entries = {entry.name: entry for entry in backend.entries()}
    assert list(entries) == ["broken", "new", "old"]
    assert entries["broken"].state == "damaged"
    assert "damaged" in entries["broken"].problem
    assert (entries["old"].recipe, entries["old"].latent_size, entries["old"].bundled) == ("plain-vae", 32, True)
    assert not entries["new"].has_model


def test_a_folder_whose_name_no_url_can_carry_is_listed_with_its_problem(make_run, root):
    make_run("fine").path.rename(root / "not fine")
    (entry,) = backend.entries()
    assert "cannot name a run" in entry.problem


def test_a_run_that_died_without_notice_says_so(make_run):
    make_run("dead", state="running", share=0.3, pid=2**22 + 12345)
    entry = backend.entry("dead")
    assert entry.state == "failed"
    assert "without notice" in entry.status.message


def test_a_history_is_read_on_from_where_it_ended(make_run, monkeypatch):
    run = make_run("run", share=0.1)
    first = len(backend.metrics("run"))
    offsets = []
    read = backend.runs.read_lines
    monkeypatch.setattr(backend.runs, "read_lines", lambda path, at=0: offsets.append(at) or read(path, at))
    append_line(run.metrics_path, {"step": 9999, "phase": 2, "split": "train", "rec_nats": 1.0})
    frame = backend.metrics("run")
    assert len(frame) == first + 1
    assert frame["step"].iloc[-1] == 9999
    assert offsets[0] > 1000


def test_a_history_that_was_rewritten_is_read_anew(make_run):
    """A resumed run drops what came after its last saved state, and grows again."""
    run = make_run("run", share=0.2)
    before = backend.metrics("run")
    keep_lines(run.metrics_path, [event for event in run.metrics() if event["step"] <= 50])
    for step in range(60, 5000, 10):
        append_line(run.metrics_path, {"step": step, "phase": 1, "split": "train", "rec_nats": -1.0})
    after = backend.metrics("run")
    assert run.metrics_path.stat().st_size > 0
    assert before["rec_nats"].min() > 0
    assert (after.loc[after["step"] > 50, "rec_nats"] == -1.0).all()
    assert after["step"].is_monotonic_increasing


def test_a_new_run_of_an_old_name_shows_its_own_history(make_run):
    run = make_run("again")
    assert backend.metrics("again")["step"].max() > 2000
    shutil.rmtree(run.path)
    make_run("again", "plain-vae", share=0.05)
    assert backend.metrics("again")["step"].max() < 200


def test_half_a_line_waits_and_garbage_is_passed_over(make_run):
    run = make_run("run", share=0.05)
    count = len(backend.metrics("run"))
    with run.metrics_path.open("ab") as file:
        file.write(
            b'[1, 2]\nnot json\n{"step": "x", "phase": 1}\n{"phase": 1}\n{"step": 7, "phase": 1, "kl_nats": "y"}\n{"st'
        )
    frame = backend.metrics("run")
    assert len(frame) == count + 1
    assert frame["kl_nats"].isna().iloc[-1]


def test_an_empty_history_has_its_columns(make_run):
    run = make_run("run")
    run.metrics_path.unlink()
    run.samples_path.unlink()
    assert {"step", "phase", "split"} <= set(backend.metrics("run").columns)
    assert backend.metrics("run").empty
    assert backend.samples("run") == []
    assert backend.figures("run") == {}
    assert backend.verdict("run") is None


def test_the_verdict_is_on_the_newest_validation(make_run):
    make_run("healthy")
    make_run("collapsed", "plain-vae")
    assert backend.verdict("healthy").name == "healthy"
    assert backend.verdict("collapsed").name == "collapsed"


def test_mangled_samples_are_passed_over(make_run):
    run = make_run("run", share=0.1)
    count = len(backend.samples("run"))
    for event in (
        {"step": 1},
        {"step": 1, "prior": [1], "reconstructions": []},
        {"step": "1", "prior": [], "reconstructions": []},
    ):
        append_line(run.samples_path, event)
    assert len(backend.samples("run")) == count


def test_the_log_is_cut_to_its_end(make_run):
    run = make_run("run")
    run.log_path.write_bytes(b"\xff" + b"line\n" * 5000 + "letzte Zeile ü\n".encode())
    tail = backend.log_tail("run", 5).splitlines()
    assert len(tail) == 5
    assert tail[-1] == "letzte Zeile ü"


def test_a_run_keeps_its_colour(make_run, root):
    make_run("a")
    make_run("b")
    before = backend.colours()
    make_run("c")
    backend.rename("b", "z")
    shutil.rmtree(root / "a")
    after = backend.colours()
    assert after["z"] == before["b"]
    assert after["c"] != after["z"]
    assert set(after) == {"c", "z"}
    (root / "colours.json").write_text("{broken", encoding="utf-8")
    assert set(backend.colours().values()) <= set(palette.PALETTE)


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
    data = backend.Data(train_sentences=sentences, text_column="my text")
    settings = Config(**{**vars(start), "phase2": phase, "data": data})
    assert start.with_settings(backend.changed(start, settings)) == settings


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


def test_a_run_that_is_gone_is_said_to_be_gone(root):
    for ask in (backend.entry, backend.metrics, backend.samples, backend.verdict, backend.stop, backend.delete):
        with pytest.raises(ValueError, match="There is no run"):
            ask("gone")


def test_launching_makes_the_run_and_starts_it(root, monkeypatch):
    started = []
    monkeypatch.setattr("vae.jobs.start", lambda run: started.append(run) or run)
    assert backend.launch("mine", recipes.plain_vae()) == "mine"
    assert started == [Run(root / "mine")]
    assert backend.config("mine") == recipes.plain_vae()
