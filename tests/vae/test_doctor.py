"""Verdicts on measured and constructed runs."""

import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vae
from vae import evaluate
from vae.backbones.as_released import AsReleased
from vae.corpora import captions
from vae.doctor import EMPTY_KL_NATS, IGNORED_NATS, diagnose
from vae.recipes import RECIPES
from vae.report import Report
from vae.space import Space

ROOT = Path(__file__).resolve().parents[2]
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
    for part in ("18.6 nats", "11.8 nats", "6.9 nats of at most 7.6 nats"):
        assert part in evidence
    disconnected = diagnose(figures(11.812345678, 6.9123, 32, 0.1)).evidence
    assert "32 dimensions are active." in disconnected
    assert "11.81" not in evidence


def test_two_to_four_figures_decide() -> None:
    for case in ((11.8, 6.9, 32, 18.6), (0.02, 0.0, 0, 0.04), (1.5, 1.2, 3, 1.4), (109, 5, 32, 90), (12, 6.9, 32, 0)):
        assert 2 <= len(diagnose(figures(*case)).evidence) <= 4


@pytest.mark.parametrize(
    ("expected", "kl", "mi", "mismatch"),
    [
        ("healthy", 15.8, 7.5, 2.1),  # captions, both phases, measured
        ("healthy", 19.7, 7.6, 1.4),  # reviews, both phases, measured: MI is at its ceiling
        ("healthy", 120.0, 7.6, 3.0),  # a long text whose code fills the prior: MI cannot show it, the moments do
        ("autoencoder", 109.0, 7.5, 40.0),
        ("autoencoder", 30.0, 7.5, 17.0),
    ],
)
def test_the_measured_mismatch_decides_where_there_is_one(expected: str, kl: float, mi: float, mismatch: float) -> None:
    known = figures(kl, mi, 32, 25.0) | {"marginal_kl_least_nats": mismatch}
    verdict = diagnose(known)
    assert verdict.name == expected
    assert f"{mismatch:.1f} nats" in " ".join(verdict.evidence)


def test_the_thresholds_of_mismatch_are_what_their_reasons_say() -> None:
    """0.5 (m^2 + v - 1 - ln v) of a dimension that is wider, narrower or off to the side."""
    left = ((0, 1.8, 0.5), (0, 1 / 2.5, 0.5), (1.0, 1.0, 0.5))
    unexplained = ((0, 2.6, 2.0), (0, 1 / 12, 2.0))
    gap = ((0, 1.33, 0.1), (0, 1 / 1.42, 0.1), (0.45, 1.0, 0.1))
    for m, deviation, threshold in (*left, *unexplained, *gap):
        nats = 0.5 * (m**2 + deviation**2 - 1 - math.log(deviation**2))
        assert nats == pytest.approx(threshold, rel=0.1)


@pytest.mark.parametrize(("units", "mismatch", "gap"), [(32, 3.1, False), (32, 3.3, True), (9, 1.0, True)])
def test_a_healthy_run_whose_codes_leave_a_gap_is_not_said_to_fill_the_prior(
    units: int, mismatch: float, gap: bool
) -> None:
    verdict = diagnose(figures(30.0, 7.5, units, 25.0) | {"marginal_kl_least_nats": mismatch})
    assert verdict.name == "healthy"
    evidence = " ".join(verdict.evidence)
    assert (f"do not quite fill the prior, a mismatch of at least {mismatch:.1f} nats" in evidence) == gap
    assert ("fill the prior, as far as can be seen" in evidence) != gap
    assert ("do not quite fill it" in verdict.headline) == gap
    assert ("stay near the prior" in verdict.headline) != gap
    assert ("prior samples" in verdict.advice[0]) != gap


def test_a_healthy_run_of_little_mi_promises_the_gist_alone_and_says_first_how_to_make_room() -> None:
    annealed = diagnose(figures(2.7, 2.53, 31, 6.0, ceiling=6.24) | {"marginal_kl_least_nats": 0.01})
    assert annealed.name == "healthy"
    assert "about 13 kinds of sentence" in annealed.evidence[2]
    assert "gist" in annealed.evidence[2]
    assert "free_bits_per_dimension" in annealed.advice[0]
    assert "rise more slowly" in annealed.advice[1]
    assert not any("read well" in advice for advice in annealed.advice)
    for full in (figures(15.8, 6.2, 32, 31.0, ceiling=6.24), figures(3.0, 3.9, 32, 9.0)):
        said = diagnose(full)
        assert not any("gist" in sentence for sentence in (*said.evidence, *said.advice))
        assert "read well" in said.advice[0]


def test_a_collapsed_run_is_first_told_what_saved_codes_here() -> None:
    free_bits, warm_up, slow = diagnose(figures(0.02, 0.0, 0, 0.04)).advice
    assert "phase2.free_bits_per_dimension=0.5" in free_bits
    assert "two-phase does both" in warm_up
    assert "rise slowly" in slow


def test_a_code_of_the_length_alone_is_weak() -> None:
    known = figures(2.5, 2.0, 3, 3.0)
    assert diagnose(known).name == "healthy"
    verdict = diagnose(known | {"delta_matched_nats": 0.1})
    assert verdict.name == "weak"
    assert "little but the length" in verdict.evidence[-1]
    assert diagnose(known | {"delta_matched_nats": 2.6}).name == "healthy"


