"""The chapter of the three switches: what it says is what its runs show."""

import pytest

from app import backend
from app.lesson import switches
from vae import bundle
from vae.runs import append_line

EIGHT = set(bundle.cube().values())


@pytest.fixture
def cube(make_run):
    """Synthetic runs for the eight settings; returns what ends one of them with a delta NLL."""
    made = {each.name: make_run(each.name, config=each.config) for each in bundle.FAMILY if each.name in EIGHT}

    def end(name, nats):
        metrics = made[name].metrics()
        last = next(event for event in reversed(metrics) if event["split"] == "valid")
        append_line(made[name].metrics_path, last | {"step": 5000, "delta_nll_nats": nats})

    return end


def test_all_eight_are_told_from_all_on_to_all_off(cube):
    found = switches.outcomes()
    on = found[list(switches.GUARDS)].sum(axis=1).tolist()
    assert on == [3, 2, 2, 2, 1, 1, 1, 0]
    assert len(found[list(switches.GUARDS)].drop_duplicates()) == 8
    healthy = found[found["warmup"] & found["free_bits"]]  # as synthetic histories go
    assert healthy["verdict"].tolist() == ["healthy"] * 2
    assert set(found.drop(healthy.index)["verdict"]) == {"collapsed"}


def test_the_one_that_is_missed_most_is_that_of_the_run_with_the_least_delta(cube):
    cube("captions-switch-free-bits-noise", 9.0)
    cube("captions-switch-warmup-noise", 8.0)
    cube("captions-two-phase", 7.0)
    found = switches.outcomes()
    off = switches.one_off(found)
    assert {name: row["delta_nll_nats"] for name, row in off.items()} == {"warmup": 9.0, "free_bits": 8.0, "noise": 7.0}
    assert switches.missed_most(found) == "noise"
    cube("captions-switch-warmup-noise", 0.1)
    assert switches.missed_most(switches.outcomes()) == "free_bits"


def test_the_table_has_a_row_a_run(cube):
    head, *rows = switches.table(switches.outcomes()).split("<tr>")[1:]
    assert head.count("<th ") == 7
    assert [row.count("<td ") for row in rows] == [7] * 8
    assert [row.count('aria-label="on"') for row in rows] == [3, 2, 2, 2, 1, 1, 1, 0]
    assert (">healthy<" in rows[0], ">collapsed<" in rows[-1]) == (True, True)


def test_a_curve_has_the_checks_of_its_run(cube):
    frame = switches.course("captions-switch-none", "as switched", "kl_nats")
    checks = backend.lane("captions-switch-none").checks
    assert frame["step"].tolist() == [check.step for check in checks]
    assert frame["value"].tolist() == [check.figures["kl_nats"] for check in checks]
    assert set(frame["run"]) == {"captions-switch-none"}


def test_what_a_switch_is_worth_follows_the_figures(cube):
    for name, nats in (("free-bits-noise", 1.0), ("warmup-noise", 0.1), ("warmup-free-bits-noise", 11.0)):
        cube(f"captions-switch-{name}", nats)
    cube("captions-two-phase", 10.0)
    said = switches.worth(switches.outcomes())
    assert "With all three on, a sentence costs 11.0 nats more" in said
    assert "without warm-up 1.0, without free bits 0.1, without noise 10.0" in said
    assert "The code misses free bits most" in said
    assert said.endswith("With the warm-up alone KL ends at 0.02 nats, and with all three off at 0.02.")
    assert "Here, to take only noise away leaves a healthy run." in said
    cube("captions-two-phase", 0.05)
    said = switches.worth(switches.outcomes())
    assert "The code misses noise most" in said
    assert "to take only" not in said
