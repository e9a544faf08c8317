"""One dimension at a time: how far, which values, and a code with some of them changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae import traversals

VALUES = st.floats(-100, 100, width=32)


def test_where_codes_vary_more_than_the_prior_a_traversal_goes_farther():
    means = np.array([[-4.0, 0, 0.5], [4.0, 0, -0.5]], np.float32)
    assert traversals.reach(means, np.full((2, 3), -20, np.float32)) == [10.0, 2.5, 2.5]
    assert traversals.reach(means, np.log([[9.0, 4.0, 0.1]] * 2)) == [12.5, 5.0, 2.5]  # noise counts as well


@given(VALUES, st.integers(1, 30), st.sampled_from([0.5, 2.5, 7.0]))
def test_stops_are_even_and_take_in_what_is_there(own, half, far):
    own = traversals.short(own)
    found = traversals.stops(far, own, count=2 * half + 1)
    assert found == sorted(set(found))
    assert own in found
    even = [value for value in found if value != own] if len(found) > 2 * half + 1 else found
    assert np.allclose(even, np.linspace(-far, far, 2 * half + 1), atol=1e-5)


def test_a_code_is_moved_and_the_base_is_not():
    base = np.array([0.1, 0.2, 0.3], np.float32)
    assert traversals.moved(base, {2: 1.25}).tolist() == [*base[:2].tolist(), 1.25]
    assert base[2] == np.float32(0.3)
    for dimension in (3, -1):
        with pytest.raises(ValueError, match=f"^There is no dimension {dimension} in a code of 3: choose one from 0"):
            traversals.moved(base, {dimension: 1.0})


def test_dimensions_come_by_their_kl_and_equal_ones_as_they_are():
    assert traversals.by_kl([0.1, 3.0, 3.0], 3) == [(1, 3.0), (2, 3.0), (0, 0.1)]
    assert traversals.by_kl([0.1, 3.0], 3) == [(0, None), (1, None), (2, None)]


@given(VALUES)
def test_a_short_number_is_the_float32(value):
    assert np.float32(traversals.short(value)) == np.float32(value)
