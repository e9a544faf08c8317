import math

import pytest

from app.glossary import CURVES, METRICS, STATES, duration
from vae.runs import State


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("kl_nats", 11.8234567, "11.8"),
        ("kl_nats", 0.0234, "0.02"),
        ("kl_nats", 0, "0.0"),
        ("kl_nats", -0.0, "0.0"),
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


def test_every_curve_and_every_state_has_words():
    assert set(CURVES) <= METRICS.keys()
    assert set(State.__args__) <= STATES.keys()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (40, "40 s"),
        (200, "3 min"),
        (4800, "80 min"),
        (6000, "1 h 40 min"),
        (86400, "24 h"),
        (9e5, "10 days"),
    ],
)
def test_time_spans_are_said_as_people_say_them(seconds, words):
    assert duration(seconds) == words
