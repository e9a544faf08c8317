"""What to start from: the bundled starter T5, a fresh one for the user's own text, a folder, a Hub id; or an LSTM.

Folders and Hub ids go through the library's own loading code, so whatever it reads as T5 works: t5-small, v1.1,
Flan. A fresh T5 gets a byte-level vocabulary learned from the corpus, which is lossless on any Unicode text, and
random weights that phase 0 of training turns into a denoiser. An LSTM gets a vocabulary of the corpus's words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers
from huggingface_hub import snapshot_download
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoTokenizer, ByT5Tokenizer, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from vae import runs
from vae.backbones.lstm import END, PAD, START, LSTMBackbone
from vae.batching import Batch
from vae.config import Lstm, Pretrain, read_json

MARKERS = [f"<extra_id_{i}>" for i in range(32)]
"""Span markers of a fresh vocabulary, by T5's names."""

FAMILY = ("t5", "mt5")
"""Model types that `T5ForConditionalGeneration` is the architecture of: t5-small, v1.1, Flan, ByT5; mT5."""


def load(name: str) -> tuple[Any, Any]:
    """The T5 and the tokenizer of `starter`, a folder or a Hub id; what cannot be loaded is a `ValueError`."""
    where = "folder"
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        folder = runs.starter_path() if name == "starter" else Path(name).expanduser()
        if name != "starter" and not folder.is_dir():
            where = "Hub model"
            folder = _fetch(name)
        kind = read_json(folder / "config.json").get("model_type")
        if kind not in FAMILY:  # the library would read it all the same, and fill what does not fit with noise
            raise ValueError(f"its config.json is that of a {kind} model")
        tokenizer = _tokenizer(folder)
        t5, report = T5ForConditionalGeneration.from_pretrained(folder, dtype="float32", output_loading_info=True)
        if report["missing_keys"]:
            raise ValueError(f"weights are missing, {min(report['missing_keys'])} among them")
        if len(tokenizer) > t5.config.vocab_size:
            raise ValueError(f"its tokenizer has {len(tokenizer)} tokens, its weights {t5.config.vocab_size}")
    except Exception as error:  # the library raises a dozen kinds for what is one thing to the user
        reason = str(error).strip().splitlines()[0][:160].rstrip(".") if str(error).strip() else type(error).__name__
        raise ValueError(
            f"The {where} {name!r} could not be loaded as a T5 ({reason}): check the name and the connection, "
            "or start from 'starter' or 'fresh', which need no network."
        ) from error
    if kind == "mt5":
        t5.config.scale_decoder_outputs = False  # T5's default, unless the file says that the head is untied
    t5.config.pad_token_id, t5.config.eos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    return t5, tokenizer


def tokenizer(folder: Path) -> Any:
    """The tokenizer saved in a folder; one that is missing or damaged is a `ValueError`."""
    try:
        return _tokenizer(folder)
    except Exception as error:  # the library raises many kinds here, too
        raise ValueError(f"The tokenizer in {folder} is missing or damaged: restore its files.") from error


def _tokenizer(folder: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    known = any((folder / file).is_file() for file in ("tokenizer.json", "spiece.model"))
    if not known and not isinstance(tokenizer, ByT5Tokenizer):  # the library makes up a vocabulary of its own
        raise ValueError("its tokenizer has no vocabulary: tokenizer.json or spiece.model is missing")
    if tokenizer.pad_token_id is None or tokenizer.eos_token_id is None:
        raise ValueError("its tokenizer has no padding or no end token")
    return tokenizer


def _fetch(name: str) -> Path:
    """The folder of a Hub model, fetched or from the cache. Left to itself, transformers retries for a minute."""
    folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "tokenizer*", "spiece.model"]))
    if not any(folder.glob("*.safetensors")):
        snapshot_download(name, allow_patterns=["pytorch_model*"])
    return folder


def fresh_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer of at most `vocabulary` tokens learned from `texts`, with T5's special tokens."""
    special = ["<pad>", "</s>", "<unk>", *MARKERS]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=MARKERS,
        clean_up_tokenization_spaces=False,
    )


def word_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """A tokenizer of whole words: the `vocabulary` most frequent of `texts`, split at whitespace; any other is <unk>.

    <unk> is a word like others here: it is shown where it is decoded, read where a text has it, as prepared corpora
    do, and predicted at the cost of a word. What it stands for is not: the more words are <unk>, the cheaper a text.
    """
    special = {"<pad>": PAD, "</s>": END, "<unk>": 2, "<s>": START}
    counts = Counter(word for text in texts for word in text.split())
    ranked = sorted(counts.keys() - special.keys(), key=lambda word: (-counts[word], word))
    words = special | {word: number for number, word in enumerate(ranked[:vocabulary], len(special))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        bos_token="<s>",
        clean_up_tokenization_spaces=False,
    )


def unknown_token(tokenizer: Any) -> int | None:
    """The id of <unk>; None of a vocabulary that has none. To `word_tokenizer` it is a word among others."""
    known: int | None = tokenizer.unk_token_id
    return tokenizer.get_vocab().get("<unk>") if known is None else known


def unknown_share(tokenizer: Any, texts: Sequence[str]) -> float:
    """The share of the words of some texts that `word_tokenizer` does not know, from 0 to 1."""
    known, words = tokenizer.get_vocab(), [word for text in texts for word in text.split()]
    return sum(word not in known for word in words) / max(1, len(words))


def fresh_lstm(settings: Lstm, vocabulary: int) -> LSTMBackbone:
    """An LSTM of the configured sizes with random weights; the token ids are those of `word_tokenizer`."""
    sizes = {"embedding": settings.embedding, "width": settings.width}
    return LSTMBackbone(vocabulary=vocabulary, **sizes, dropout=settings.dropout)


def marker_ids(tokenizer: Any) -> list[int]:
    """The ids of `MARKERS`, as far as a vocabulary has them."""
    vocabulary = tokenizer.get_vocab()
    return [vocabulary[marker] for marker in MARKERS if marker in vocabulary]


def fresh_t5(settings: Pretrain, vocabulary: int) -> Any:
    """A T5 of the configured shape with the library's random weights; the token ids are those of `fresh_tokenizer`."""
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=vocabulary,
            d_model=settings.width,
            d_kv=settings.width // settings.heads,
            d_ff=settings.feed_forward,
            num_layers=settings.layers,
            num_heads=settings.heads,
            dropout_rate=settings.dropout,
            pad_token_id=0,
            eos_token_id=1,
            decoder_start_token_id=0,
        )
    )


def denoising_nats(t5: Any, corrupted: Batch, target: Batch) -> Tensor:
    """-log p(sentence | corrupted sentence), nats per token of the batch: the loss of phase 0.

    The whole sentence is the target (the "BERT-style" objective of Raffel et al. 2020, section 3.3.1), so that the
    decoder learns to write sentences and not only the words that are missing.
    """
    labels = target.ids.masked_fill(~target.mask, -100)
    nats: Tensor = t5(input_ids=corrupted.ids, attention_mask=corrupted.mask.long(), labels=labels).loss
    return nats
