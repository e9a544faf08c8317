"""TensorBoard reads what the run says: the same figures at the same steps."""

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vae import trainer
from vae.config import Config
from vae.exchange import tensorboard
from vae.recorder import Recorder
from vae.runs import Run


def test_every_figure_is_found_again(trained_run: Run, tmp_path: Path) -> None:
    events = trained_run.metrics()
    assert tensorboard.export(trained_run, tmp_path) == len(events) + len(trained_run.samples())
    found = tensorboard.scalars(tmp_path)
    expected: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        for name, value in event.items():
            if isinstance(value, int | float) and name != "step":
                expected.setdefault(f"{name}/{event['split']}", []).append((event["step"], value))
    assert found.keys() == expected.keys()
    for tag, points in expected.items():
        assert [step for step, _ in found[tag]] == [step for step, _ in points]
        assert [value for _, value in found[tag]] == pytest.approx([value for _, value in points], rel=1e-6)


def test_a_resumed_run_voids_what_came_after_its_state(tmp_path: Path) -> None:
    for first, values in ((0, (1.0, 2.0, 3.0)), (2, (20.0, 30.0))):
        board = tensorboard.Board(tmp_path, first)
        for step, value in enumerate(values, start=max(1, first)):
            board.add({"step": step, "split": "train", "kl_nats": value})
        board.close()
    assert tensorboard.scalars(tmp_path)["kl_nats/train"] == [(1, 1.0), (2, 20.0), (3, 30.0)]


def test_a_run_that_wants_it_writes_event_files_beside_its_metrics_also_after_a_resume(
    make_config: Callable[..., Config], corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(f"file:{corpus_file}").with_settings(["train.tensorboard=yes"])
    run = Run.create(tmp_path / "run", config)
    monkeypatch.setattr(Recorder, "stop_wanted", lambda recorder: recorder.place["step"] >= 15)
    assert trainer.train(run, progress=False).state == "stopped"
    monkeypatch.undo()
    assert trainer.train(run, progress=False).state == "finished"
    points = [
        (event["step"], event["kl_nats"]) for event in run.metrics() if event["split"] == "valid" if event["phase"]
    ]
    found = tensorboard.scalars(run.path)["kl_nats/valid"]
    assert [step for step, _ in found] == [step for step, _ in points]
    assert [value for _, value in found] == pytest.approx([value for _, value in points], rel=1e-5)


def test_without_the_package_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if "tensorboard" in name and not name.startswith("vae"):
            raise ImportError(name)
        return known(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        tensorboard.Board(tmp_path)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        tensorboard.scalars(tmp_path)
