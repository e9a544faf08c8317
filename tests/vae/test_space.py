"""A model ready to use: texts to codes, codes to texts, and one clear sentence for whatever cannot be loaded."""

import json
import math
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pandas as pd
import pytest
import torch

import vae
from vae import explore, latents
from vae.config import Config
from vae.model import read_weights
from vae.runs import Run
from vae.space import Space, load

MakeSpace = Callable[..., Space]


def codes(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------------------ encode, decode


def test_encoding_does_not_depend_on_the_batch_size_or_the_order(space: Space, sentences: list[str]) -> None:
    q = space.encode(sentences)
    assert (q.mean.shape, q.logvar.shape) == ((120, 5), (120, 5))
    assert (q.mean.dtype, q.mean.device.type) == (torch.float32, "cpu")
    for batch_size in (1, 7, 64):
        other = space.encode(sentences[::-1], batch_size=batch_size)
        torch.testing.assert_close(other.mean.flip(0), q.mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(other.logvar.flip(0), q.logvar, rtol=1e-4, atol=1e-5)
    assert float(q.mean.std(0).min()) > 0.01


def test_nothing_and_the_empty_sentence_can_be_encoded(space: Space) -> None:
    assert space.encode([]).mean.shape == (0, 5)
    assert space.encode([""]).mean.shape == (1, 5)
    assert space.decode(torch.zeros(0, 5)) == []
    assert space.nll([], torch.zeros(0, 5)).shape == (0,)


def test_a_text_beyond_the_limit_is_read_up_to_it(make_space: MakeSpace) -> None:
    space = make_space(max_tokens=8)
    long = "two women is riding the red bicycle in the park . " * 200
    ids = space.tokens([long])
    assert ids.lengths.tolist() == [8]
    start = space.tokenizer.decode(ids.flat[:7].tolist())
    torch.testing.assert_close(space.encode([long]).mean, space.encode([start]).mean)


def test_nll_is_per_sentence_and_of_its_own_row(space: Space, sentences: list[str]) -> None:
    z, texts = codes(8), sentences[::15]
    nats = space.nll(texts, z)
    for row in range(8):
        alone = space.nll([texts[row]], z[[row]])
        assert float(alone) == pytest.approx(float(nats[row]), rel=1e-4)
    order = [7, 0, 3]
    torch.testing.assert_close(
        space.nll([texts[i] for i in order], z[order], batch_size=2), nats[order], rtol=1e-4, atol=0
    )
    with pytest.raises(ValueError, match="2 texts need as many rows of z, but there are 3"):
        space.nll(texts[:2], z[:3])


def test_decoding_gives_one_text_a_row_by_every_method(space: Space) -> None:
    for how in ({}, {"method": "sample", "seed": 3}, {"method": "beam", "beams": 2}):
        texts = space.decode(codes(4), max_tokens=10, **how)
        assert len(texts) == 4
        assert all(isinstance(text, str) and "</s>" not in text and "<pad>" not in text for text in texts)
        assert space.decode(codes(4), max_tokens=10, **how) == texts
    sample = [space.decode(codes(4), method="sample", seed=seed, max_tokens=10) for seed in (1, 1, 2)]
    assert sample[0] == sample[1] != sample[2]
    assert space.decode(codes(4), method="beam", beams=1, max_tokens=10) == space.decode(codes(4), max_tokens=10)


def test_requests_leave_the_global_random_state_alone(space: Space, sentences: list[str]) -> None:
    before = torch.get_rng_state()
    space.decode(codes(2), method="sample", max_tokens=5)
    space.sample_prior(3, seed=1)
    space.encode(sentences[:2])
    assert torch.equal(torch.get_rng_state(), before)


def test_prior_samples_are_standard_normal_and_of_their_seed(space: Space) -> None:
    z = space.sample_prior(20_000, seed=4)
    assert z.shape == (20_000, 5)
    assert float(z.mean()) == pytest.approx(0, abs=0.01)
    assert float(z.std()) == pytest.approx(1, abs=0.01)
    assert torch.equal(space.sample_prior(20_000, seed=4), z)
    assert not torch.equal(space.sample_prior(20_000, seed=5), z)


def test_interpolating_is_explores(space: Space) -> None:
    a, b = codes(2)
    for how in ({}, {"method": "slerp"}, {"extend": 0.5, "steps": 4}):
        assert torch.equal(space.interpolate(a, b, **how), explore.interpolate(a, b, **how))


def test_what_is_returned_can_be_learned_from(space: Space, sentences: list[str]) -> None:
    q = space.encode(sentences[:3])
    reader = torch.nn.Linear(5, 2)
    reader(q.mean).sum().backward()
    q.mean.add_(1)
    weight = torch.ones(3, requires_grad=True)
    (space.nll(sentences[:3], q.mean) * weight).sum().backward()
    assert weight.grad is not None
    assert bool((weight.grad > 0).all())


def test_codes_may_be_arrays_or_lists(space: Space, sentences: list[str]) -> None:
    z = codes(3)
    written = space.decode(z, max_tokens=10)
    assert space.decode(z.double().numpy(), max_tokens=10) == written  # type: ignore[arg-type]
    assert space.decode(z.tolist(), max_tokens=10) == written  # type: ignore[arg-type]
    assert torch.equal(space.nll(sentences[:3], z.numpy()), space.nll(sentences[:3], z))  # type: ignore[arg-type]
    path = space.interpolate(z[0].numpy(), z[1].tolist(), 3)  # type: ignore[arg-type]
    assert torch.equal(path, space.interpolate(z[0], z[1], 3))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda space: space.decode("abc"), "z must be numbers"),
        (lambda space: space.decode([["a"]]), "z must be numbers"),
        (lambda space: space.decode(None), "z must be numbers"),
        (lambda space: space.decode(torch.full((1, 5), 1e300, dtype=torch.float64)), "not finite"),
        (lambda space: space.interpolate(torch.zeros(4), torch.zeros(4)), r"a has the shape \(4,\).*has \(5,\)"),
        (lambda space: space.interpolate(torch.zeros(5), torch.zeros(1, 5)), r"b has the shape \(1, 5\)"),
        (
            lambda space: space.interpolate(torch.zeros(5), torch.ones(5), steps=2.5),
            r"steps=2\.5 must be a whole number",
        ),
        (lambda space: space.interpolate(torch.zeros(5), torch.ones(5), steps=1), "steps=1 must be"),
        (lambda space: space.sample_prior(-1), "n=-1 must be a whole number from 0"),
        (lambda space: space.sample_prior(2.5), r"n=2\.5 must be"),
        (lambda space: space.sample_prior(2, seed=2**70), "seed=1180591620717411303424 must be"),
        (lambda space: space.sample_prior(2, seed=-1), "seed=-1 must be a whole number from 0 to 4,294,967,295"),
        (lambda space: space.decode(torch.zeros(1, 5), method="sample", seed=-1), "seed=-1 must be"),
        (lambda space: space.encode(["fine", "half \ud800 of it"]), r"'half \\ud800 of it' is no text: give strings"),
        (lambda space: space.encode(["fine", None]), "None is no text"),
        (lambda space: space.nll([b"bytes"], torch.zeros(1, 5)), "b'bytes' is no text"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(space: Space, ask: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(space)


def test_a_model_that_has_diverged_says_so(make_space: MakeSpace) -> None:
    space = make_space()
    space.model.mean.bias.fill_(math.nan)
    with pytest.raises(ValueError, match="codes are not finite: its weights have diverged; use an earlier snapshot"):
        space.encode(["a man ."])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"z": torch.zeros(3, 4)}, r"z has the shape \(3, 4\), but this model's codes are \(n, 5\)"),
        ({"z": torch.zeros(5)}, r"z has the shape \(5,\)"),
        ({"z": torch.tensor([[math.nan, 0, 0, 0, 0]])}, "not finite"),
        ({"z": torch.tensor([[math.inf, 0, 0, 0, 0]])}, "not finite"),
        ({"method": "magic"}, "no decoding method 'magic': choose greedy, sample or beam"),
        ({"method": "sample", "temperature": 0.0}, "temperature=0.0"),
        ({"method": "sample", "top_p": 2.0}, "top_p=2.0"),
        ({"method": "beam", "beams": 0}, "beams=0"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"max_tokens": -3}, "max_tokens=-3"),
        ({"max_tokens": 10**6}, "max_tokens=1000000"),
    ],
)
def test_what_cannot_be_decoded_is_one_sentence(space: Space, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        space.decode(**{"z": torch.zeros(1, 5), **arguments})


def test_a_sentence_is_not_a_list_of_letters(space: Space) -> None:
    with pytest.raises(ValueError, match=r"give a list of texts, as in \['a man'\]"):
        space.encode("a man")
    with pytest.raises(ValueError, match="give a list of texts"):
        space.nll("ab", torch.zeros(2, 5))


# ---------------------------------------------------------------------------------------------------- saving, loading


def same(a: Space, b: Space, sentences: list[str]) -> None:
    assert torch.equal(a.encode(sentences[:5]).mean, b.encode(sentences[:5]).mean)
    z = torch.randn(4, a.latent_size, generator=torch.Generator().manual_seed(0))
    assert a.decode(z, max_tokens=8) == b.decode(z, max_tokens=8)


def test_a_saved_space_is_the_same_space(make_space: MakeSpace, sentences: list[str], tmp_path: Path) -> None:
    space = make_space(max_tokens=33)
    space.save_pretrained(tmp_path / "model")
    loaded = vae.load(tmp_path / "model")
    same(space, loaded, sentences)
    assert (loaded.max_tokens, loaded.latent_size, loaded.model.training) == (33, 5, False)
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    same(vae.load(str(tmp_path / "model")), space, sentences)


def test_a_run_opens_with_its_latest_weights_or_those_of_a_snapshot(trained_run: Run, sentences: list[str]) -> None:
    space = vae.load(trained_run.path)
    same(space, vae.load(trained_run.model_path), sentences)
    kept = trained_run.snapshots()
    assert len(kept) == 3
    means = [space.encode(sentences[:5]).mean] + [
        vae.load(trained_run.path, step).encode(sentences[:5]).mean for step in kept
    ]
    assert all(not torch.allclose(a, b, atol=1e-4) for i, a in enumerate(means) for b in means[:i])
    with pytest.raises(ValueError, match=r"trained has no snapshot of step 999: it has \d+, \d+, \d+\."):
        vae.load(trained_run.path, 999)
    with pytest.raises(ValueError, match="is no run, so it has no snapshots"):
        vae.load(trained_run.model_path, 3)


def test_a_run_without_a_model_says_when_there_will_be_one(make_config: Callable[..., Config], tmp_path: Path) -> None:
    run = Run.create(tmp_path / "new", make_config("captions"))
    with pytest.raises(ValueError, match="new has no model yet: wait for its first evaluation"):
        vae.load(run.path)
    with pytest.raises(ValueError, match="new has no snapshot of step 3: it has none"):
        vae.load(run.path, 3)


def change_config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")

    return change


def change_backbone(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        backbone = json.loads((folder / "config.json").read_text(encoding="utf-8"))["backbone"]
        change_config(backbone={k: v for k, v in (backbone | changes).items() if v is not None})(folder)

    return change


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated weights": lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]),
    "cut header": lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:20]),
    "no weights": lambda f: (f / "model.safetensors").unlink(),
    "other weights": change_config(latent_size=9),
    "no config": lambda f: (f / "config.json").unlink(),
    "garbled config": lambda f: (f / "config.json").write_bytes(b"{\xff"),
    "config of something else": lambda f: (f / "config.json").write_text("[1]"),
    "no backbone": lambda f: (f / "config.json").write_text('{"latent_size": 5}'),
    "backbone is a number": change_config(backbone=3),
    "backbone is empty": change_config(backbone={}),
    "backbone of another kind": change_backbone(kind="bert"),
    "backbone without a width": change_backbone(d_model=None),
    "width is a word": change_backbone(d_model="wide"),
    "negative width": change_backbone(d_model=-16),
    "no head": change_backbone(tied_head=None),
    "negative latent size": change_config(latent_size=-3),
    "latent size is a word": change_config(latent_size="many"),
    "unknown pooling": change_config(pooling="median"),
    "no tokenizer": lambda f: [path.unlink() for path in f.glob("*token*")],
    "garbled tokenizer": lambda f: (f / "tokenizer.json").write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_one_sentence(make_space: MakeSpace, damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    make_space().save_pretrained(folder)
    DAMAGES[damage](folder)
    with pytest.raises(ValueError, match=r"\S") as caught:
        vae.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 600
    assert "model" in message


def test_a_damaged_snapshot_is_one_sentence(trained_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(trained_run.path, tmp_path / "copy"))
    step, folder = next(iter(run.snapshots().items()))
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match=r"config\.json is missing or damaged"):
        vae.load(run.path, step)


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize(
    "name", ["nobody/no-such-model", "no such thing", "../x", "a/b/c", "x" * 300, "con:*?", "\0", ""]
)
def test_what_is_nowhere_is_one_sentence_at_once(name: str, offline: bool, monkeypatch: pytest.MonkeyPatch,
                                                 tmp_path: Path) -> None:  # fmt: skip
    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    begun = time.monotonic()
    with pytest.raises(ValueError, match=r"is no run, no folder|holds no text VAE|missing or damaged") as caught:
        load(name)
    assert time.monotonic() - begun < 3
    assert "\n" not in str(caught.value)


