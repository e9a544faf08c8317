"""From text to batches: nothing is lost, nothing is invented, and the noise is what it says it is."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vae.batching import POOL_BATCHES, Batch, Tokens, corrupt_spans, delete_tokens, in_order, shuffled, tokenize

PAD, EOS = 0, 1
LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=200)
ROWS = st.lists(st.lists(st.integers(2, 300), max_size=12), min_size=1, max_size=8)


def make(rows: list[list[int]]) -> Tokens:
    """Tokens of these sentences, each with its end token."""
    return Tokens.of([[*row, EOS] for row in rows], PAD)


def batch_of(rows: list[list[int]]) -> Batch:
    return make(rows).batch(range(len(rows)))


def read(batch: Batch) -> list[list[int]]:
    """The real tokens of each row, after a check that the batch is padded as it should be."""
    assert batch.mask.dtype == torch.bool
    assert bool(batch.mask.any(0).all()), "the batch is wider than its longest row"
    assert bool((batch.mask[:, :-1] >= batch.mask[:, 1:]).all()), "padding stands before a token"
    assert bool(batch.ids[~batch.mask].eq(PAD).all())
    return [row[kept].tolist() for row, kept in zip(batch.ids, batch.mask, strict=True)]


# ----------------------------------------------------------------------------------------------------------- tokenizing


@given(st.lists(st.text(), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_text_comes_back_from_its_tokens(tokenizer: Any, texts: list[str]) -> None:
    tokens = tokenize(tokenizer, texts, 100_000)
    rows = read(tokens.batch(range(len(texts))))
    assert all(row[-1] == EOS for row in rows)
    assert tokenizer.batch_decode(rows, skip_special_tokens=True) == texts


@pytest.mark.parametrize("text", ["</s>", "a </s> b", "<pad>", "<pad></s><unk>", "<extra_id_0> and <extra_id_31>"])
def test_a_text_that_spells_a_special_token_is_plain_text(tokenizer: Any, text: str) -> None:
    (row,) = read(tokenize(tokenizer, [text], 64).batch([0]))
    assert not set(row[:-1]) & set(tokenizer.all_special_ids)
    assert tokenizer.decode(row, skip_special_tokens=True) == text


def test_long_sentences_are_cut_and_still_end(tokenizer: Any, sentences: list[str]) -> None:
    whole = read(tokenize(tokenizer, sentences, 1000).batch(range(len(sentences))))
    assert max(map(len, whole)) > 14 > min(map(len, whole))
    cut = tokenize(tokenizer, sentences, 14)
    assert read(cut.batch(range(len(sentences)))) == [row if len(row) <= 14 else [*row[:13], EOS] for row in whole]
    assert cut.lengths.max() == 14


def test_nothing_to_tokenize(tokenizer: Any) -> None:
    assert len(tokenize(tokenizer, [], 9)) == 0
    assert in_order(tokenize(tokenizer, [], 9), 4) == []
    assert read(tokenize(tokenizer, [""], 9).batch([0])) == [[EOS]]


# -------------------------------------------------------------------------------------------------------------- batches


@given(ROWS, st.data())
def test_a_batch_holds_its_rows_in_the_order_asked_for(rows: list[list[int]], data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=10))
    assert read(make(rows).batch(wanted)) == [[*rows[i], EOS] for i in wanted]


@given(LENGTHS, st.integers(1, 9), st.lists(st.integers(0, 2**31), min_size=1, max_size=3))
def test_every_row_is_in_one_batch(lengths: list[int], batch_size: int, seed: list[int]) -> None:
    tokens = make([[5] * (length - 1) for length in lengths])
    for batches in (in_order(tokens, batch_size), shuffled(tokens, batch_size, seed)):
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        assert len(batches) == -(-len(lengths) // batch_size)  # what the schedule counts as an epoch
        assert sum(len(batch) != batch_size for batch in batches) <= 1


def test_the_order_is_that_of_the_seed_and_changes_with_each_of_its_numbers() -> None:
    tokens = make([[5] * (i % 13) for i in range(400)])

    def order(*seed: int) -> list[int]:
        return [int(row) for batch in shuffled(tokens, 8, seed) for row in batch]

    assert order(1, 2, 3) == order(1, 2, 3)
    others = [order(1, 2, 3), order(0, 2, 3), order(1, 0, 3), order(1, 2, 0), list(range(400))]
    assert all(a != b for i, a in enumerate(others) for b in others[:i])
    together = [{frozenset(batch.tolist()) for batch in shuffled(tokens, 8, (0, 0, epoch))} for epoch in (0, 1)]
    assert not together[0] & together[1]  # not the same batches in another order


def test_batches_hold_sentences_of_similar_length_in_no_order_of_length() -> None:
    rng = np.random.default_rng(0)
    tokens = make([[5] * int(length) for length in rng.integers(1, 60, 16 * POOL_BATCHES)])
    batches = shuffled(tokens, 16, (0, 0, 0))
    widths = np.array([tokens.lengths[batch].max() for batch in batches])
    padded = sum(width * len(batch) for width, batch in zip(widths, batches, strict=True))
    assert padded < 1.06 * tokens.lengths.sum()
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.4
    mixed = shuffled(tokens, 16, (0, 0, 0), by_length=False)
    assert sum(tokens.lengths[batch].max() * len(batch) for batch in mixed) > 1.5 * tokens.lengths.sum()
    assert sorted(np.concatenate(mixed).tolist()) == list(range(len(tokens)))


# ---------------------------------------------------------------------------------------------------------------- noise


def is_subsequence(short: list[int], long: list[int]) -> bool:
    rest = iter(long)
    return all(token in rest for token in short)


@given(ROWS, st.floats(0.01, 0.99), st.integers(0, 10_000))
def test_deletion_keeps_an_ordered_part_and_the_end(rows: list[list[int]], probability: float, seed: int) -> None:
    batch = batch_of(rows)
    noisy = read(delete_tokens(batch, probability, PAD, torch.Generator().manual_seed(seed)))
    for row, kept in zip(rows, noisy, strict=True):
        assert kept[-1] == EOS
        assert is_subsequence(kept[:-1], row)


def test_nothing_is_deleted_at_probability_0() -> None:
    batch = batch_of([[5, 6, 7], [8]])
    assert delete_tokens(batch, 0.0, PAD) is batch


@pytest.mark.parametrize("probability", [0.05, 0.15, 0.4, 0.9])
def test_the_mean_share_deleted_is_the_probability_and_independent_of_the_place(probability: float) -> None:
    rows = [list(range(2, 12))] * 4000
    noisy = read(delete_tokens(batch_of(rows), probability, PAD, torch.Generator().manual_seed(0)))
    kept = np.zeros(10)
    for row in noisy:
        kept[np.array(row[:-1], dtype=int) - 2] += 1
    assert 1 - kept / 4000 == pytest.approx(np.full(10, probability), abs=0.04)
    lengths = np.array([len(row) - 1 for row in noisy])  # binomial: tokens fall one by one
    assert lengths.var() == pytest.approx(10 * probability * (1 - probability), rel=0.15)


def test_deletion_is_that_of_its_generator() -> None:
    batch, before = batch_of([list(range(2, 30))] * 4), torch.get_rng_state()
    first, second, other = (read(delete_tokens(batch, 0.5, PAD, torch.Generator().manual_seed(s))) for s in (0, 0, 1))
    assert first == second != other
    assert torch.equal(torch.get_rng_state(), before)


MARKERS = torch.arange(1000, 1032)


@given(ROWS, st.floats(0.05, 0.9), st.floats(1, 6), st.integers(0, 10_000))
def test_corruption_replaces_spans_by_markers_in_order(
    rows: list[list[int]], share: float, mean_span: float, seed: int
) -> None:
    torch.manual_seed(seed)
    corrupted = read(corrupt_spans(batch_of(rows), share, mean_span, MARKERS, PAD))
    for row, result in zip(rows, corrupted, strict=True):
        assert result[-1] == EOS
        body = result[:-1]
        assert is_subsequence([token for token in body if token < 1000], row)
        assert [token for token in body if token >= 1000] == [1000 + i for i in range(sum(t >= 1000 for t in body))]
        assert not any(a >= 1000 and b >= 1000 for a, b in itertools.pairwise(body)), "one span, two markers"
        assert len(body) <= len(row)
        missing, spans = len(row) - sum(token < 1000 for token in body), sum(token >= 1000 for token in body)
        assert missing >= spans


@pytest.mark.parametrize(("share", "mean_span"), [(0.15, 3.0), (0.3, 3.0), (0.5, 1.5)])
def test_corruption_covers_its_share_in_spans_of_the_mean_length(share: float, mean_span: float) -> None:
    torch.manual_seed(0)
    rows = [list(range(2, 202))] * 300
    corrupted = read(corrupt_spans(batch_of(rows), share, mean_span, torch.arange(1000, 1300), PAD))
    missing = sum(200 - sum(token < 1000 for token in row) + 1 for row in corrupted) - len(rows)
    spans = sum(sum(token >= 1000 for token in row) for row in corrupted)
    assert missing / (200 * 300) == pytest.approx(share, abs=0.02)
    assert missing / spans == pytest.approx(mean_span, rel=0.1)


def test_more_spans_than_markers_share_the_last_marker() -> None:
    torch.manual_seed(0)
    (row,) = read(corrupt_spans(batch_of([[5] * 200]), 0.5, 1.0, MARKERS[:3], PAD))
    assert {token for token in row if token >= 1000} == {1000, 1001, 1002}
