"""The LSTM of Li et al. 2019 against the library's LSTM with z beside every word, and from text to a trained run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

import vae
from vae import base, decode, evaluate, latents, projection, trainer
from vae.backbones.lstm import LSTMBackbone
from vae.batching import Batch, tokenize
from vae.config import Config, Lstm, Model, Phase
from vae.model import TextVAE
from vae.runs import Run
from vae.space import Space

WORDS, EMBEDDING, WIDTH, LATENT = 40, 6, 10, 5
MakeConfig = Callable[..., Config]


def lstm_vae(vocabulary: int = WORDS, **changes: Any) -> TextVAE:
    """A random one, strong enough for everything in it to matter."""
    torch.manual_seed(0)
    sizes = {"embedding": EMBEDDING, "width": WIDTH, "dropout": 0.5, **changes}
    model = TextVAE.around(LSTMBackbone(vocabulary=vocabulary, **sizes), latent_size=LATENT)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model.eval()


def lstm_space(texts: list[str]) -> Space:
    tokenizer = base.word_tokenizer(texts, 1000)
    return Space(lstm_vae(len(tokenizer)), tokenizer)


def concatenated(model: TextVAE) -> nn.LSTM:
    """The decoder as the paper has it: an LSTM of the library that reads [word; z], from the same weights."""
    backbone: Any = model.backbone
    lstm = nn.LSTM(EMBEDDING + LATENT, WIDTH, batch_first=True)
    own, of_z = backbone.decoder, model.projection.weight[WIDTH:]
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.cat([own.weight_ih_l0, of_z], 1))
        for name in ("weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(lstm, name).copy_(getattr(own, name))
    return lstm


def plain_hidden(model: TextVAE, lstm: nn.LSTM, z: Tensor, ids: Tensor) -> Tensor:
    """c_0 = W_c z, h_0 = tanh(c_0), z beside every word."""
    backbone: Any = model.backbone
    c = z @ model.projection.weight[:WIDTH].T
    words = torch.cat([backbone.decoder_words(ids), z[:, None].expand(-1, ids.shape[1], -1)], 2)
    hidden, _ = lstm(words, (torch.tanh(c)[None], c[None]))
    return hidden


# ---------------------------------------------------------------------------------------------------- the architecture


@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=25)
def test_zs_share_of_the_gates_is_z_beside_every_word(rows: int, length: int, seed: int) -> None:
    model = lstm_vae()
    lstm, generator = concatenated(model), torch.Generator().manual_seed(seed)
    z = torch.randn(rows, LATENT, generator=generator)
    ids = torch.randint(WORDS, (rows, length), generator=generator)
    with torch.no_grad():
        found = model.backbone.hidden(model.projection(z), ids)
        torch.testing.assert_close(found, plain_hidden(model, lstm, z, ids), rtol=1e-4, atol=1e-5)


def test_its_gradients_are_those_of_z_beside_every_word() -> None:
    model, ids = lstm_vae(), torch.randint(WORDS, (7, 9), generator=torch.Generator().manual_seed(0))
    lstm, backbone = concatenated(model), model.backbone
    own: Any = backbone.decoder  # type: ignore[attr-defined]
    z = torch.randn(7, LATENT, generator=torch.Generator().manual_seed(1)).requires_grad_()
    project = model.projection.weight
    ours, theirs = (
        torch.autograd.grad(hidden.square().sum(), (z, project, side.weight_ih_l0, side.weight_hh_l0))
        for hidden, side in (
            (backbone.hidden(model.projection(z), ids), own),
            (plain_hidden(model, lstm, z, ids), lstm),
        )
    )
    expected = torch.cat([theirs[1][:WIDTH], theirs[2][:, EMBEDDING:]])  # of W_c, and of z's columns
    for found, wanted in zip(ours, (theirs[0], expected, theirs[2][:, :EMBEDDING], theirs[3]), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_what_is_pooled_is_the_state_at_each_sentences_own_end() -> None:
    """Against the library's packed sequences, which never compute what stands behind the end."""
    model = lstm_vae()
    backbone: Any = model.backbone
    lengths = torch.tensor([9, 4, 1, 7])
    ids = torch.randint(WORDS, (4, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(9) < lengths[:, None]
    packed = nn.utils.rnn.pack_padded_sequence(
        backbone.encoder_words(ids), lengths, batch_first=True, enforce_sorted=False
    )
    with torch.no_grad():
        _, (last, _) = backbone.encoder(packed)
        assert model.pooling == "last"
        found = model.encode(Batch(ids, mask))
        torch.testing.assert_close(found.mean, model.mean(last[0]), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.logvar, model.logvar(last[0]), rtol=1e-4, atol=1e-5)


def test_it_starts_from_the_papers_uniform_weights() -> None:
    torch.manual_seed(0)
    model = TextVAE.around(LSTMBackbone(vocabulary=400, embedding=32, width=24, dropout=0.5), latent_size=8)
    for name, parameter in model.weights().items():
        bound = 0.1 if "words" in name else 0.01
        assert bound / 2 < float(parameter.abs().max()) <= bound, name
        if parameter.numel() > 500:
            assert float(parameter.std()) == pytest.approx(bound / math.sqrt(3), rel=0.1), name


def test_dropout_is_where_the_paper_has_it() -> None:
    """Half of the decoder's word embeddings and of the states before the logits; none in the encoder, none of z."""
    model = lstm_vae().train()
    backbone: Any = model.backbone
    ids, mask = torch.randint(4, WORDS, (50, 8)), torch.ones(50, 8, dtype=torch.bool)
    seen: list[Tensor] = []
    backbone.dropout.register_forward_hook(lambda _, given, kept: seen.append((kept == 0).float().mean()))
    with torch.no_grad():
        states = [backbone.states(ids, mask, every_layer=False)[0] for _ in range(2)]
        hidden = backbone.hidden(torch.randn(50, 5 * WIDTH), ids)
        backbone.logits(hidden)
    assert torch.equal(*states)
    assert [float(share) for share in seen] == pytest.approx([0.5, 0.5], abs=0.05)


def test_the_cell_alone_and_the_gates_alone_carry_z() -> None:
    """Both ways of z matter: either slice of the memory changes what is decoded."""
    backbone, ids = lstm_vae().backbone, torch.randint(WORDS, (3, 6))
    memory = torch.randn(3, 5 * WIDTH)
    with torch.no_grad():
        plain = backbone.hidden(memory, ids)
        for part in (slice(0, WIDTH), slice(WIDTH, None)):
            silent = memory.clone()
            silent[:, part] = 0
            assert float((backbone.hidden(silent, ids) - plain).abs().amax((1, 2)).min()) > 1e-2


def test_beam_search_finds_nothing_less_likely_than_greedy(sentences: list[str]) -> None:
    model = lstm_vae(12)  # few words, so that sentences end
    z = 2 * torch.randn(8, LATENT, generator=torch.Generator().manual_seed(0))

    def log_p(ids: Tensor) -> Tensor:
        ended = (ids == 1).cumsum(1)
        mask = (ended == 0) | ((ids == 1) & (ended == 1))
        with torch.no_grad():
            return -model.reconstruction(z, Batch(ids, mask))

    greedy, beam = decode.generate(model, z, 6), decode.beam_search(model, z, 6, beams=12 * 5, length_penalty=0.0)
    finished = (greedy == 1).any(1)
    assert bool(finished.any())
    assert bool((log_p(beam)[finished] >= log_p(greedy)[finished] - 1e-4).all())


# -------------------------------------------------------------------------------------------------- words and <unk>


def test_what_an_unknown_word_costs_is_the_cost_of_unk(sentences: list[str]) -> None:
    """One token and one word; another unknown word costs the same, which is why the share of <unk> must be known."""
    space = lstm_space(sentences)
    z = torch.randn(1, LATENT).expand(3, -1)
    costs = space.nll(["a zebra is riding .", "a <unk> is riding .", "a gnu is riding ."], z)
    torch.testing.assert_close(costs, costs[:1].expand(3))
    report = evaluate.evaluate(space, pd.DataFrame({"text": [*sentences[:10], "a zebra waits for it ."]}), samples=2)
    assert report.words == report.tokens  # whitespace words and ends are what the model predicts
    words = report.words - report.sentences
    assert report.unknown_share == pytest.approx(100 / words)  # the zebra
    assert report.ppl_word == report.ppl_token


def test_words_are_counted_as_the_model_reads_them_when_a_text_is_cut(sentences: list[str]) -> None:
    space = lstm_space(sentences)
    tokens = tokenize(space.tokenizer, ["a zebra is riding a bus in the park", "a bus"], 5)
    read = evaluate.readings(space.tokenizer, ["a zebra is riding a bus in the park", "a bus"], tokens, 5)
    assert read == ["a <unk> is riding", "a bus"]
    assert evaluate.count_words(read) == int(tokens.lengths.sum()) == 5 + 3


# ---------------------------------------------------------------------------------------------------- a trained run


@pytest.fixture(scope="session")
def lstm_config(make_config: MakeConfig, corpus_file: Path) -> Config:
    """A run of seconds: an LSTM autoencoder, then a VAE with free bits."""
    tiny = make_config(f"file:{corpus_file}")
    return replace(
        tiny,
        model=Model(backbone="lstm", latent_size=6, pooling="last"),
        lstm=Lstm(vocabulary=20, embedding=8, width=16, dropout=0.1),
        pretrain=Config(phase2=Phase(epochs=1)).pretrain,
        phase1=Phase(epochs=2, learning_rate=1e-2, kl_weight=0.0),
        phase2=replace(tiny.phase2, epochs=3, learning_rate=1e-2, token_deletion=0.0),
    )


@pytest.fixture(scope="session")
def lstm_run(lstm_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished one, not to be changed."""
    run = Run.create(tmp_path_factory.mktemp("lstm") / "lstm", lstm_config)
    trainer.train(run, progress=False)
    return run


def test_both_phases_train_and_there_is_no_phase_0(lstm_run: Run) -> None:
    assert lstm_run.status.state == "finished"
    events = [event for event in lstm_run.metrics() if event["split"] == "valid"]
    assert {event["phase"] for event in events} == {1, 2}
    assert events[-1]["rec_nats"] < events[0]["rec_nats"] - 5
    log = lstm_run.log_path.read_text(encoding="utf-8")
    assert "Phase 1 trains encoder (" in log
    texts = trainer._corpus(lstm_run, lstm_run.config).valid["text"].tolist()
    share = base.unknown_share(base.tokenizer(lstm_run.model_path), texts)
    assert share > 0
    assert f"The vocabulary has 24 entries; {100 * share:.2f} % of the words of the validation sentences" in log
    assert "embedding table is also the head" not in log


def test_it_opens_everywhere(lstm_run: Run) -> None:
    space = vae.load(lstm_run.path)
    assert isinstance(space.model.backbone, LSTMBackbone)
    assert len(space.tokenizer) == 24
    read = latents.read_latents(lstm_run)
    texts = read.frame["text"].tolist()
    np.testing.assert_allclose(read.means, space.encode(texts).mean.numpy(), rtol=1e-4, atol=1e-5)
    assert projection.cached(lstm_run, "pca") is not None
    report = evaluate.evaluate(space, trainer._corpus(lstm_run, lstm_run.config).test, samples=4)
    assert report.ppl_word == report.ppl_token
    assert report.batch_leak_nats < 1e-3
    path = space.interpolate(*space.sample_prior(2), steps=5)
    assert all(space.decode(path, method=how) for how in ("greedy", "sample", "beam"))
    known = set(space.tokenizer.get_vocab())
    assert {word for text in space.decode(space.encode(texts).mean) for word in text.split()} <= known
    snapshot = next(iter(lstm_run.snapshots()))
    assert vae.load(lstm_run.path, snapshot).model.pooling == "last"


def test_a_run_that_was_stopped_goes_on_as_if_it_never_had(
    lstm_run: Run, lstm_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped once in each phase, resumed twice: the same weights to the last bit."""
    run = Run.create(tmp_path / "run", lstm_config)
    rate, stops = trainer.stage_learning_rate, {5, 20}

    def watch(config: Config, stage: Any, step: int) -> float:
        if step in stops:
            stops.remove(step)
            run.stop_path.touch()
        return rate(config, stage, step)

    monkeypatch.setattr(trainer, "stage_learning_rate", watch)
    states = []
    for _ in range(3):
        states.append(trainer.train(run, progress=False).state)
    assert states == ["stopped", "stopped", "finished"]
    ours, theirs = (load_file(each.model_path / "model.safetensors") for each in (run, lstm_run))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_with_z_fixed_to_zero_it_is_the_papers_language_model(lstm_config: Config, tmp_path: Path) -> None:
    frozen = ("encoder", "posterior", "projection")
    run = Run.create(
        tmp_path / "run",
        replace(
            lstm_config,
            model=replace(lstm_config.model, latent="zero"),
            phase1=Phase(),
            phase2=Phase(epochs=2, learning_rate=1e-2, frozen=frozen),
        ),
    )
    trainer.train(run, progress=False)
    checks = [event for event in run.metrics() if event["split"] == "valid"]
    assert checks[-1]["rec_nats"] < checks[0]["rec_nats"] - 1
    assert all((event["kl_nats"], event["mi_nats"], event["delta_nll_nats"]) == (0, 0, 0) for event in checks)


def test_in_bf16_it_trains_too(lstm_config: Config, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", replace(lstm_config, train=replace(lstm_config.train, precision="bf16")))
    trainer.train(run, progress=False)
    events = [event for event in run.metrics() if event["split"] == "valid"]
    assert events[-1]["rec_nats"] < events[0]["rec_nats"] - 5
