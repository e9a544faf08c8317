"""The text VAE: Eq. 3 to 5 of Park & Lee 2021, sums over real tokens, and rows that know nothing of each other."""

import inspect
import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from vae.backbones.t5 import T5Backbone
from vae.batching import Batch
from vae.config import PARTS
from vae.model import TextVAE, blank_model, pool, read_settings, read_weights
from vae.posterior import DiagonalGaussian
from vae.space import Space

MakeSpace = Callable[..., Space]

SHAPES: dict[str, dict[str, Any]] = {
    "tied": {},
    "untied": {"head": True, "tie_word_embeddings": False, "feed_forward_proj": "gated-gelu"},
    "d_kv": {"d_model": 24, "d_kv": 5, "num_heads": 3, "num_layers": 1, "num_decoder_layers": 2},
}


def batch_of(space: Space, texts: list[str], padding: int = 0, garbage: int | None = None) -> Batch:
    """The texts in one batch, with more padding than needed and, if wanted, other ids than the pad token there."""
    batch = space.tokens(texts).batch(range(len(texts)))
    ids = F.pad(batch.ids, (0, padding), value=space.tokenizer.pad_token_id)
    mask = F.pad(batch.mask, (0, padding), value=False)
    return Batch(ids if garbage is None else ids.masked_fill(~mask, garbage), mask)


# -------------------------------------------------------------------------------------------------------------- pooling


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), st.sampled_from(["max", "mean"]), st.integers(0, 999))
@settings(max_examples=40)
def test_pooling_is_a_loop_over_layers_and_real_tokens(
    rows: int, layers: int, length: int, how: str, seed: int
) -> None:
    torch.manual_seed(seed)
    states, lengths = torch.randn(rows, layers, length, 3), torch.randint(1, length + 1, (rows,))
    mask = torch.arange(length) < lengths[:, None]
    pooled = pool(states, mask, how)
    for row in range(rows):
        values = [states[row, layer, t] for layer in range(layers) for t in range(int(lengths[row]))]
        stacked = torch.stack(values)
        torch.testing.assert_close(pooled[row], stacked.amax(0) if how == "max" else stacked.mean(0))


@pytest.mark.parametrize("how", ["max", "mean"])
@pytest.mark.parametrize("garbage", [1e9, -1e9, math.inf, math.nan])
def test_what_stands_at_padding_is_never_pooled(how: str, garbage: float) -> None:
    torch.manual_seed(0)
    states, mask = torch.randn(3, 2, 6, 4), torch.arange(6) < torch.tensor([[6], [2], [4]])
    filled = states.masked_fill(~mask[:, None, :, None], garbage)
    torch.testing.assert_close(pool(filled, mask, how), pool(states, mask, how), rtol=0, atol=0)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_all_layers_and_the_last_layer_are_two_options(
    make_space: MakeSpace, sentences: list[str], pooling: str
) -> None:
    last, every = (make_space(pooling=pooling, pooled_layers=layers).model for layers in ("last", "all"))
    batch = batch_of(make_space(), sentences[:5])
    with torch.no_grad():
        states = last.backbone.states(batch.ids, batch.mask, every_layer=True)
        expected = pool(torch.stack(states, 1), batch.mask, pooling)
        torch.testing.assert_close(every.encode(batch).mean, every.mean(expected))
        torch.testing.assert_close(last.encode(batch).mean, last.mean(pool(states[-1][:, None], batch.mask, pooling)))
        assert not torch.allclose(every.encode(batch).mean, last.encode(batch).mean, atol=1e-3)


# ------------------------------------------------------------------------------------------------------------ equations


