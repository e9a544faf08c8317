"""What several tests of the door need."""

import pytest

from app import backend


@pytest.fixture
def model(explored):
    """The model of the run `explored`."""
    return backend.model("explored")
