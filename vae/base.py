"""The T5 to start from: the bundled starter, a fresh one for the user's own text, a folder, or a Hub id.

Folders and Hub ids go through the library's own loading code, so whatever it reads as T5 works: t5-small, v1.1,
Flan. A fresh T5 gets a byte-level vocabulary learned from the corpus, which is lossless on any Unicode text, and
random weights that phase 0 of training turns into a denoiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from vae import runs
from vae.batching import Batch
from vae.config import Pretrain

MARKERS = [f"<extra_id_{i}>" for i in range(32)]
"""Span markers of a fresh vocabulary, by T5's names."""


def load(name: str) -> tuple[Any, Any]:
    """The T5 and the tokenizer of `starter`, a folder or a Hub id; what cannot be loaded is a `ValueError`."""
    source = str(runs.starter_path()) if name == "starter" else name
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        t5 = T5ForConditionalGeneration.from_pretrained(source, dtype="float32")
    except Exception as error:  # the library raises a dozen kinds for what is one thing to the user
        where = "folder" if Path(source).is_dir() else "Hub model"
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"The {where} {name!r} could not be loaded as a T5 ({reason}): check the name and the connection, "
            "or start from 'starter' or 'fresh', which need no network."
        ) from error
    if tokenizer.pad_token_id is None or tokenizer.eos_token_id is None:
        raise ValueError(f"The tokenizer of {name!r} has no padding or end token, so it is not one of a T5.")
    return t5, tokenizer


def tokenizer(folder: Path) -> Any:
    """The tokenizer saved in a folder; one that is missing or damaged is a `ValueError`."""
    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # the library raises many kinds here, too
        raise ValueError(f"The tokenizer in {folder} is missing or damaged: restore its files.") from error


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
