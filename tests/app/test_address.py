"""Sentences of a map in the URL. What is said about an address that asks for too much is tested on the pages."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components.address import Rows, read_rows, write_rows

TEXTS = [f"sentence {number}" for number in range(5000)]
URL_SAFE = set("0123456789abcdefghijklmnopqrstuvwxyz._~-")


@given(st.sets(st.integers(0, len(TEXTS) - 1), min_size=1, max_size=60))
def test_rows_come_back_from_the_address_in_order(rows):
    written = write_rows(rows, TEXTS)
    assert read_rows(written, TEXTS) == sorted(rows)
    assert set(written) <= URL_SAFE
    assert written in Rows(TEXTS)


@pytest.mark.parametrize("rows", [[0], [0, 1, 2, 3, 4999], range(5000), [35, 71, 1366, 1367, 2662], [36**2, 2 * 36**2]])
def test_steps_of_every_length_and_runs_come_back(rows):
    assert read_rows(write_rows(rows, TEXTS), TEXTS) == list(rows)


def test_a_lasso_around_hundreds_is_short_enough_for_an_address():
    texts = TEXTS[:2000]
    lengths = [len(write_rows(random.Random(n).sample(range(2000), n), texts)) for n in (50, 200, 400, 800, 1500, 2000)]
    assert max(lengths) < 1200
    assert lengths[-1] < 20  # all of them are one run
    many = [f"sentence {number}" for number in range(50_000)]
    assert len(write_rows(random.Random(0).sample(range(50_000), 600), many)) < 2000


def test_rows_of_other_sentences_are_none():
    written = write_rows([3, 4, 700], TEXTS)
    others = list(TEXTS)
    others[700] = "another"
    assert read_rows(written, others) == []
    assert read_rows(written, TEXTS[:600]) == []
    others = [*TEXTS[:701], "other sentences that are not meant"]
    assert read_rows(written, others) == [3, 4, 700]


@given(st.text(max_size=30) | st.from_regex(r"[0-9a-z]{0,7}_[0-9a-z.~-]{0,20}", fullmatch=True))
def test_garbage_is_no_row(text):
    assert read_rows(text, TEXTS) == []
    assert text not in Rows(TEXTS)


@pytest.mark.parametrize(
    "text", ["", "_", "0_", "0_0", "0_-zzzz-", "0_-zzzzzzzz-", "0_1²", "0_.1", "0_~1", "_1", "0_--"]
)
def test_what_looks_like_rows_and_is_none(text):
    assert read_rows(text, TEXTS) == []


def test_a_step_of_nothing_is_no_row():
    checksum, _, _ = write_rows([4999], TEXTS).partition("_")
    assert read_rows(f"{checksum}_0", TEXTS) == []  # it would be the row before the first: the last