def test_a_plain_t5_says_how_it_becomes_a_text_vae(make_t5: Callable[..., Any], tmp_path: Path) -> None:
    make_t5().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"holds no text VAE .*`python -m vae train --base"):
        vae.load(tmp_path)


def test_half_precision_weights_are_used_in_full(make_space: MakeSpace, sentences: list[str], tmp_path: Path) -> None:
    from vae import checkpoints

    space = make_space()
    space.tokenizer.save_pretrained(tmp_path)
    checkpoints.save_model(space.model, tmp_path, half=True)
    assert {tensor.dtype for tensor in read_weights(tmp_path / "model.safetensors").values()} == {torch.float16}
    loaded = vae.load(tmp_path)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    torch.testing.assert_close(loaded.encode(sentences).mean, space.encode(sentences).mean, rtol=0.05, atol=0.02)


# ----------------------------------------------------------------------------------------------------------- to parquet


def test_a_corpus_is_encoded_to_parquet_and_back(space: Space, sentences: list[str], tmp_path: Path,
                                                 make_config: Callable[..., Config]) -> None:  # fmt: skip
    run = Run.create(tmp_path / "run", make_config("captions"))
    frame = pd.DataFrame({"text": sentences, "subject": [text.split()[0] for text in sentences]})
    latents.write_latents(run, space, frame, batch_size=16)
    read = latents.read_latents(run)
    q = space.encode(sentences)
    assert read.frame["text"].tolist() == sentences
    assert read.frame["subject"].tolist() == frame["subject"].tolist()
    torch.testing.assert_close(torch.from_numpy(read.means.copy()), q.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(read.logvars.copy()), q.logvar, rtol=1e-4, atol=1e-5)


def test_the_run_s_own_configuration_is_not_what_loading_needs(trained_run: Run, tmp_path: Path) -> None:
    """A model folder copied out of a run stands alone."""
    folder = shutil.copytree(trained_run.model_path, tmp_path / "alone")
    assert vae.load(folder).max_tokens == trained_run.config.data.max_tokens
    assert replace(trained_run.config.model, latent_size=vae.load(folder).latent_size) == trained_run.config.model