def test_a_leak_between_neighbours_is_said_beside_a_deaf_decoder_and_decides_beside_one_that_listens() -> None:
    deaf = diagnose(figures(68, 7.5, 32, 0.001) | {"batch_leak_nats": 0.24})
    assert deaf.headline.startswith("Disconnected: the encoder fills z")
    assert deaf.evidence[0] == (
        "With another sentence's z a sentence costs the same, so z makes no difference to the decoder."
    )
    assert "0.24 nats more or less than in a batch" in deaf.evidence[-1]
    assert "transpose" in deaf.advice[0]
    listening = diagnose(figures(15.8, 7.5, 32, 1.5) | {"batch_leak_nats": 30.0})
    assert listening.name == "disconnected"
    assert "neighbours" in listening.headline
    assert diagnose(figures(15.8, 7.5, 32, 31.0) | {"batch_leak_nats": 1e-4}).name == "healthy"
    assert diagnose(figures(0.02, 0.0, 0, 0.0) | {"batch_leak_nats": 1.0}).name == "collapsed"


def test_a_z_that_is_fixed_is_collapsed_by_design() -> None:
    verdict = diagnose(figures(0.0, 0.0, 0, 0.0))
    assert verdict.name == "collapsed"
    assert "by design" in verdict.headline
    assert "yardstick" in verdict.advice[0]
    assert "by design" not in diagnose(figures(0.02, 0.0, 0, 0.04)).headline


@pytest.fixture(scope="module")
def scenes() -> pd.DataFrame:
    return captions.load(sizes={"train": 10, "valid": 10, "test": 300}, seed=0).test


@pytest.fixture(scope="module")
def healthy(scenes: pd.DataFrame) -> Report:
    return evaluate.evaluate(vae.load(ROOT / "checkpoints" / "captions-two-phase"), scenes, samples=1)


class TestConstructedModels:
    """The bundled healthy model, spoiled in one place: what looks at the encoder alone does not see it."""

    @staticmethod
    def report(space: Space, scenes: pd.DataFrame) -> Report:
        return evaluate.evaluate(space, scenes, samples=1)

    def test_as_it_is_it_is_healthy(self, healthy: Report) -> None:
        assert diagnose(healthy.to_dict()).name == "healthy"

    def looks_alive(self, spoiled: Report, healthy: Report) -> None:
        for name in ("kl_nats", "mi_nats", "active_units", "variances", "marginal_kl_nats"):
            assert getattr(spoiled, name) == getattr(healthy, name), name
        assert spoiled.kl_nats > 10
        assert spoiled.mi_saturated
        assert spoiled.active_units == 32

    def test_z_rolled_inside_the_batch_is_disconnected(self, healthy: Report, scenes: pd.DataFrame) -> None:
        space = vae.load(ROOT / "checkpoints" / "captions-two-phase")
        score = space.model.token_nats
        space.model.token_nats = lambda z, *rest: score(z.roll(1, 0), *rest)  # type: ignore[method-assign]
        spoiled = self.report(space, scenes)
        self.looks_alive(spoiled, healthy)
        for name in (
            "delta_nll_nats",
            "delta_matched_nats",
        ):  # not quite 0: its neighbours have its length, and tell it
            assert abs(getattr(spoiled, name)) < 0.1 * getattr(healthy, name)
        verdict = diagnose(spoiled.to_dict())
        assert verdict.name == "disconnected"
        assert "neighbours" in verdict.headline
        assert "Scored alone" in verdict.evidence[0]

    def test_the_released_memory_is_disconnected(self, healthy: Report, scenes: pd.DataFrame) -> None:
        space = vae.load(ROOT / "checkpoints" / "captions-two-phase")
        space.model.backbone = AsReleased(space.model.backbone.t5)
        spoiled = self.report(space, scenes)
        self.looks_alive(spoiled, healthy)
        assert spoiled.batch_leak_nats > 5
        assert healthy.batch_leak_nats < 1e-3
        assert diagnose(spoiled.to_dict()).name == "disconnected"

    def test_free_bits_over_a_dead_decoder_are_disconnected(self, healthy: Report, scenes: pd.DataFrame) -> None:
        space = vae.load(ROOT / "checkpoints" / "captions-two-phase")
        torch.nn.init.zeros_(space.model.projection.weight)
        spoiled = self.report(space, scenes)
        self.looks_alive(spoiled, healthy)
        assert spoiled.delta_nll_nats == pytest.approx(0, abs=1e-4)
        assert spoiled.distinct_prior == 1
        assert diagnose(spoiled.to_dict()).name == "disconnected"

    def test_codes_far_from_the_prior_make_an_autoencoder(self, scenes: pd.DataFrame) -> None:
        """Codes three times as wide, read by a decoder that makes them as small again: only the prior is wrong."""
        space = vae.load(ROOT / "checkpoints" / "captions-two-phase")
        space.model.mean.weight.mul_(3), space.model.mean.bias.mul_(3)
        space.model.logvar.bias.add_(2 * math.log(3))
        space.model.projection.weight.div_(3)
        spoiled = self.report(space, scenes)
        assert spoiled.delta_nll_nats > 20
        assert diagnose(spoiled.to_dict()).name == "autoencoder"

    def test_the_bundled_collapsed_run_is_collapsed(self, scenes: pd.DataFrame) -> None:
        report = self.report(vae.load(ROOT / "checkpoints" / "captions-plain-vae"), scenes)
        assert diagnose(report.to_dict()).name == "collapsed"


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


def test_a_model_that_has_not_been_trained_is_not_judged():
    fresh = figures(15.1, 1.8, 32, -0.4)
    assert diagnose(fresh).name == "disconnected"
    for start in ({"step": 0, "phase": 2, "epoch": 0.0}, {"step": 300, "phase": 1, "epoch": 0.0}):
        verdict = diagnose(fresh | start)
        assert (verdict.name, verdict.headline, verdict.evidence) == ("unknown", "Not trained yet.", ())
    assert diagnose(fresh | {"step": 26, "epoch": 0.08}).name == "disconnected"


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
