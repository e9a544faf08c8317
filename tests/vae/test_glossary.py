import math

import pytest

from vae.glossary import METRICS, TERMS


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("kl_nats", 11.8234567, "11.8"),
        ("kl_nats", 0.0234, "0.02"),
        ("kl_nats", 0, "0.0"),
        ("kl_nats", -0.0, "0.0"),
        ("kl_nats", -1e-16, "0.0"),
        ("delta_nll_nats", -0.42, "−0.4"),
        ("active_units", 32, "32"),
        ("rec_nats", 12345.6, "12,345.6"),
        ("learning_rate", 0.001, "0.00100"),
        ("kl_nats", math.nan, "–"),
        ("kl_nats", None, "–"),
        ("kl_nats", "many", "–"),
        ("kl_nats", True, "–"),
    ],
)
def test_numbers_are_short(name, value, shown):
    assert METRICS[name].show(value) == shown


def test_figures_read_together_have_the_same_digits():
    nll = METRICS["nll_nats"]
    assert nll.show_with(0.0812, (0.034, 0.124)) == "0.08 (0.03 to 0.12)"
    assert nll.show_with(2.26, (2.2, 2.31)) == "2.3 (2.2 to 2.3)"
    assert nll.show_with(0.3, (-0.04, 0.62)) == "0.30 (−0.04 to 0.62)"
    assert nll.show(0.124, 0.034) == "0.12"
    assert nll.show_with(0.124, None) == "0.1"
    assert nll.show_with(None, None) == "–"
    assert METRICS["active_units"].show_with(32, (31, 32)) == "32 (31 to 32)"


def test_every_metric_has_words_and_a_definition():
    for metric in METRICS.values():
        assert metric.title
        assert metric.definition.endswith(".")
        if metric.name.endswith("_nats"):
            assert "nats" in metric.definition


def test_every_word_is_explained_and_none_is_a_figure():
    assert not TERMS.keys() & METRICS.keys()
    assert all(term.title and term.definition.endswith(".") for term in TERMS.values())


def test_formulas_close_what_they_open():
    for term in (*TERMS.values(), *METRICS.values()):
        assert term.formula.count("{") == term.formula.count("}"), term.name
        assert term.formula.count(r"\left") == term.formula.count(r"\right"), term.name


def test_what_is_better_is_said_where_the_figure_alone_says_it():
    better = {name: metric.better for name, metric in METRICS.items()}
    assert better["delta_nll_nats"] == "high"
    assert better["rec_nats"] == better["neg_elbo_nats"] == better["ppl_word"] == "low"
    assert better["kl_nats"] == better["active_units"] == better["mi_nats"] == ""


def test_a_number_of_swaps_is_said_as_people_say_it():
    said = [METRICS[f"rec_swaps_{k}_nats"].definition for k in (1, 2)]
    assert "with two of its words exchanged." in said[0]
    assert "with two of its words exchanged, 2 times." in said[1]
