"""Where a run begins: whatever the library reads as a T5, and a fresh one for any text."""

import json
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertModel,
    ByT5Tokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5ForConditionalGeneration,
)

from vae import base, decode
from vae.backbones.t5 import T5Backbone
from vae.batching import tokenize
from vae.config import Lstm, Pretrain
from vae.model import TextVAE

MakeT5 = Callable[..., Any]
VARIANTS: dict[str, dict[str, Any]] = {
    "t5": {},
    "v1.1": {"head": True, "tie_word_embeddings": False, "feed_forward_proj": "gated-gelu", "d_kv": 12},
    "d_kv": {"d_model": 24, "d_kv": 5, "num_heads": 3},
}


@pytest.fixture(params=VARIANTS, ids=list(VARIANTS))
def variant(request: pytest.FixtureRequest) -> dict[str, Any]:
    return VARIANTS[request.param]


def save(t5: Any, tokenizer: Any, folder: Path) -> Path:
    """The folder that the library itself writes."""
    t5.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def original(folder: Path) -> Path:
    """The folder as published checkpoints have it: v1.1 says so by tie_word_embeddings, every table is there."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["tie_word_embeddings"] = config.pop("scale_decoder_outputs")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    weights = load_file(folder / "model.safetensors")
    for copy in ("encoder", "decoder"):
        weights[f"{copy}.embed_tokens.weight"] = weights["shared.weight"].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


# ----------------------------------------------------------------------------------------------- folders of the library


@pytest.mark.parametrize("published", [False, True])
def test_a_t5_of_the_library_becomes_a_text_vae_and_survives_saving(
    make_t5: MakeT5, tokenizer: Any, variant: dict[str, Any], published: bool, tmp_path: Path
) -> None:
    """Saved by the library, loaded by us, made a VAE, saved as one, loaded again: greedy sentences stay the same."""
    t5 = make_t5(2, **variant)
    folder = save(t5, tokenizer, tmp_path / "t5")
    loaded, words = base.load(str(original(folder) if published else folder))
    assert words("a man")["input_ids"] == tokenizer("a man")["input_ids"]
    ids = torch.tensor([[40, 50, 60, 1]])
    with torch.no_grad():
        expected = t5(input_ids=ids, labels=ids)
        torch.testing.assert_close(loaded(input_ids=ids, labels=ids).logits, expected.logits)
    head = variant.get("head", False)
    assert (loaded.lm_head.weight is loaded.shared.weight) is not head

    torch.manual_seed(0)
    vae = TextVAE.around(T5Backbone(loaded), latent_size=5)
    z = 4 * torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    greedy = decode.generate(vae.eval(), z, 12)
    vae.save_pretrained(tmp_path / "vae")
    again = TextVAE.from_pretrained(tmp_path / "vae")
    assert torch.equal(decode.generate(again, z, 12), greedy)
    assert len({tuple(row) for row in greedy.tolist()}) > 1


def test_half_precision_is_loaded_in_full(make_t5: MakeT5, tokenizer: Any, tmp_path: Path) -> None:
    loaded, _ = base.load(str(save(make_t5().half(), tokenizer, tmp_path)))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


def test_the_papers_tokenizer_works(make_t5: MakeT5, sentences: list[str], tmp_path: Path) -> None:
    """T5's own kind, a Unigram vocabulary: its control tokens can be spelled, and must not end a sentence early."""
    words = sorted({word for text in sentences for word in text.split()})
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((f"▁{word}", -3.0) for word in words)]
    save(make_t5(), T5Tokenizer(vocab=pieces, extra_ids=100), tmp_path)
    _, tokenizer = base.load(str(tmp_path))
    tokens = tokenize(tokenizer, [*sentences, "a man </s> is riding <pad> a bus ."], 64)
    rows = [tokens.flat[a:b].tolist() for a, b in zip(tokens.starts, tokens.starts[1:], strict=False)]
    assert tokenizer.batch_decode(rows[:-1], skip_special_tokens=True) == sentences
    assert all(row.count(1) == 1 and row[-1] == 1 and 0 not in row for row in rows)
    markers = tokenizer.convert_tokens_to_ids(base.MARKERS)
    assert len(set(markers)) == len(base.MARKERS)


def test_mt5_is_a_t5(tokenizer: Any, tmp_path: Path) -> None:
    shape = {"vocab_size": 330, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    torch.manual_seed(0)
    mt5 = MT5ForConditionalGeneration(MT5Config(**shape, decoder_start_token_id=0)).eval()
    mt5.lm_head.weight = torch.nn.Parameter(torch.randn(330, 16))
    loaded, _ = base.load(str(save(mt5, tokenizer, tmp_path)))
    ids = torch.tensor([[40, 50, 60, 1]])
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=ids, labels=ids).logits, mt5(input_ids=ids, labels=ids).logits)


