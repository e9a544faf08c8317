"""What a phase is judged by, and how a training process ends when the machine refuses something.

It leaves a state, a sentence, and weights that open.
"""

import errno
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

import vae
from vae import checkpoints, evaluate, jobs, recipes, runs, trainer
from vae.config import Phase
from vae.recorder import Recorder
from vae.runs import Run
from vae.schedules import Stage

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "one", recipes.get("plain-vae"))


def end(run: Run, error: BaseException) -> None:
    with Recorder(run, False) as job:
        job.place = {"step": 7, "phase": 1}
        raise error


def refuse(*_: Any, **__: Any) -> None:
    raise FULL


def test_the_machines_refusal_is_the_message_and_the_error(run: Run) -> None:
    with pytest.raises(ValueError, match="The disk is full: x could not be written"):
        end(run, OSError(errno.ENOSPC, "No space left on device", "x"))
    expected = "The disk is full: x could not be written. Make room first; resume starts from the beginning."
    assert (run.status.state, run.status.message, run.status.step) == ("failed", expected, 7)
    assert "Traceback" not in run.log_path.read_text(encoding="utf-8")


def test_a_path_that_is_no_unicode_can_be_told(run: Run) -> None:
    told = logging.LogRecord("vae", logging.INFO, __file__, 1, "file:\udcff does not exist", None, None)
    with Recorder(run, False) as job:
        job.handler.emit(told)  # and not by the logger, since what a test logs goes to its report in UTF-8
    assert "file:\\udcff does not exist" in run.log_path.read_text(encoding="utf-8")


def test_a_mistake_of_ours_keeps_its_kind_and_its_traceback(run: Run) -> None:
    with pytest.raises(KeyError):
        end(run, KeyError("rec"))
    assert run.status.state == "failed"
    assert "Traceback" in run.log_path.read_text(encoding="utf-8")


@pytest.mark.parametrize("error", [FULL, None])
def test_the_last_word_finds_room_where_the_old_one_stood(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: OSError | None
) -> None:
    """Neither a failure nor the end of a run goes unsaid because no new file can be made."""
    with (
        pytest.raises(ValueError, match="disk is full") if error else monkeypatch.context(),
        Recorder(run, False),
    ):
        run.update_status(message="Loading." + "." * 300)
        size = (run.path / "status.json").stat().st_size
        monkeypatch.setattr(runs, "write_bytes", refuse)
        if error:
            raise error
    assert run.status.state == ("failed" if error else "finished")
    assert (run.path / "status.json").stat().st_size == size  # nothing of the old one is left behind it
    json.loads((run.path / "status.json").read_text(encoding="utf-8"))
    assert jobs.reconcile(run) == run.status


def test_a_log_that_takes_no_more_does_not_hide_the_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logging.FileHandler.close", refuse)
    with pytest.raises(ValueError, match="disk is full"):
        end(run, FULL)


def test_a_disk_that_fills_up_on_the_way_leaves_weights_that_open(
    corpus_file: Path, make_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second saved model is cut short: what was half written goes, the first opens, and the run goes on from it."""
    run = Run.create(tmp_path / "run", make_config(f"file:{corpus_file}"))
    save = checkpoints.save_file

    def save_until_full(tensors: Any, path: Path) -> None:
        if (run.model_path / "model.safetensors").exists():
            path.write_bytes(b"half a file")
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", save_until_full)
        with pytest.raises(ValueError, match="The disk is full"):
            trainer.train(run, progress=False)
    status = run.status
    assert status.state == "failed"
    assert status.message.endswith("resume continues from the last saved state.")
    assert status.step > 0
    assert list(run.path.rglob("*.partial")) == []
    vae.load(run.path).decode(torch.zeros(1, 6))
    assert trainer.train(run, progress=False).state == "finished"


def test_memory_that_runs_out_on_the_way(
    corpus_file: Path, make_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(tmp_path / "run", make_config(f"file:{corpus_file}"))
    monkeypatch.setattr(trainer, "_objective", lambda *_, **__: torch.empty(2**55))
    with pytest.raises(ValueError, match="Memory ran out"):
        trainer.train(run, progress=False)
    assert run.status.message.startswith("Memory ran out: end other programs first")


def test_a_text_that_vanished_while_the_run_waited(
    make_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "mine.txt"
    text.write_text("a man is here .\n" * 20, encoding="utf-8")
    run = Run.create(tmp_path / "run", make_config(f"file:{text}"))
    text.unlink()
    with pytest.raises(ValueError, match=r"mine\.txt does not exist"):
        trainer.train(run, progress=False)
    assert (run.status.state, run.status.pid) == ("failed", os.getpid())
    assert "mine.txt does not exist: check the path" in run.status.message


@pytest.mark.parametrize(
    ("weight", "others"),
    [
        (1.0, {}),
        (0.0, {}),  # an autoencoder
        (0.5, {}),
        (1.0, {"kl_schedule": "linear", "kl_epochs": 10}),
        (1.0, {"kl_schedule": "cyclic", "kl_epochs": 4, "free_bits_target": 50.0}),
    ],
)
def test_a_check_is_judged_by_rec_and_the_kl_at_its_full_weight(
    run: Run, make_space: Any, sentences: list[str], weight: float, others: dict[str, Any]
) -> None:
    """Not by -ELBO where KL costs less in the end; not at the weight of the step, and before any threshold."""
    space, job = make_space(), Recorder(run, False)
    tokens = space.tokens(sentences[:20])
    job.config, job.watched = run.config, SimpleNamespace(tokens=tokens)
    loss, mi = job.judge(Stage(2, Phase(epochs=9, kl_weight=weight, **others), 0, 90, 10), space.model)
    seen = evaluate.one_pass(space.model.eval(), tokens, seed=run.config.train.seed)
    figures = evaluate.figures(seen, 1)
    assert figures["kl_nats"] > 1e-2
    assert loss == pytest.approx(figures["rec_nats"] + weight * figures["kl_nats"], rel=1e-6)
    assert mi == figures["mi_nats"]
