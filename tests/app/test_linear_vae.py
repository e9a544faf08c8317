"""What the linear VAE's slider is given, and the chapter around it."""

import json
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import backend
from app.components import linear_vae
from app.lesson import warm_up


@pytest.fixture(scope="module")
def data():
    return backend.linear_vae()


@pytest.fixture(scope="module")
def drawn(data):
    return linear_vae.drawing(data)


def test_training_arrived_at_the_exact_answer_at_every_noise_shown(data):
    assert np.array(data.trained) == pytest.approx(np.array(data.exact), abs=1e-3)
    assert data.alive == [sum(variance > noise for variance in data.variances) for noise in data.noises]


def test_all_dimensions_are_alive_first_and_die_one_by_one(data):
    assert sorted(set(data.alive), reverse=True) == [6, 5, 4, 3, 2, 1, 0]
    assert (np.diff(data.alive) <= 0).all()
    assert (data.noises[0], data.noises[-1]) == (0.1, 10)


def test_stops_are_even_on_the_axis_of_the_slider(data):
    assert np.diff(np.log(data.noises)) == pytest.approx(np.log(10) / 20, rel=0.01)


def test_a_stop_says_how_many_are_alive_and_what_each_tells(drawn):
    by_noise = {stop["shown"]: stop for stop in drawn["stops"]}
    stop = by_noise["0.50"]
    assert stop["count"] == "4 of 6 dimensions alive"
    assert stop["said"] == ["1.18", "0.83", "0.49", "0.15", "dead", "dead"]  # 0.5 ln(variance / 0.5012)
    assert by_noise["10.0"]["said"] == ["dead"] * 6


def test_the_axes_hold_all_that_is_drawn(drawn):
    assert [tick["shown"] for tick in drawn["ticks"]] == ["0.1", "0.3", "1", "3", "10"]
    assert [level["shown"] for level in drawn["levels"]] == ["0", "0.5", "1", "1.5", "2"]
    assert max(kl for stop in drawn["stops"] for kl in stop["trained"] + stop["exact"]) <= 2
    assert [each["shown"] for each in drawn["dimensions"]] == ["5.3", "2.66", "1.33", "0.67", "0.33", "0.15"]


def test_it_is_plain_json_with_a_name_of_its_own(data, drawn):
    json.dumps(drawn, allow_nan=False)
    assert linear_vae.drawing(data)["id"] == drawn["id"]
    other = backend.LinearVae(
        variances=(1.0,), noises=(0.1, 0.5), trained=[[1.1], [0.3]], exact=[[1.1], [0.3]], alive=[1, 1]
    )
    assert linear_vae.drawing(other)["id"] != drawn["id"]


def chapter():
    from app.lesson.warm_up import act, reveal

    act()
    reveal()


def test_the_chapter_shows_it_in_few_words():
    at = AppTest.from_function(chapter, default_timeout=30).run()
    assert not at.exception
    said = at.markdown[0].value
    assert len(re.findall(r"\w+", said)) < 60
    assert 0 <= warm_up.CHAPTER.answer < len(warm_up.CHAPTER.options)
    assert warm_up.CHAPTER.missing == []
