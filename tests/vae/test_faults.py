"""A trainer killed at random moments, and again: its run ends as if nothing had happened.

Real processes and real kills, few of them; `python -m benchmarks.faults` has twenty.
"""

import random
import shutil
from pathlib import Path

from benchmarks import faults
from vae.runs import Run

KILLS = 6


def test_a_run_that_is_killed_at_random_moments_is_the_untroubled_run(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"The moments follow from seed {seed}.")  # shown if the test fails
    alone, troubled = (Run.create(tmp_path / name, faults.config(2)) for name in ("alone", "troubled"))
    loading, seconds = faults.untroubled(alone)
    deaths = faults.killed(troubled, KILLS, loading, seconds, random.Random(seed))
    print(*deaths, sep="\n")
    assert len(deaths) >= KILLS // 2  # a life that was faster than expected may have come to the end
    assert faults.differences(troubled, alone) == []
    assert (troubled.status.step, troubled.status.total_steps) == (alone.status.step, alone.status.total_steps)


def test_a_difference_is_found(trained_run: Run, tmp_path: Path) -> None:
    """The comparison can fail: by one bit of a weight, a lost event, a file too many."""
    copy = Run(shutil.copytree(trained_run.path, tmp_path / "copy"))
    assert faults.differences(copy, trained_run) == []
    weights = copy.model_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    lines = copy.metrics_path.read_bytes().splitlines(keepends=True)
    copy.metrics_path.write_bytes(b"".join(lines[:3] + lines[4:]))
    (copy.state_path / ".left.partial").touch()
    found = [name.replace("\\", "/") for name in faults.differences(copy, trained_run)]
    assert found == ["metrics", "model/model.safetensors", "state/.left.partial"]
