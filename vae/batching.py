"""From text to padded batches: tokens, length buckets, token deletion.

The corpus is tokenized once, into one flat array. A batch holds sentences of about the same length and is padded to
its own longest one, never to a fixed length. A sentence always ends with the end token, counted like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

POOL_BATCHES = 50
"""Batches that are shuffled together before sorting by length: long enough to save padding, short enough to mix."""


@dataclass(frozen=True)
class Batch:
    """Token ids, right-padded with the pad token, and the mask of real tokens (end token included)."""

    ids: Int[Tensor, "batch length"]
    mask: Bool[Tensor, "batch length"]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        return Batch(self.ids.to(device), self.mask.to(device))


class Tokens:
    """A tokenized corpus: one flat array of ids, in memory or mapped from a file, and where each sentence begins."""

    def __init__(self, flat: np.ndarray, lengths: np.ndarray, pad: int) -> None:
        self.flat, self.lengths, self.pad = flat, lengths, pad
        self.starts = np.concatenate([[0], np.cumsum(lengths)])

    @classmethod
    def of(cls, sentences: Sequence[Sequence[int]], pad: int) -> Tokens:
        """The tokens of these sentences."""
        lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
        ids = (token for sentence in sentences for token in sentence)
        return cls(np.fromiter(ids, np.int32, int(lengths.sum())), lengths, pad)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """The sentences of these rows, padded to the longest of them."""
        lengths, starts = self.lengths[rows][:, None], self.starts[:-1][rows][:, None]
        places = np.arange(int(lengths.max()))
        mask = places < lengths
        ids = np.where(mask, self.flat[np.minimum(starts + places, len(self.flat) - 1)], self.pad)
        return Batch(torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(mask))


def tokenize(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> Tokens:
    """Token ids of each text, cut to `max_tokens` with the end token always last.

    Special tokens that a text spells out ("</s>") are read as plain characters; a vocabulary like T5's own or one of
    words, which knows no other way to read them, leaves them out.
    """
    if not len(texts):
        return Tokens.of([], tokenizer.pad_token_id)
    encoded = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    special = (end, pad, tokenizer.bos_token_id)
    plain = ([token for token in ids if token not in special] for ids in encoded)
    return Tokens.of([[*ids[: max_tokens - 1], end] for ids in plain], pad)


def in_order(tokens: Tokens, batch_size: int) -> list[np.ndarray]:
    """Rows grouped by length, for passes where order does not matter; every row once."""
    order = np.argsort(tokens.lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def shuffled(tokens: Tokens, batch_size: int, seed: Sequence[int], *, by_length: bool = True) -> list[np.ndarray]:
    """The batches of one epoch in random order, every row once; `by_length`, each of rows of similar length."""
    rng = np.random.default_rng(list(seed))
    order = rng.permutation(len(tokens))
    pool = batch_size * POOL_BATCHES
    batches = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        if by_length:
            rows = rows[np.argsort(tokens.lengths[rows], kind="stable")]
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def delete_tokens(batch: Batch, probability: float, pad: int, generator: torch.Generator | None = None) -> Batch:
    """Delete each token with a probability, except the end token: the input noise of Shen et al. 2020.

    What is left keeps its order and is padded anew; nothing is deleted at probability 0.
    """
    if probability == 0:
        return batch
    draws = torch.rand(batch.ids.shape, generator=generator, device=batch.ids.device)
    length = batch.mask.sum(1, keepdim=True)
    last = torch.arange(batch.ids.shape[1], device=batch.ids.device) == length - 1
    keep = batch.mask & ((draws >= probability) | last)
    return _compact(batch.ids, keep, pad)


def drop_words(batch: Batch, probability: float, unknown: int) -> Int[Tensor, "batch length"]:
    """What the decoder reads under the word dropout of Bowman et al. 2016: ids, each with a probability `unknown`.

    The start token, which no row holds, always stays.
    """
    drawn = torch.rand(batch.ids.shape, device=batch.ids.device) < probability
    return torch.where(drawn & batch.mask, unknown, batch.ids)


def corrupt_spans(batch: Batch, share: float, mean_span: float, markers: Int[Tensor, " markers"], pad: int) -> Batch:
    """Replace random spans of each sentence by one marker each (markers[0] the first span, markers[1] the next ...).

    T5's corruption (Raffel et al. 2020, section 3.3). Whether a position lies in a span is a two-state Markov chain
    whose spans have the mean length `mean_span` and cover `share` of the tokens; the end token stays.
    """
    rows, width = batch.ids.shape
    leave, enter = 1 / mean_span, min(1.0, share / (1 - share) / mean_span)
    draws = torch.rand(rows, width, device=batch.ids.device)
    inside = torch.zeros(rows, width, dtype=torch.bool, device=batch.ids.device)
    inside[:, 0] = draws[:, 0] < share
    for t in range(1, width):
        inside[:, t] = torch.where(inside[:, t - 1], draws[:, t] >= leave, draws[:, t] < enter)
    length = batch.mask.sum(1, keepdim=True)
    inside &= torch.arange(width, device=batch.ids.device) < length - 1
    first = inside & ~torch.nn.functional.pad(inside, (1, 0))[:, :-1]
    which = (first.cumsum(1) - 1).clamp(0, len(markers) - 1)
    ids = torch.where(first, markers[which], batch.ids)
    return _compact(ids, batch.mask & (~inside | first), pad)


def _compact(ids: Int[Tensor, "batch length"], keep: Bool[Tensor, "batch length"], pad: int) -> Batch:
    """The kept tokens of each row in their order, padded anew."""
    order = torch.argsort((~keep).to(torch.int8), dim=1, stable=True)  # kept tokens first
    kept = keep.sum(1, keepdim=True)
    width = int(kept.max())
    mask = torch.arange(width, device=ids.device) < kept
    return Batch(torch.gather(ids, 1, order)[:, :width].masked_fill(~mask, pad), mask)
