import pytest

from app.glossary import CURVES, METRICS, STATES, TABLE, duration
from vae.runs import State


def test_every_curve_and_every_state_has_words():
    assert {*CURVES, *TABLE} <= METRICS.keys()
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
