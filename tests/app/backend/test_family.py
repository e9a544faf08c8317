"""The runs that ship for the lesson."""

from app import backend
from vae import bundle, runs


def test_every_setting_of_the_switches_has_a_run():
    found = backend.cube()
    assert len(found) == len(set(found.values())) == 8
    for each in bundle.FAMILY:
        if each.name in found.values():
            assert found[backend.Switches.of(each.config)] == each.name


def test_what_is_not_there_or_not_finished_is_absent(make_run):
    run = make_run("there")
    runs.write_json(run.path / "env.json", run.env | {"role": runs.LESSON})
    make_run("going", state="stopped", share=0.5)
    (make_run("odd").path / "config.json").write_text("{", encoding="utf-8")
    assert backend.absent(["nowhere", "there", "odd", "going"]) == ["nowhere", "odd", "going"]
    assert backend.absent(()) == []
