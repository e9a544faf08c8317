"""What the garbage collector passes over, and that nothing is lost by it."""

import gc
import sys
import types
import weakref

import pytest

from app import backend
from app.backend import collector
from tests.app.frame import open_page


class Knot:
    """An object that only the collector can free."""

    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """As in a process in which this was never done; afterwards as the other tests have it."""
    monkeypatch.setattr(collector, "_known", 0)
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@pytest.fixture
def much_is_imported(monkeypatch):
    def grow(count=collector.MANY):
        for number in range(len(sys.modules), len(sys.modules) + count):
            monkeypatch.setitem(sys.modules, f"imported_{number}", types.ModuleType(f"imported_{number}"))

    return grow


def test_after_a_page_the_collector_looks_at_next_to_nothing(root):
    open_page()
    assert gc.get_freeze_count() > 10 * len(gc.get_objects())


def test_what_comes_later_is_collected_as_ever():
    backend.pass_over_libraries()
    knot = weakref.ref(Knot())
    gc.collect()
    assert knot() is None


def test_what_was_passed_over_is_collected_when_more_has_been_imported(much_is_imported):
    knot = Knot()
    known = weakref.ref(knot)
    backend.pass_over_libraries()
    del knot
    gc.collect()
    assert known() is not None  # out of sight
    much_is_imported(collector.MANY // 2)
    backend.pass_over_libraries()
    assert known() is not None  # too little to be worth it
    much_is_imported()
    backend.pass_over_libraries()
    assert known() is None


def test_libraries_that_come_later_are_passed_over_too(much_is_imported):
    backend.pass_over_libraries()
    later = [[] for _ in range(1000)]
    before = len(gc.get_objects())
    much_is_imported()
    backend.pass_over_libraries()
    assert len(gc.get_objects()) < before - len(later) // 2
