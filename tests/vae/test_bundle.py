import shutil
from pathlib import Path

import pytest
import torch

import vae
from vae import bundle, latents, projection
from vae.runs import Run, Status


@pytest.fixture
def copy(trained_run: Run, tmp_path: Path) -> Run:
    shutil.copytree(trained_run.path, tmp_path / "copy")
    return Run(tmp_path / "copy")


def test_a_bundled_run_is_small_and_complete(copy: Run) -> None:
    before, texts = vae.load(copy.path), latents.read_latents(copy).frame["text"].tolist()
    bundle.bundle(copy)
    after = vae.load(copy.path)
    assert copy.bundled
    assert (copy.status.state, copy.status.pid) == ("finished", None)
    assert not copy.state_path.exists()
    assert 0 < len(copy.snapshots()) <= bundle.SNAPSHOTS
    for name, tensor in after.model.weights().items():
        torch.testing.assert_close(tensor, before.model.weights()[name], rtol=1e-3, atol=1e-4)
    known = latents.read_latents(copy)
    assert known.frame["text"].tolist() == texts
    torch.testing.assert_close(torch.tensor(known.means), after.encode(texts).mean)  # those of the rounded weights
    assert all(projection.cached(copy, method) is not None for method in projection.METHODS)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_as_many_snapshots_stay_as_asked_for(copy: Run, count: int) -> None:
    first = min(copy.snapshots())
    bundle.bundle(copy, snapshots=count)
    assert len(copy.snapshots()) == count
    assert not count or first in copy.snapshots()


def test_a_bundled_run_is_not_deleted(copy: Run) -> None:
    bundle.bundle(copy)
    with pytest.raises(ValueError, match="ships with Bottleneck"):
        copy.delete()
    assert copy.exists


def test_only_a_finished_run_is_bundled(copy: Run) -> None:
    copy.write_status(Status(state="stopped"))
    with pytest.raises(ValueError, match="only a finished run"):
        bundle.bundle(copy)
    assert copy.state_path.exists()
