"""What several tests of the door need."""

import contextlib
import io
import shlex

import pytest

from app import backend


@pytest.fixture
def model(explored):
    """The model of the run `explored`."""
    return backend.model("explored")


@pytest.fixture
def typed():
    """`typed(lines)` runs commands that were copied, and returns all that they print."""
    from vae import cli

    def run(lines):
        said = io.StringIO()
        for line in lines.split("\n"):
            words = shlex.split(line)
            assert words[:3] == ["python", "-m", "vae"]
            with contextlib.redirect_stdout(said):
                assert cli.main(words[3:]) == 0
        return said.getvalue()

    return run