def test_a_tokenizer_of_bytes_works(make_t5: MakeT5, tmp_path: Path) -> None:
    save(make_t5(vocab_size=384), ByT5Tokenizer(), tmp_path)
    _, tokenizer = base.load(str(tmp_path))
    texts = ["a </s> é😀", "<pad>", "שלום"]
    tokens = tokenize(tokenizer, texts, 64)
    rows = [tokens.flat[a:b].tolist() for a, b in zip(tokens.starts, tokens.starts[1:], strict=False)]
    assert tokenizer.batch_decode(rows, skip_special_tokens=True) == texts


# ---------------------------------------------------------------------------------------------------- what is no T5


def refused(name: Path | str) -> str:
    with pytest.raises(ValueError, match=r"could not be loaded as a T5|is not one of a T5|is no T5") as caught:
        base.load(str(name))
    message = str(caught.value)
    assert "\n" not in message
    assert repr(str(name)) in message
    assert len(message) < 700
    return message


def test_what_is_missing_or_damaged_is_one_sentence(make_t5: MakeT5, tokenizer: Any, tmp_path: Path) -> None:
    good = save(make_t5(), tokenizer, tmp_path / "good")
    for name in (tmp_path / "nowhere", "x" * 300, "a\0b"):
        refused(name)
    for number, damage in enumerate((
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "config.json").write_text("{"),
        lambda folder: (folder / "config.json").write_text("[]"),
        lambda folder: (folder / "config.json").write_text('{"model_type": "t5", "d_model": "wide"}'),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "model.safetensors").write_bytes((good / "model.safetensors").read_bytes()[:-100]),
        lambda folder: (folder / "model.safetensors").write_bytes(b""),
        lambda folder: (folder / "tokenizer.json").write_text("{"),
        lambda folder: (folder / "tokenizer.json").unlink(),
        lambda folder: [path.unlink() for path in folder.glob("*token*")],
    )):  # fmt: skip
        folder = shutil.copytree(good, tmp_path / f"damaged-{number}")
        damage(folder)
        refused(folder)


