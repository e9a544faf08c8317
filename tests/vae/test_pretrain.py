"""`pretrain` is phase 0 of a run, kept as a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vae import base, recorder, runs, trainer
from vae.config import Config, Model, Phase, Train
from vae.pretrain import pretrain
from vae.runs import Run


@pytest.fixture(scope="module")
def settings(trained_run: Run) -> dict[str, Any]:
    config = trained_run.config
    return {"settings": config.pretrain, "data": config.data, "train": config.train}


@pytest.fixture(scope="module")
def starter(settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained folder, not to be changed."""
    out = tmp_path_factory.mktemp("starter") / "deep" / "t5"
    pretrain(out, **settings, progress=False)
    return out


def timeless(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    clock = ("sentences_per_second", "tokens_per_second", "peak_share", "time_s", "memory_mb")
    return [{key: value for key, value in event.items() if key not in clock} for event in events]


def test_it_is_what_phase_0_of_a_run_is(starter: Path, trained_run: Run) -> None:
    """Same seed, same sentences, same steps: the history is that of a run with base `fresh`, up to its phase 1."""
    events, _ = runs.read_lines(starter / "metrics.jsonl")
    assert timeless(events) == timeless([event for event in trained_run.metrics() if event["phase"] == 0])
    assert events[-1]["denoising_nats"] < events[0]["denoising_nats"]


def test_whoever_may_read_a_new_file_may_read_the_folder(starter: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    usual = (tmp_path / "plain").stat().st_mode
    assert {path.name for path in starter.iterdir() if path.stat().st_mode != usual} == set()


def test_the_folder_is_a_t5_to_start_from(starter: Path, sentences: list[str], make_config: Callable[..., Config],
                                          corpus_file: Path, tmp_path: Path) -> None:  # fmt: skip
    t5, tokenizer = base.load(str(starter))
    assert (t5.config.d_model, t5.config.num_layers, len(tokenizer)) == (16, 2, t5.config.vocab_size)
    ids = tokenizer(sentences[0], split_special_tokens=True)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == sentences[0]
    config = make_config(
        f"file:{corpus_file}", model=Model(base=str(starter)), phase1=Phase(), phase2=Phase(epochs=0.2)
    )
    run = Run.create(tmp_path / "run", config)
    assert trainer.train(run, progress=False).state == "finished"


def test_the_kept_weights_are_the_trained_ones_in_16_bits(
    starter: Path, trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the T5 that a run with base `fresh` takes into its phase 1."""
    trained: dict[str, torch.Tensor] = {}
    surround = trainer._text_vae

    def watch(t5: Any, config: Config) -> Any:
        trained.update({name: tensor.clone() for name, tensor in t5.state_dict().items()})
        return surround(t5, config)

    monkeypatch.setattr(trainer, "_text_vae", watch)
    trainer.train(Run.create(tmp_path / "run", trained_run.config), progress=False)
    kept = base.load(str(starter))[0].state_dict()
    assert kept.keys() == trained.keys()
    for name, tensor in kept.items():
        assert torch.equal(tensor, trained[name].half().float()), name
    size = sum(path.stat().st_size for path in starter.glob("*.safetensors"))
    assert size < 2.6 * sum(tensor.numel() for tensor in {t.data_ptr(): t for t in kept.values()}.values())


@pytest.mark.parametrize("make", [lambda out: (out.mkdir(), (out / "x").touch()), lambda out: out.touch()])
def test_a_place_that_is_taken_is_left_alone(settings: dict[str, Any], tmp_path: Path, make: Any) -> None:
    make(tmp_path / "out")
    with pytest.raises(ValueError, match="already holds something: choose another folder"):
        pretrain(tmp_path / "out", **settings, progress=False)


def test_stopped_before_its_end_it_leaves_nothing(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder.Recorder, "stop_wanted", lambda _: True)
    with pytest.raises(ValueError, match="stopped before its end, so there is nothing to keep"):
        pretrain(tmp_path / "out", **settings, progress=False)
    assert not (tmp_path / "out").exists()


def test_bad_settings_are_said_before_anything_is_trained(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size=0"):
        pretrain(tmp_path / "out", **{**settings, "train": Train(batch_size=0)}, progress=False)
