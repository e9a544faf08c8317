"""Notes, what differs, sweeps planned, launched and read: what the page Compare asks for."""

from __future__ import annotations

import shlex

import pytest

from app import backend
from vae import jobs, recipes, runs
from vae.runs import Notes


@pytest.fixture(autouse=True)
def _still(monkeypatch):
    """Nothing is started."""
    monkeypatch.setattr(jobs, "advance", lambda folder=None: [])


@pytest.fixture
def swept(make_run):
    """A sweep of three runs: one has finished, one has come half of its way, one waits."""
    axes = (backend.axis("model.pooling", "max"), backend.axis("model.latent_size", "8,16,32"))
    planned = backend.plan("s", recipes.get("two-phase"), axes)
    shares = [("finished", 1.0), ("stopped", 0.4), ("stopped", 0.0)]
    for member, (state, share) in reversed(list(zip(planned.members, shares, strict=True))):
        run = make_run(member.name, config=member.config, state=state, share=share)
        run.write_notes(Notes(sweep="s", over=tuple(map(str, axes))))
        if not share:
            run.metrics_path.unlink()
    return planned


def test_notes_stand_in_the_table_of_runs(make_run):
    make_run("a")
    make_run("b")
    assert backend.noted_table()["tags"].tolist() == [[], []]
    backend.annotate(["a", "b"], ["x"], [])
    backend.annotate(["a"], ["y"], ["x"], " Odd. ")
    table = backend.noted_table().set_index("run")
    assert (table.loc["a", "tags"], table.loc["a", "note"]) == (["y"], "Odd.")
    assert (table.loc["b", "tags"], table.loc["b", "note"]) == (["x"], "")


def test_a_tag_leaves_the_note_as_it_is(make_run):
    make_run("a")
    backend.annotate(["a"], [], [], "Odd.")
    backend.annotate(["a"], ["x"], [])
    assert backend.notes("a") == Notes(tags=("x",), text="Odd.")


def test_damaged_notes_are_said_and_hide_nothing(make_run):
    run = make_run("a")
    run.notes_path.write_text("{", encoding="utf-8")
    assert "is damaged" in backend.noted_table()["note"][0]


def test_an_empty_folder_has_an_empty_table(root):
    assert backend.noted_table().empty
    assert backend.sweep_names() == []


def test_what_differs_is_named_and_explained(make_run):
    make_run("a")
    make_run("b", "plain-vae")
    found = {row["name"]: row for row in backend.differences(["a", "b"])}
    assert (found["phase2.epochs"]["a"], found["phase2.epochs"]["b"]) == ("8", "6")
    assert found["phase1.frozen"]["a"] == "decoder"
    assert found["phase1.frozen"]["setting"] == "frozen, phase 1"
    assert found["phase1.frozen"]["help"].startswith("Parts that do not train")
    assert found["recipe"]["help"]
    assert "train.seed" not in found


def test_a_sweep_is_read_in_the_order_of_its_values(swept):
    sweep = backend.sweep("s")
    assert [row["run"] for row in sweep.rows] == [member.name for member in swept.members]
    assert sweep.labels["s-max-z16"] == "max_z16"
    assert [row["verdict"] for row in sweep.rows] == ["healthy", "healthy", ""]
    assert not sweep.active
    assert backend.sweep_names() == ["s"]


def test_a_sweep_that_is_gone_is_said_to_be(root):
    with pytest.raises(ValueError, match="There is no sweep 'gone'"):
        backend.sweep("gone")


def test_curves_of_many_runs_are_one_table(swept):
    names = [member.name for member in swept.members]
    frame = backend.held_out(names, ["mi_nats", "no_such_figure"])
    assert set(frame["run"]) == set(names[:2])
    assert frame["mi_nats"].notna().all()
    assert frame["no_such_figure"].isna().all()
    assert frame.groupby("run")["step"].is_monotonic_increasing.all()
    assert backend.held_out([names[2]], ["mi_nats"]).empty


def test_the_end_of_a_phase_is_drawn_where_all_share_it(swept, make_run):
    names = [member.name for member in swept.members]
    assert backend.phase_ends(names[:2]) == [626]
    make_run("young", share=0.1, state="stopped")
    assert backend.phase_ends([*names[:2], "young"]) == [626]  # it is not so far
    make_run("other", "plain-vae")
    assert backend.phase_ends([*names[:2], "other"]) == []
    assert backend.phase_ends([]) == []


def test_launching_puts_every_run_into_the_queue(root):
    planned = backend.plan("s", recipes.get("two-phase"), [backend.axis("model.pooling", "max,mean")], "train.seed=7")
    assert backend.launch_sweep(planned) == ["s-max", "s-mean"]
    assert {run.config.train.seed for run in runs.list_runs()} == {7}
    assert backend.sweep("s").active
    assert backend.sweep_name("s") == "s-2"
    assert backend.sweep_name("s-max") == "s-max-2"
    assert backend.sweep_name("new") == "new"


def test_the_cost_is_that_of_all_runs(root):
    base, axes = backend.preset("phase1")
    one = backend.plan("s", base, [backend.axis("model.pooling", "max")])
    all_of_them = backend.plan("s", base, axes)
    single = backend.sweep_cost(one, 1000).seconds
    assert backend.sweep_cost(all_of_them, 1000).seconds == pytest.approx(12 * single)
    fewer = backend.plan("s", base, axes, "data.train_sentences=500")
    assert backend.sweep_cost(fewer, 1000).seconds == pytest.approx(6 * single)
    assert backend.sweep_cost(one, None).seconds is None


@pytest.mark.parametrize("setting", backend.setting_names())
def test_every_setting_that_can_be_varied_is_explained(setting):
    assert backend.setting_help(setting).endswith(".")
    assert backend.setting_values(setting)
    assert backend.axis_heading(setting)


def test_the_lines_for_a_terminal(swept):
    sweep = backend.sweep("s")
    line = backend.sweep_command("again", sweep.start, sweep.axes)
    words = ["python", "-m", "vae", "sweep", "again", "--recipe", "two-phase"]
    assert shlex.split(line) == [*words, "--over", "model.pooling=max", "--over", "model.latent_size=8,16,32"]
    assert backend.read_command("s") == "python -m vae sweep s --csv"
    assert backend.compare_command(["s-max-z8"]).startswith("python -m vae compare ")


def test_notes_are_read_once_and_again_when_they_change(make_run):
    run = make_run("a")
    backend.annotate(["a"], ["x"], [])
    assert backend.notes("a").tags == ("x",)
    kept = backend.notes("a")
    assert backend.notes("a") is kept
    run.write_notes(Notes(text="New."))
    assert backend.notes("a").text == "New."


def test_a_name_that_is_taken_is_said_before_the_launch(swept):
    with pytest.raises(ValueError, match="already a run named 's-max-z8'"):
        backend.plan("s", recipes.get("two-phase"), swept.axes)