def test_an_architecture_that_is_no_t5_is_refused_instead_of_read_as_noise(
    make_t5: MakeT5, tokenizer: Any, tmp_path: Path
) -> None:
    bert = BertModel(BertConfig(vocab_size=330, hidden_size=16, num_hidden_layers=1, num_attention_heads=2))
    refused(save(bert, tokenizer, tmp_path / "bert"))
    shape = {"vocab_size": 330, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    umt5 = UMT5ForConditionalGeneration(UMT5Config(**shape, decoder_start_token_id=0))  # a bias of its own a layer
    refused(save(umt5, tokenizer, tmp_path / "umt5"))
    encoder = T5EncoderModel(make_t5().config)
    refused(save(encoder, tokenizer, tmp_path / "encoder"))  # half of the weights would be random


def test_a_text_vae_is_no_t5(make_t5: MakeT5, tokenizer: Any, tmp_path: Path) -> None:
    TextVAE.around(T5Backbone(make_t5()), latent_size=5).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    refused(tmp_path)


def test_a_tokenizer_with_more_tokens_than_the_table_has_rows_is_refused(
    make_t5: MakeT5, tokenizer: Any, tmp_path: Path
) -> None:
    refused(save(make_t5(vocab_size=100), tokenizer, tmp_path))


@pytest.mark.parametrize("offline", ["1", "0"])
def test_a_hub_id_without_a_network_is_one_sentence_at_once(offline: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline == "1")
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    begun = time.monotonic()
    assert "check the name and the connection" in refused("nobody/no-such-model")
    assert time.monotonic() - begun < 3


def test_a_damaged_tokenizer_folder_is_one_sentence(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    assert base.tokenizer(tmp_path)("a man")["input_ids"] == tokenizer("a man")["input_ids"]
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is missing or damaged: restore its files"):
        base.tokenizer(tmp_path)
    with pytest.raises(ValueError, match="is missing or damaged: restore its files"):
        base.tokenizer(tmp_path / "nowhere")


# ----------------------------------------------------------------------------------------------------------- fresh


@given(st.text())
@settings(max_examples=100)
def test_a_fresh_vocabulary_is_lossless_after_saving_too(
    tokenizer: Any, tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "vocabulary"
    if not folder.exists():
        tokenizer.save_pretrained(folder)
    loaded = base.tokenizer(folder)
    ids = loaded(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert ids == tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert loaded.decode(ids, skip_special_tokens=True) == text
    assert loaded.unk_token_id not in ids


def test_a_fresh_vocabulary_has_the_size_and_the_special_tokens_asked_for(sentences: list[str]) -> None:
    tokenizer = base.fresh_tokenizer(sentences, 330)
    assert len(tokenizer) == 330
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    assert tokenizer.convert_tokens_to_ids(base.MARKERS) == list(range(3, 35))
    assert tokenizer.get_vocab() == base.fresh_tokenizer(sentences, 330).get_vocab()
    assert len(base.fresh_tokenizer(["a"] * 20, 5000)) < 400  # a small corpus has no more to give
    assert len(tokenizer("a man is riding it .")["input_ids"]) < 15


def test_a_fresh_vocabulary_of_a_corpus_that_spells_special_tokens(tmp_path: Path) -> None:
    texts = ["a </s> b <pad> c <extra_id_0>", "</s></s>"] * 10
    tokenizer = base.fresh_tokenizer(texts, 320)
    tokens = tokenize(tokenizer, texts[:2], 64)
    assert tokenizer.decode(tokens.flat[: tokens.starts[1]].tolist(), skip_special_tokens=True) == texts[0]


def test_a_fresh_t5_has_the_configured_shape() -> None:
    settings = Pretrain(width=24, layers=3, heads=4, feed_forward=40, dropout=0.3)
    t5 = base.fresh_t5(settings, 330)
    config = t5.config
    assert (config.d_model, config.num_layers, config.num_decoder_layers, config.num_heads) == (24, 3, 3, 4)
    assert (config.d_kv, config.d_ff, config.dropout_rate, config.vocab_size) == (6, 40, 0.3, 330)
    assert t5.lm_head.weight is t5.shared.weight


def test_denoising_nats_are_the_mean_over_the_real_tokens_of_the_whole_sentence(
    make_t5: MakeT5, tokenizer: Any, sentences: list[str]
) -> None:
    t5, tokens = make_t5(), tokenize(tokenizer, sentences[:6], 64)
    target, corrupted = tokens.batch(range(6)), tokens.batch([1, 2, 3, 4, 5, 0])
    with torch.no_grad():
        found = float(base.denoising_nats(t5, corrupted, target))
        total, count = 0.0, 0
        for row, other in zip(range(6), [1, 2, 3, 4, 5, 0], strict=True):
            ids, source = (tokens.batch([i]).ids for i in (row, other))
            log_p = torch.log_softmax(t5(input_ids=source, labels=ids).logits[0], -1)
            total -= float(log_p[range(ids.shape[1]), ids[0]].sum())
            count += ids.shape[1]
    assert found == pytest.approx(total / count, rel=1e-4)


# ----------------------------------------------------------------------------------------------------------- words

WORD = st.text(st.characters(categories=["L", "N", "P"]), min_size=1)


@given(st.lists(st.lists(WORD, min_size=1, max_size=6), min_size=1, max_size=4))
@settings(max_examples=50)
def test_texts_of_known_words_come_back_from_a_vocabulary_of_words(texts: list[list[str]]) -> None:
    joined = [" ".join(words) for words in texts]
    tokenizer = base.word_tokenizer(joined, 1000)
    tokens = tokenize(tokenizer, joined, 100)
    control = {"<pad>", "</s>", "<s>"}
    for row, words in enumerate(texts):
        ids = tokens.batch([row]).ids[0].tolist()
        kept = [word for word in words if word not in control]
        assert len(ids) == len(kept) + 1
        assert tokenizer.decode(ids, skip_special_tokens=True) == " ".join(kept)


def test_the_most_frequent_words_are_kept_and_any_other_is_shown_as_unk(tmp_path: Path) -> None:
    texts = ["b a c a", "a b\td", " c  <unk> e ."]
    tokenizer = base.word_tokenizer(texts, 3)
    assert tokenizer.get_vocab() == {"<pad>": 0, "</s>": 1, "<unk>": 2, "<s>": 3, "a": 4, "b": 5, "c": 6}
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id) == (0, 1, 3)
    tokenizer.save_pretrained(tmp_path)
    for each in (tokenizer, base.tokenizer(tmp_path)):
        tokens = tokenize(each, ["a zebra b", "<unk> ab", "", "a <s> b </s> <pad> c"], 64)
        rows = [tokens.batch([row]).ids[0].tolist() for row in range(4)]
        assert rows == [[4, 2, 5, 1], [2, 2, 1], [1], [4, 5, 6, 1]]
        assert each.batch_decode(rows, skip_special_tokens=True) == ["a <unk> b", "<unk> <unk>", "", "a b c"]
        assert each.decode([3, 4, 1, 0, 0], skip_special_tokens=True) == "a"


def test_the_share_of_unknown_words_is_counted_by_word() -> None:
    tokenizer = base.word_tokenizer(["a b c a b a"], 2)
    assert base.unknown_share(tokenizer, ["a c b", "d a <unk>", ""]) == pytest.approx(2 / 6)
    assert base.unknown_share(tokenizer, []) == 0


def test_a_vocabulary_of_words_does_not_depend_on_the_order_of_equals() -> None:
    assert base.word_tokenizer(["b a", "d c"], 3).get_vocab() == base.word_tokenizer(["c d", "a b"], 3).get_vocab()


def test_a_fresh_lstm_has_the_configured_sizes() -> None:
    lstm = base.fresh_lstm(Lstm(embedding=6, width=10, dropout=0.25), 33)
    sizes = {"kind": "lstm", "vocabulary": 33, "embedding": 6, "width": 10, "dropout": 0.25}
    assert lstm.settings() == sizes
    assert (lstm.pad_token, lstm.end_token, lstm.start_token) == (0, 1, 3)