@pytest.mark.parametrize("shape", SHAPES)
def test_rec_is_the_sum_of_the_librarys_cross_entropies(
    make_space: MakeSpace, sentences: list[str], shape: str
) -> None:
    """Computed sentence by sentence, without padding, from the logits of the library's own forward."""
    space = make_space(t5=SHAPES[shape])
    model, texts = space.model, sentences[::17]
    z = torch.randn(len(texts), 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        rec = model.reconstruction(z, batch_of(space, texts))
        for row, text in enumerate(texts):
            ids = torch.tensor([[*space.tokenizer(text)["input_ids"], space.tokenizer.eos_token_id]])
            memory = (z[row : row + 1] @ model.projection.weight.T)[:, None]  # Eq. 5
            logits = model.backbone.t5(encoder_outputs=(memory,), labels=ids, use_cache=False).logits
            nats = [-torch.log_softmax(logits[0, t], -1)[token] for t, token in enumerate(ids[0])]
            assert float(rec[row]) == pytest.approx(float(sum(nats)), rel=1e-4)


def test_a_forward_is_encode_draw_and_score(space: Space, sentences: list[str]) -> None:
    source, target = batch_of(space, sentences[:4]), batch_of(space, sentences[4:8])
    with torch.no_grad():
        torch.manual_seed(5)
        terms = space.model(source, target)
        torch.manual_seed(5)
        q = space.model.encode(source)
        expected = space.model.reconstruction(q.rsample(), target)
    torch.testing.assert_close(terms.rec, expected, rtol=0, atol=0)
    torch.testing.assert_close(terms.kl_per_dim, q.kl_per_dim(), rtol=0, atol=0)
    assert terms.rec.shape == (4,)
    assert terms.kl_per_dim.shape == (4, 5)


def test_mean_and_logvar_have_a_matrix_each_and_wproj_has_no_bias(space: Space) -> None:
    model = space.model
    assert model.mean.bias is not None
    assert model.logvar.bias is not None
    assert model.projection.bias is None
    assert model.mean.weight is not model.logvar.weight
    assert tuple(model.projection.weight.shape) == (2 * 2 * 8, 5)


def test_token_nats_are_zero_at_padding_and_count_the_end(space: Space) -> None:
    batch = batch_of(space, ["a man", "two women waits for it ."], padding=3)
    with torch.no_grad():
        nats = space.model.token_nats(torch.zeros(2, 5), batch)
    assert nats.shape == batch.ids.shape
    assert bool(nats[~batch.mask].eq(0).all())
    assert bool(nats[batch.mask].gt(0).all())
    assert bool(batch.ids[0, int(batch.mask[0].sum()) - 1] == space.tokenizer.eos_token_id)


# ------------------------------------------------------------------------------------------- rows, neighbours, padding


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("pooling", "layers"), [("max", "last"), ("mean", "all")])
def test_neither_padding_nor_what_stands_there_changes_anything(
    make_space: MakeSpace, sentences: list[str], shape: str, pooling: str, layers: str
) -> None:
    space = make_space(t5=SHAPES[shape], pooling=pooling, pooled_layers=layers)
    z = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain = batch_of(space, sentences[:6])
        wide = batch_of(space, sentences[:6], padding=256 - plain.ids.shape[1], garbage=77)
        torch.testing.assert_close(space.model.encode(wide).mean, space.model.encode(plain).mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            space.model.encode(wide).logvar, space.model.encode(plain).logvar, rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            space.model.reconstruction(z, wide), space.model.reconstruction(z, plain), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sentence_does_not_know_its_neighbours(make_space: MakeSpace, sentences: list[str], shape: str) -> None:
    space, texts = make_space(t5=SHAPES[shape]), sentences[::9]
    z = torch.randn(len(texts), 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = space.model.reconstruction(z, batch_of(space, texts))
        means = space.model.encode(batch_of(space, texts)).mean
        for row, text in enumerate(texts):
            alone = batch_of(space, [text])
            torch.testing.assert_close(
                space.model.reconstruction(z[[row]], alone)[0], together[row], rtol=1e-4, atol=1e-4
            )
            torch.testing.assert_close(space.model.encode(alone).mean[0], means[row], rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------------------------- parts, saving, loading


@pytest.mark.parametrize("shape", SHAPES)
def test_the_parts_are_every_parameter_once(make_space: MakeSpace, shape: str) -> None:
    model = make_space(t5=SHAPES[shape]).model
    parts = model.parts()
    assert set(parts) == set(PARTS)
    listed = [id(parameter) for part in parts.values() for parameter in part]
    assert len(set(listed)) == len(listed)
    assert set(listed) == {id(parameter) for parameter in model.parameters()}


def same(a: TextVAE, b: TextVAE, texts: list[str], space: Space) -> None:
    """Both models compute the same, to the last bit."""
    batch, z = batch_of(space, texts), torch.randn(len(texts), 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(a.encode(batch).mean, b.encode(batch).mean)
        assert torch.equal(a.encode(batch).logvar, b.encode(batch).logvar)
        assert torch.equal(a.reconstruction(z, batch), b.reconstruction(z, batch))


@pytest.mark.parametrize("shape", SHAPES)
def test_saved_and_loaded_it_is_the_same_model(
    make_space: MakeSpace, sentences: list[str], shape: str, tmp_path: Path
) -> None:
    space = make_space(t5=SHAPES[shape], pooling="mean", pooled_layers="all", max_tokens=31)
    space.model.save_pretrained(tmp_path)
    loaded = TextVAE.from_pretrained(tmp_path)
    assert not loaded.training
    assert (loaded.pooling, loaded.pooled_layers, loaded.max_tokens) == ("mean", "all", 31)
    same(space.model, loaded, sentences[:4], space)
    backbone: Any = loaded.backbone
    assert backbone.tied_head == (shape != "untied")
    assert backbone.t5.encoder.embed_tokens.weight is backbone.t5.shared.weight
    loaded.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "config.json").read_text(encoding="utf-8")) == json.loads(
        (tmp_path / "config.json").read_text(encoding="utf-8")
    )
    assert not list(tmp_path.rglob("*.bin")) + list(tmp_path.rglob("*.pkl"))


def test_a_tied_table_is_saved_once_and_an_untied_head_apart(make_space: MakeSpace, tmp_path: Path) -> None:
    for shape, tables in (("tied", 1), ("untied", 2)):
        make_space(t5=SHAPES[shape]).model.save_pretrained(tmp_path / shape)
        weights = load_file(tmp_path / shape / "model.safetensors")
        assert sum(tensor.shape == (330, 16) for tensor in weights.values()) == tables


def test_weights_that_do_not_fit_are_refused_by_name(make_space: MakeSpace, tmp_path: Path) -> None:
    model = make_space().model
    weights = model.weights()
    for change in (
        {"mean.weight": torch.zeros(6, 16)},
        {"mean.weight": None},
        {"other": torch.zeros(1)},
    ):
        odd = {name: tensor for name, tensor in {**weights, **change}.items() if tensor is not None}
        with pytest.raises(
            ValueError, match=rf"The weights in here do not fit the model \({next(iter(change))} differs"
        ):
            model.load_weights(odd, "here")
    save_file({"x": torch.zeros(3)}, tmp_path / "model.safetensors")
    assert set(read_weights(tmp_path / "model.safetensors")) == {"x"}


@pytest.mark.parametrize("content", [None, b"", b"\x10", b"PK\x03\x04 nothing of the kind" * 10])
def test_damaged_weights_are_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors are missing or damaged: restore the file"):
        read_weights(path)


def test_files_that_may_not_be_read_are_said_to_be(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a system where they belong to somebody else, which a test that may do everything cannot be on."""
    space.model.save_pretrained(tmp_path)

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ValueError, match=r"The weights in .*model\.safetensors cannot be read \(Permission denied\)"):
        read_weights(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"config\.json cannot be read \(Permission denied\)"):
        read_settings(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no modes that keep a file from others")
@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may read every file")
def test_weights_of_another_user_are_said_to_be(space: Space, tmp_path: Path) -> None:
    space.model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").chmod(0)
    with pytest.raises(ValueError, match=r"The weights in .*model\.safetensors cannot be read \(Permission denied\)"):
        read_weights(tmp_path / "model.safetensors")


def test_settings_that_are_no_text_vaes_are_one_sentence(tmp_path: Path) -> None:
    for content in (b"", b"{", b"\xff\xfe", b"\x00"):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(ValueError, match="missing or damaged"):
            read_settings(tmp_path)
    for content in (b"[]", b"3", b"null", b'{"model_type": "t5"}'):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"holds no text VAE .*vae train --base"):
            read_settings(tmp_path)
    with pytest.raises(ValueError, match="missing or damaged"):
        read_settings(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_tokens", 0), ("max_tokens", -1), ("max_tokens", True), ("max_tokens", 10**400), ("pooled_positions", -1),
     ("pooled_positions", False), ("pooled_positions", 10**9), ("latent_size", 0), ("latent_size", True)],
)  # fmt: skip
def test_a_size_that_is_none_is_refused(space: Space, tmp_path: Path, field: str, value: Any) -> None:
    settings = {"backbone": space.model.backbone.settings(), "latent_size": 5, field: value}
    with pytest.raises(ValueError, match=rf"^{field}=.* must be a whole number of at least"):
        TextVAE(**settings)
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"describes no text VAE of this version \({field}=") as caught:
        blank_model(tmp_path)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("field", "value"), [("max_tokens", "x"), ("pooled_positions", "x"), ("max_tokens", [1]), ("latent_size", 2.0)]
)
def test_a_size_of_another_kind_is_refused(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: Any
) -> None:
    monkeypatch.setattr(TextVAE, "__init__", inspect.unwrap(TextVAE.__init__))  # where nobody checks type hints
    settings = {"backbone": space.model.backbone.settings(), "latent_size": 5, field: value}
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    words = f"describes no text VAE of this version ({field}={value!r} must be a whole number of at least"
    with pytest.raises(ValueError, match=re.escape(words)):
        blank_model(tmp_path)


def test_settings_with_a_byte_order_mark_or_too_deep(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"latent_size": 5}', encoding="utf-8-sig")
    assert read_settings(tmp_path) == {"latent_size": 5}
    (tmp_path / "config.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(ValueError, match="missing or damaged"):
        read_settings(tmp_path)


@pytest.mark.parametrize("field", ["pooling", "pooled_layers"])
def test_an_unknown_way_of_pooling_is_refused(space: Space, field: str) -> None:
    settings = {"backbone": space.model.backbone.settings(), "latent_size": 5, field: "median"}
    with pytest.raises(ValueError, match=f"{field}='median'"):
        TextVAE(**settings)


def test_a_model_around_a_t5_keeps_its_weights_and_draws_the_rest(make_t5: Callable[..., Any]) -> None:
    t5 = make_t5(1)
    before = {name: tensor.clone() for name, tensor in t5.state_dict().items()}
    models = []
    for _ in range(2):
        torch.manual_seed(0)
        models.append(TextVAE.around(T5Backbone(make_t5(1)), latent_size=5))
    after: dict[str, Tensor] = models[0].backbone.t5.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items() if ".o." not in name)
    for layer in range(2):
        old = before[f"decoder.block.{layer}.layer.1.EncDecAttention.o.weight"]
        assert torch.equal(after[f"decoder.block.{layer}.layer.1.o.weight"], old)
    assert torch.equal(models[0].projection.weight, models[1].projection.weight)
    assert all(parameter.device.type == "cpu" for parameter in models[0].parameters())
    assert isinstance(models[0].encode(Batch(torch.ones(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.bool))),
                      DiagonalGaussian)  # fmt: skip
