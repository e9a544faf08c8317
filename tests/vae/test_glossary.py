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
