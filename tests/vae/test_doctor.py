"""Verdicts on measured and constructed runs."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae.doctor import EMPTY_KL_NATS, IGNORED_NATS, diagnose
from vae.recipes import RECIPES

FIGURES = ("kl_nats", "mi_nats", "mi_ceiling_nats", "active_units", "delta_nll_nats")


def figures(kl: float, mi: float, units: int, delta: float, ceiling: float = math.log(2000)) -> dict[str, float]:
    return dict(zip(FIGURES, (kl, mi, ceiling, units, delta), strict=True))


@pytest.mark.parametrize(
    ("expected", "kl", "mi", "units", "delta"),
    [
        # a small T5 on generated captions, measured
        ("autoencoder", 109, 7.5, 32, 7.5),  # encoder warm-up only
        ("healthy", 11.8, 6.9, 32, 18.6),  # both phases
        ("collapsed", 0.02, 0.0, 0, 0.04),  # the full KL term from the first step
        ("collapsed", 0.14, 0.2, 8, 0.25),  # annealed over one epoch: some units count as active, and none is read
        # constructed
        ("disconnected", 12.0, 6.9, 32, 0.0),  # sentences are decoded from their neighbours' z
        ("disconnected", 16.0, 7.0, 32, 0.1),  # free bits of 0.5 in 32 dimensions, under a dead decoder
        ("disconnected", 16.0, 0.0, 0, 0.0),  # the same KL spent on an offset from the prior
        ("disconnected", 12.0, 6.9, 32, -8.0),  # codes and sentences out of order
        ("collapsed", 0.0, -0.01, 0, -0.02),  # sampling noise around nothing
        ("weak", 1.5, 1.2, 3, 1.4),
        ("weak", 20.0, 6.9, 32, 2.5),  # most of what the code tells is wasted
        ("healthy", 20.0, 6.2, 32, 15.0),  # long sentences: KL beyond the ceiling of MI is not a fault
        ("healthy", 8.0, 6.0, 2, 9.0),  # two dimensions for a picture
        ("autoencoder", 150.0, 7.6, 32, 140.0),  # no KL term at all
    ],
)
def test_the_verdict(expected: str, kl: float, mi: float, units: int, delta: float) -> None:
    verdict = diagnose(figures(kl, mi, units, delta))
    assert verdict.name == expected
    assert verdict.headline.lower().startswith(expected)
    assert verdict.advice


def test_the_evidence_shows_the_figures_that_decided_with_units_and_few_digits() -> None:
    evidence = " ".join(diagnose(figures(11.812345678, 6.9123, 32, 18.61234)).evidence)
    for part in ("18.6 nats", "11.8 nats", "6.9 nats of at most 7.6 nats", "32 dimensions are active"):
        assert part in evidence
    assert "11.81" not in evidence


def test_mismatch_is_not_sold_as_information() -> None:
    evidence = " ".join(diagnose(figures(16.0, 0.1, 0, 0.0)).evidence)
    assert "15.9 nats is mismatch" in evidence


def test_a_saturated_mi_is_a_least_value_and_tempers_the_verdict() -> None:
    evidence = " ".join(diagnose(figures(109, 7.5, 32, 7.5)).evidence)
    assert "at least 7.5 nats" in evidence
    assert "on more sentences it could rise" in evidence
    assert "could rise" not in " ".join(diagnose(figures(109, 5.0, 32, 7.5)).evidence)


def test_mixed_up_codes_are_named_first() -> None:
    verdict = diagnose(figures(12.0, 6.9, 32, -8.0))
    assert "8.0 nats less, so its own z only misleads" in verdict.evidence[0]
    assert "same order" in verdict.advice[0]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (("delta_nll_nats",), "without delta_nll."),
        (("kl_nats",), "without KL."),
        (FIGURES, "without delta_nll and KL."),
        (("mi_nats",), "without MI."),
        (("active_units",), "without the number of active units."),
    ],
)
@pytest.mark.parametrize("absent", ["left out", None, math.nan, "?"])
def test_what_was_not_measured_is_said(missing: tuple[str, ...], words: str, absent: object) -> None:
    known: dict[str, object] = dict(figures(11.8, 6.9, 32, 18.6))
    for name in missing:
        del known[name]
        if absent != "left out":
            known[name] = absent
    verdict = diagnose(known)
    assert verdict.name == "unknown"
    assert verdict.headline.startswith("Not measured yet")
    assert verdict.headline.endswith(words)


def test_a_dead_decoder_is_known_without_mi() -> None:
    assert diagnose({"kl_nats": 0.1, "delta_nll_nats": 0.0}).name == "collapsed"
    assert diagnose({"kl_nats": 9.0, "delta_nll_nats": 0.0}).name == "disconnected"


def test_a_whole_event_of_the_history_can_be_given() -> None:
    event = figures(11.8, 6.9, 32, 18.6) | {"step": 100, "split": "valid", "kl_per_dim_nats": [0.1, 0.2]}
    assert diagnose(event).name == "healthy"


@given(
    kl=st.floats(0, 1e4),
    mi=st.floats(-1, 20),
    units=st.integers(0, 4096),
    delta=st.floats(-100, 1e4),
)
def test_what_the_decoder_does_decides(kl: float, mi: float, units: int, delta: float) -> None:
    verdict = diagnose(figures(kl, mi, units, delta))
    ignored = delta < IGNORED_NATS
    assert (verdict.name in ("collapsed", "disconnected")) == ignored
    if ignored:
        assert (verdict.name == "collapsed") == (kl < EMPTY_KL_NATS)
    assert verdict.name != "unknown"
    assert all(sentence.endswith(".") for sentence in (verdict.headline, *verdict.evidence, *verdict.advice[:-1]))


def test_advice_names_recipes_that_exist() -> None:
    verdicts = [diagnose(figures(*case)) for case in ((0, 0, 0, 0), (9, 5, 32, 0), (109, 7.5, 32, 7.5))]
    named = {
        word.strip(",.:")
        for verdict in verdicts
        for a in verdict.advice
        for word in a.partition("recipe ")[2].split()[:1]
    }
    assert named
    assert named <= set(RECIPES)


def test_loads_without_torch() -> None:
    code = "import sys, vae.doctor; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
