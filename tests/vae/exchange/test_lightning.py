"""Checkpoints of the released code, of their real layout and small: opened as runs that decode."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

import vae
from vae import jobs
from vae.corpora import Corpus, load
from vae.exchange import kind, lightning

LATENT = 5


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, make_t5: Callable[..., Any], tokenizer: Any) -> Path:
    """The folder of the T5 that the experiment started from."""
    folder = tmp_path_factory.mktemp("t5")
    make_t5(0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def experiment(tmp_path: Path, make_t5: Callable[..., Any]) -> tuple[Path, Any, dict[str, torch.Tensor]]:
    """lightning_logs/NAME as that code leaves it: the folder, the trained T5, and its three matrices."""
    t5 = make_t5(1)
    torch.manual_seed(2)
    heads = {
        "mu": torch.randn(LATENT, 16),
        "logvar": torch.randn(LATENT, 16),
        "memory_projection": 3 * torch.randn(32, LATENT),
    }
    old = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": torch.zeros(32, 2)}
    state = t5.state_dict() | old | {f"{name}.weight": tensor for name, tensor in heads.items()}
    folder = tmp_path / "lightning_logs" / "penn_t5_vae_5_mean_0.5_0.15_bs4"
    (folder / "checkpoints").mkdir(parents=True)
    for epoch, step in ((0, 9), (1, 18)):
        content = {"epoch": epoch, "global_step": step, "pytorch-lightning_version": "1.2.7"}
        content["state_dict"] = {f"t5.{name}": tensor * (1 if epoch else 0) for name, tensor in state.items()}
        torch.save(content, folder / "checkpoints" / f"epoch={epoch}-step={step}.ckpt")
    board = SummaryWriter(str(folder))
    for step in (9, 18):
        for tag, value in (("val_rec", 30.0), ("val_kl", 4.0), ("val_nll", 34.0), ("val_mi", 1.2), ("val_au", 3.0)):
            board.add_scalar(tag, value + step, step)
        board.add_scalar("val_elbo", -26.0, step)
        board.add_scalar("train_recon_loss", 0.2, step)
        board.add_scalar("train_reg_weight", step / 100, step)
    board.close()
    return folder, t5, heads


def test_the_newest_checkpoint_becomes_a_finished_run_that_computes_what_that_code_computed(
    experiment: Any, started: Path, tmp_path: Path, sentences: list[str], tokenizer: Any
) -> None:
    folder, t5, heads = experiment
    assert kind(folder) == "lightning"
    run = lightning.read(folder, tmp_path / "imported", str(started))
    assert (run.status.state, run.status.step) == ("finished", 18)
    assert run.env["imported"]["step"] == 18
    assert (run.config.phase2.free_bits_per_dimension, run.config.phase2.token_deletion) == (0.5, 0.15)
    space = vae.load(run.path)
    ended = [f"{sentence}</s>" for sentence in sentences[:3]]  # T5's own tokenizer adds it
    encoded = tokenizer(ended, padding="max_length", max_length=256, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        states = t5.encoder(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]).last_hidden_state
        pooled = states.mean(1)  # by the experiment's name, and padding included
        torch.testing.assert_close(space.encode(sentences[:3]).mean, pooled @ heads["mu"].T, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(space.encode(sentences[:3]).logvar, pooled @ heads["logvar"].T, rtol=1e-4, atol=1e-5)
    z = space.sample_prior(4)
    assert space.decode(z, max_tokens=20) == [space.decode(z[[row]], max_tokens=20)[0] for row in range(4)]
    with pytest.raises(ValueError, match="finished"):
        jobs.resume(run)


def test_its_curves_come_along_where_they_have_our_units(experiment: Any, started: Path, tmp_path: Path) -> None:
    run = lightning.read(experiment[0], tmp_path / "imported", str(started))
    checks = [event for event in run.metrics() if event["split"] == "valid"]
    assert [check["step"] for check in checks] == [9, 18]
    assert checks[0] == {
        "step": 9,
        "phase": 2,
        "split": "valid",
        "rec_nats": 39.0,
        "kl_nats": 13.0,
        "neg_elbo_nats": 43.0,
        "mi_nats": pytest.approx(10.2),
        "active_units": 12.0,
        "mi_ceiling_nats": math.log(4),
    }
    training = [event for event in run.metrics() if event["split"] == "train"]
    assert all(set(event) == {"step", "phase", "split", "kl_weight"} for event in training)


def test_with_a_corpus_it_has_a_map(experiment: Any, started: Path, tmp_path: Path, corpus_file: Path) -> None:
    corpus: Corpus = load(f"file:{corpus_file}")
    run = lightning.read(experiment[0], tmp_path / "imported", str(started), corpus=corpus)
    assert run.latents_path.is_file()
    assert (run.projections_path / "pca.parquet").is_file()


def test_the_wrong_t5_a_foreign_checkpoint_and_a_damaged_file_are_told_apart(
    experiment: Any, tmp_path: Path, make_t5: Callable[..., Any], tokenizer: Any
) -> None:
    other = tmp_path / "other"
    make_t5(0, d_ff=48).save_pretrained(other)
    tokenizer.save_pretrained(other)
    with pytest.raises(ValueError, match="was not trained from"):
        lightning.read(experiment[0], tmp_path / "a", str(other))
    foreign = tmp_path / "foreign.ckpt"
    torch.save({"state_dict": {"linear.weight": torch.zeros(2)}}, foreign)
    with pytest.raises(ValueError, match="no checkpoint of that code"):
        lightning.read(foreign, tmp_path / "b", str(other))
    foreign.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        lightning.read(foreign, tmp_path / "c", str(other))
    assert not any((tmp_path / name).exists() for name in "abc")
