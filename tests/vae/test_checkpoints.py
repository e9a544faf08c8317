"""What a run resumes from: whole at any moment, and one clear sentence when somebody has damaged it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vae import checkpoints, runs
from vae.checkpoints import Position
from vae.config import Config
from vae.model import TextVAE
from vae.runs import Run
from vae.space import Space

MakeSpace = Callable[..., Space]


@pytest.fixture
def run(tmp_path: Path, make_config: Callable[..., Config]) -> Run:
    return Run.create(tmp_path / "run", make_config("captions"))


def position(step: int = 3) -> Position:
    return Position(step=step, phase=1, precision="fp32", window={"rec": 1.5, "sentences": 16.0})


WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.zeros(())}
MOMENTS = {"a.weight/exp_avg": torch.ones(2, 3), "a.weight/step": torch.tensor(3.0)}


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_is_saved_is_read_back(run: Run) -> None:
    assert checkpoints.read(run) is None
    checkpoints.save(run, position(), WEIGHTS, MOMENTS)
    saved = checkpoints.read(run)
    assert saved is not None
    assert saved[0] == position()
    assert same(saved[1], WEIGHTS)
    assert same(saved[2], MOMENTS)


def test_one_state_is_kept_and_nothing_else_stays(run: Run) -> None:
    checkpoints.save(run, position(3), WEIGHTS, MOMENTS)
    (run.state_path / ".step-9.safetensors.partial").write_bytes(b"a process was killed here")
    checkpoints.save(run, position(7), WEIGHTS, {})
    assert sorted(path.name for path in run.state_path.iterdir()) == ["state.json", "step-7.safetensors"]
    saved = checkpoints.read(run)
    assert saved is not None
    assert saved[0].step == 7


def test_a_process_killed_while_saving_leaves_the_state_before_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at the first swap (of tensors) or at the second (of state.json), or before the old file is removed."""
    swap = runs.swap
    for survived in (0, 1):
        checkpoints.save(run, position(3), WEIGHTS, MOMENTS)
        left = [survived]

        def die(partial: Path, path: Path, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            swap(partial, path)

        monkeypatch.setattr(runs, "swap", die)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(run, position(8), {"a.weight": torch.zeros(2, 3), "b": torch.ones(())}, MOMENTS)
        monkeypatch.undo()
        saved = checkpoints.read(run)
        assert saved is not None
        assert saved[0] == position(3)
        assert same(saved[1], WEIGHTS)


def test_each_file_is_on_the_disk_before_it_takes_its_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tensors and state.json themselves, and before it the events that it says have happened."""
    runs.append_line(run.metrics_path, {"step": 3})
    runs.append_line(run.samples_path, {"step": 3})
    happened: list[tuple[str, str]] = []
    swap, settle = runs.swap, runs.settle

    def settled(path: Path) -> None:
        happened.append(("settle", path.name.removeprefix(".").split(".")[0]))
        settle(path)

    def swapped(partial: Path, path: Path) -> None:
        happened.append(("swap", path.name.split(".")[0]))
        swap(partial, path)

    monkeypatch.setattr(runs, "settle", settled)
    monkeypatch.setattr(runs, "swap", swapped)
    checkpoints.save(run, position(3), WEIGHTS, MOMENTS)
    tensors = [("settle", "step-3"), ("swap", "step-3")]
    events = [("settle", "metrics"), ("settle", "samples")]
    assert happened == [*tensors, *events, ("settle", "state"), ("swap", "state")]


def test_whoever_may_read_the_run_may_read_its_weights(trained_run: Run, tmp_path: Path) -> None:
    """Files of a library, too, have the mode of every new file. On Windows there is one mode for all."""
    (tmp_path / "plain").touch()
    usual = (tmp_path / "plain").stat().st_mode
    files = [path for path in trained_run.path.rglob("*") if path.is_file()]
    assert len({path.suffix for path in files}) >= 5
    assert [str(path) for path in files if path.stat().st_mode != usual] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask, and one mode for all files")
def test_weights_follow_the_umask_whatever_lay_there_before(make_space: MakeSpace, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    before = os.umask(0o027)
    try:
        checkpoints.write_tensors(path, WEIGHTS)
        path.chmod(0o600)
        checkpoints.write_tensors(path, WEIGHTS)
        make_space().model.save_pretrained(tmp_path / "hub")
    finally:
        os.umask(before)
    assert [oct(file.stat().st_mode & 0o777) for file in (path, tmp_path / "hub" / path.name)] == ["0o640", "0o640"]
    assert {file.name for file in tmp_path.iterdir()} == {"model.safetensors", "hub"}
    assert {file.name for file in (tmp_path / "hub").iterdir()} >= {"model.safetensors", "config.json"}
    assert not list(tmp_path.rglob(".*"))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "tensors cut short": lambda f: (f / "step-3.safetensors").write_bytes((f / "step-3.safetensors").read_bytes()[:-5]),
    "no tensors": lambda f: (f / "step-3.safetensors").unlink(),
    "empty tensors": lambda f: (f / "step-3.safetensors").write_bytes(b""),
    "garbled document": lambda f: (f / "state.json").write_text("{"),
    "a number": lambda f: (f / "state.json").write_text("3"),
    "a list": lambda f: (f / "state.json").write_text("[]"),
    "no fields": lambda f: (f / "state.json").write_text("{}"),
    "no step": lambda f: (f / "state.json").write_text('{"file": "step-3.safetensors"}'),
    "unknown field": lambda f: (f / "state.json").write_text(
        json.dumps({**json.loads((f / "state.json").read_text(encoding="utf-8")), "mood": 1})
    ),
    "a path out of the folder": lambda f: (f / "state.json").write_text('{"file": 3, "step": 3}'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_one_sentence(run: Run, damage: str) -> None:
    checkpoints.save(run, position(3), WEIGHTS, MOMENTS)
    DAMAGES[damage](run.state_path)
    with pytest.raises(ValueError, match=r"damaged") as caught:
        checkpoints.read(run)
    assert "\n" not in str(caught.value)
    assert "state" in str(caught.value)


def test_the_optimizer_goes_on_where_it_was() -> None:
    """Two AdamWs, one of them saved and loaded in between, take the same steps to the last bit."""

    def make() -> tuple[torch.nn.Module, torch.optim.AdamW]:
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
        module[1].bias.requires_grad_(False)  # a frozen parameter has no moments
        return module, torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=0.1, fused=True)

    def step(module: torch.nn.Module, optimizer: torch.optim.AdamW, seed: int) -> None:
        optimizer.zero_grad()
        module(torch.randn(5, 3, generator=torch.Generator().manual_seed(seed))).square().sum().backward()
        optimizer.step()

    first, stepping = make()
    step(first, stepping, 0)
    step(first, stepping, 1)
    saved = checkpoints.moments(first, stepping)
    assert {name.split("/")[0] for name in saved} == {"0.weight", "0.bias", "1.weight"}
    second, other = make()
    second.load_state_dict(first.state_dict())
    checkpoints.load_moments(second, other, saved)
    for seed in (2, 3):
        step(first, stepping, seed)
        step(second, other, seed)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert checkpoints.moments(second, other).keys() == saved.keys()


def test_loading_moments_does_not_tie_them_to_what_was_read() -> None:
    module = torch.nn.Linear(2, 2, bias=False)
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    saved = {f"weight/{key}": torch.zeros(2, 2) for key in ("exp_avg", "exp_avg_sq")} | {"weight/step": torch.zeros(())}
    checkpoints.load_moments(module, optimizer, saved)
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert float(saved["weight/step"]) == 0
    assert not saved["weight/exp_avg"].any()


def test_moments_come_back_on_the_device_of_their_parameter() -> None:
    """The step counter too: a fused AdamW on a GPU counts there. The meta device stands in for one."""
    module = torch.nn.Linear(2, 2, bias=False, device="meta")
    optimizer = torch.optim.AdamW(module.parameters(), fused=False)
    saved = {f"weight/{key}": torch.zeros(2, 2) for key in ("exp_avg", "exp_avg_sq")} | {"weight/step": torch.zeros(())}
    checkpoints.load_moments(module, optimizer, saved)
    assert {value.device.type for value in optimizer.state[module.weight].values()} == {"meta"}


@pytest.mark.parametrize("half", [False, True])
def test_a_model_is_saved_as_the_hub_library_saves_it(make_space: MakeSpace, half: bool, tmp_path: Path) -> None:
    space = make_space(pooling="mean", max_tokens=17)
    checkpoints.save_model(space.model, tmp_path / "ours", half=half)
    space.model.save_pretrained(tmp_path / "theirs")
    ours, theirs = (json.loads((tmp_path / f / "config.json").read_text(encoding="utf-8")) for f in ("ours", "theirs"))
    assert ours == theirs
    weights, full = (load_file(tmp_path / folder / "model.safetensors") for folder in ("ours", "theirs"))
    assert {name: tensor.shape for name, tensor in weights.items()} == {n: t.shape for n, t in full.items()}
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16 if half else torch.float32}
    loaded: Any = TextVAE.from_pretrained(tmp_path / "ours")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert not list((tmp_path / "ours").glob(".*"))
