import shutil

from app import backend, palette


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


def test_bundled_runs_come_last_in_the_order_of_their_recipes(make_run):
    for name, recipe in (("b", "language-model"), ("c", "two-phase"), ("a", "plain-vae")):
        make_run(name, recipe, bundled=True)
    make_run("mine")
    assert [entry.name for entry in backend.entries()] == ["mine", "c", "a", "b"]


def test_a_folder_whose_name_no_url_can_carry_is_listed_with_its_problem(make_run, root):
    make_run("fine").path.rename(root / "not fine")
    (entry,) = backend.entries()
    assert "cannot name a run" in entry.problem


def test_a_run_that_died_without_notice_says_so(make_run):
    make_run("dead", state="running", share=0.3, pid=2**22 + 12345)
    entry = backend.entry("dead")
    assert entry.state == "failed"
    assert "without notice" in entry.status.message


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
