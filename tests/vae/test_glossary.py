import math

import pytest

from vae.glossary import METRICS


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
