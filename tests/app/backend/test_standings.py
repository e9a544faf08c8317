"""What is shown of a verdict, by the run that it is on and how far it has come."""

from dataclasses import replace

import pytest

from app import backend
from app.backend import standings
from vae.doctor import diagnose
from vae.runs import Status

HEALTHY = diagnose({"delta_nll_nats": 30.0, "kl_nats": 15.0, "mi_nats": 6.0, "active_units": 32})
AUTOENCODER = diagnose({"delta_nll_nats": 7.0, "kl_nats": 109.0, "mi_nats": 6.0, "active_units": 32})
EMPTY = diagnose({"delta_nll_nats": 0.0, "kl_nats": 0.0, "mi_nats": 0.0, "active_units": 0})
RUN = backend.Entry(name="a", state="running", status=Status(state="running", step=45, total_steps=940), warms_up=True)


def test_in_a_warm_up_there_is_no_verdict_yet():
    assert standings.as_shown(RUN, AUTOENCODER, 1) is standings.WARM_UP
    assert standings.as_shown(RUN, AUTOENCODER, 2).name == "autoencoder"
    assert standings.as_shown(replace(RUN, warms_up=False), AUTOENCODER, 1).name == "autoencoder"
    assert standings.as_shown(RUN, None, 1) is None
    assert standings.as_shown(RUN, diagnose({"step": 0}), 1).name == "unknown"


def test_a_model_without_z_is_a_yardstick_here_and_collapsed_in_reports():
    shown = standings.as_shown(replace(RUN, yardstick=True, warms_up=False), EMPTY, 2)
    assert (EMPTY.name, shown.name) == ("collapsed", "yardstick")
    assert shown.headline.startswith("Yardstick")
    assert shown.evidence == EMPTY.evidence


@pytest.mark.parametrize(
    ("state", "step", "words"),
    [
        ("running", 45, "Healthy so far: the decoder"),
        ("stopped", 45, "Healthy at step 45 of 940: the decoder"),
        ("failed", 45, "Healthy at step 45 of 940: the decoder"),
        ("finished", 940, "Healthy: the decoder"),
        ("failed", 940, "Healthy: the decoder"),
    ],
)
def test_a_headline_says_how_far_its_run_was_unless_that_is_the_end(state, step, words):
    entry = replace(RUN, state=state, status=replace(RUN.status, state=state, step=step))
    assert standings.placed(HEALTHY.headline, entry).startswith(words)


def test_the_step_is_that_of_the_figures():
    stopped = replace(RUN, state="stopped")
    assert standings.placed(HEALTHY.headline, stopped, 40).startswith("Healthy at step 40 of 940:")


@pytest.mark.parametrize(
    ("recipe", "share", "state", "name"),
    [
        ("two-phase", 0.1, "stopped", "warm-up"),
        ("two-phase", 0.1, "finished", "healthy"),
        ("two-phase", 1.0, "finished", "healthy"),
        ("plain-vae", 0.1, "stopped", "collapsed"),
        ("language-model", 1.0, "finished", "yardstick"),
    ],
)
def test_lists_and_pages_show_the_same(make_run, recipe, share, state, name):
    make_run("run", recipe, share=share, state=state)
    entry = backend.entry("run")
    assert backend.standing(entry).name == backend.table().loc[0, "standing"] == name
    assert backend.verdict("run").name == backend.table().loc[0, "verdict"] != "yardstick"


def test_which_phases_a_run_has(make_run):
    make_run("both")
    make_run("one", "plain-vae")
    assert [(entry.phases, entry.warms_up) for entry in map(backend.entry, ("both", "one"))] == [
        ((1, 2), True),
        ((2,), False),
    ]
