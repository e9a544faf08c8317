"""The votes of a class."""

import threading

import pytest

from app import backend
from app.backend import predictions


@pytest.fixture(autouse=True)
def nobody():
    backend.forget_predictions("space")
    yield
    backend.forget_predictions("space")


def test_a_reader_has_one_vote_and_may_change_it():
    backend.predict("space", "one", 0)
    backend.predict("space", "two", 2)
    assert backend.predicted("space", 3) == [1, 0, 1]
    backend.predict("space", "one", 2)
    assert backend.predicted("space", 3) == [0, 0, 2]
    assert backend.predicted("collapse", 3) == [0, 0, 0]
    backend.forget_predictions("space")
    assert backend.predicted("space", 3) == [0, 0, 0]


def test_thirty_readers_at_once_are_all_counted():
    readers = [
        threading.Thread(target=backend.predict, args=("space", str(number), number % 3)) for number in range(30)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert backend.predicted("space", 3) == [10, 10, 10]


def test_the_oldest_vote_makes_room(monkeypatch):
    monkeypatch.setattr(predictions, "MOST", 2)
    for number, option in enumerate([0, 1, 1]):
        backend.predict("space", str(number), option)
    assert backend.predicted("space", 3) == [0, 2, 0]
