"""From z to tokens, against the library's `generate`, against exhaustive search, and against the laws of chance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from vae import decode
from vae.model import TextVAE
from vae.space import Space

MakeSpace = Callable[..., Space]
LENGTH = 24
SHAPES: dict[str, dict[str, Any]] = {
    "tied": {},
    "untied": {"head": True, "tie_word_embeddings": False, "feed_forward_proj": "gated-gelu"},
    "d_kv": {"d_model": 24, "d_kv": 5, "num_heads": 3},
    "deeper decoder": {"num_layers": 1, "num_decoder_layers": 3},
    "few buckets": {"relative_attention_num_buckets": 6, "relative_attention_max_distance": 9},
}


def codes(rows: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed))


def lively(make_space: MakeSpace, shape: dict[str, Any], seed: int = 0) -> TextVAE:
    """A random model whose sentences differ and end at many different lengths, some of them never."""
    model = make_space(seed, t5={"vocab_size": 40, **shape}).model
    with torch.no_grad():
        model.backbone.t5.shared.weight.mul_(0.15)  # or a random T5 repeats the token that it has just read
    model.backbone.end_token = -1
    endless = decode.generate(model, codes(21), LENGTH)

    def lengths(token: int) -> list[int]:
        return [row.index(token) for row in endless.tolist() if token in row]

    model.backbone.end_token = max(range(2, 40), key=lambda token: len(set(lengths(token))))
    return model


def library(model: TextVAE, z: Tensor, **how: Any) -> Tensor:
    """What the library's `generate` makes of the same model, the memory given as the encoder's output."""
    backbone: Any = model.backbone
    ids = backbone.t5.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=model.projection(z)[:, None]),
        max_new_tokens=LENGTH,
        do_sample=False,
        eos_token_id=backbone.end_token,
        pad_token_id=0,
        decoder_start_token_id=0,
        **how,
    )
    return ids[:, 1:]


def uncached(model: TextVAE, z: Tensor, length: int = LENGTH) -> list[list[int]]:
    """Greedy decoding of one row at a time, the whole prefix anew for every token."""
    backbone, out = model.backbone, []
    for row in z:
        tokens = [backbone.start_token]
        while len(tokens) <= length and tokens[-1] != backbone.end_token:
            hidden = backbone.hidden(model.projection(row[None]), torch.tensor([tokens]))
            tokens.append(int(backbone.logits(hidden[:, -1]).argmax()))
        out.append(tokens[1:])
    return out


def sentences_of(model: TextVAE, ids: Tensor) -> list[list[int]]:
    """The tokens of each row up to its end token, after a check that only padding follows."""
    rows, end = ids.tolist(), model.backbone.end_token
    cut = [row[: row.index(end) + 1] if end in row else row for row in rows]
    assert all(set(row[len(kept) :]) <= {model.backbone.pad_token} for row, kept in zip(rows, cut, strict=True))
    return cut


# --------------------------------------------------------------------------------------------------------------- greedy


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [1, 21])
def test_greedy_is_the_librarys_generate_token_for_token(make_space: MakeSpace, shape: str, rows: int) -> None:
    model = lively(make_space, SHAPES[shape])
    for seed in range(1 if rows == 21 else 5):
        z = codes(rows, seed)
        with torch.inference_mode():
            theirs = library(
                model, z, use_cache=shape != "deeper decoder"
            )  # for which the library's cache is too short
        ours = decode.generate(model, z, LENGTH)
        assert sentences_of(model, ours) == sentences_of(model, theirs)
    if rows == 21:  # the test means nothing if all sentences are one, or none ends early
        lengths = {len(sentence) for sentence in sentences_of(model, ours)}
        assert len(lengths) >= 3
        assert len({tuple(row) for row in ours.tolist()}) >= 8


@pytest.mark.parametrize("shape", SHAPES)
def test_greedy_with_a_cache_is_greedy_without(make_space: MakeSpace, shape: str) -> None:
    model = lively(make_space, SHAPES[shape])
    with torch.inference_mode():
        assert sentences_of(model, decode.generate(model, codes(21), LENGTH)) == uncached(model, codes(21))


def test_a_sentence_depends_on_its_own_z_alone(make_space: MakeSpace) -> None:
    """Batch size, neighbours, their order, and rows that finish and are dropped on the way leave no trace."""
    model, z = lively(make_space, {}), codes(40, seed=3)
    together = sentences_of(model, decode.generate(model, z, LENGTH))
    assert len({tuple(row) for row in together}) >= 8
    assert [sentences_of(model, decode.generate(model, row[None], LENGTH))[0] for row in z] == together
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    permuted = sentences_of(model, decode.generate(model, z[order], LENGTH))
    assert permuted == [together[i] for i in order]


def test_it_stops_with_the_last_sentence_or_at_the_limit(make_space: MakeSpace) -> None:
    model = lively(make_space, {})
    ends = [len(s) for s in sentences_of(model, decode.generate(model, codes(40), LENGTH)) if len(s) < LENGTH]
    short = [
        row for row in codes(40) if len(sentences_of(model, decode.generate(model, row[None], LENGTH))[0]) < LENGTH
    ]
    assert decode.generate(model, torch.stack(short), LENGTH).shape[1] == max(ends)
    assert decode.generate(model, codes(40), 3).shape == (40, 3)
    assert decode.generate(model, codes(0), 3).shape[0] == 0


def test_whoever_watches_sees_every_token(make_space: MakeSpace) -> None:
    model, seen = lively(make_space, {}), []
    out = decode.generate(model, codes(5), LENGTH, watch=lambda ids: seen.append(ids.clone()))
    assert [ids.shape[1] for ids in seen] == list(range(1, out.shape[1] + 1))
    assert all(torch.equal(ids, out[:, : ids.shape[1]]) for ids in seen)


def test_greedy_decoding_touches_no_random_state(make_space: MakeSpace) -> None:
    model = lively(make_space, {})
    before = torch.get_rng_state()
    decode.generate(model, codes(3), LENGTH)
    decode.generate(model, codes(3), LENGTH, decode.sampler(torch.Generator().manual_seed(0)))
    decode.beam_search(model, codes(3), LENGTH, 3)
    assert torch.equal(torch.get_rng_state(), before)


# ------------------------------------------------------------------------------------------------------------- sampling


def first_token_logits(model: TextVAE, z: Tensor) -> Tensor:
    with torch.inference_mode():
        return model.steps(z, 1)(torch.tensor([model.backbone.start_token]))[0].double()


def nucleus(logits: Tensor, temperature: float, top_p: float) -> list[float]:
    """The distribution by hand: softmax, the fewest likeliest tokens that hold top_p, renormalized."""
    weights = [math.exp((float(x) - float(logits.max())) / temperature) for x in logits]
    p = [weight / sum(weights) for weight in weights]
    kept, mass = set(), 0.0
    for token in sorted(range(len(p)), key=lambda token: -p[token]):
        if mass >= top_p:
            break
        kept.add(token)
        mass += p[token]
    return [p[token] / mass if token in kept else 0.0 for token in range(len(p))]


@pytest.mark.parametrize(
    ("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (2.0, 1.0), (1.0, 0.7), (1.5, 0.9), (0.01, 1.0), (1.0, 1e-6)]
)
def test_samples_follow_the_distribution_they_are_asked_for(
    make_space: MakeSpace, temperature: float, top_p: float
) -> None:
    model, draws = make_space(t5={"vocab_size": 12}).model, 20_000
    with torch.no_grad():
        model.backbone.t5.lm_head.weight.mul_(0.4)
    z = codes(1)
    expected = torch.tensor(nucleus(first_token_logits(model, z), temperature, top_p)) * draws
    choose = decode.sampler(torch.Generator().manual_seed(0), temperature, top_p)
    counts = torch.bincount(decode.generate(model, z.expand(draws, -1), 1, choose)[:, 0], minlength=12)
    possible = expected > 0
    assert int(counts[~possible].sum()) == 0
    chi_square = float(((counts - expected).square() / expected)[possible].sum())
    degrees = int(possible.sum()) - 1
    assert chi_square <= degrees + 5 * math.sqrt(2 * degrees)
    if (temperature, top_p) != (1.0, 1.0):  # the check would notice another distribution
        plain = torch.tensor(nucleus(first_token_logits(model, z), 1.0, 1.0)) * draws
        assert float(((counts - plain).square() / plain).sum()) > 200


def test_the_same_seed_gives_the_same_sentences(make_space: MakeSpace) -> None:
    model = lively(make_space, {})

    def sample(seed: int, **how: float) -> list[list[int]]:
        return decode.generate(
            model, codes(6), LENGTH, decode.sampler(torch.Generator().manual_seed(seed), **how)
        ).tolist()

    assert sample(1) == sample(1) != sample(2)
    assert sample(1, top_p=0.5) == sample(1, top_p=0.5)


def test_the_smallest_nucleus_is_greedy(make_space: MakeSpace) -> None:
    model = lively(make_space, {})
    greedy = decode.generate(model, codes(21), LENGTH).tolist()
    sampled = decode.generate(model, codes(21), LENGTH, decode.sampler(torch.Generator().manual_seed(0), top_p=1e-9))
    assert sampled.tolist() == greedy


@pytest.mark.parametrize("how", [{"temperature": x} for x in (0.0, -1.0, math.nan, math.inf, 1e-40, 1e-300, 101.0)]
                         + [{"top_p": x} for x in (0.0, -0.1, 1.01, math.nan)])  # fmt: skip
def test_settings_that_make_no_distribution_are_refused(how: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(how))}=\S+ must be"):
        decode.sampler(torch.Generator(), **how)


# ---------------------------------------------------------------------------------------------------------- beam search


def log_p(model: TextVAE, z: Tensor, sentences: list[list[int]]) -> list[float]:
    """log p(x|z) of sentences of one length, in one forward."""
    with torch.inference_mode():
        ids = torch.tensor(sentences)
        inputs = torch.cat([torch.full_like(ids[:, :1], model.backbone.start_token), ids[:, :-1]], 1)
        logits = model.backbone.logits(model.backbone.hidden(model.projection(z.expand(len(ids), -1)), inputs))
        return torch.log_softmax(logits.double(), -1).gather(2, ids[:, :, None]).sum((1, 2)).tolist()


def best_of_all(model: TextVAE, z: Tensor, length: int, penalty: float) -> list[int]:
    """The best sentence of at most `length` tokens, by looking at every one that ends."""
    end, every = model.backbone.end_token, []
    others = [token for token in range(model.backbone.t5.config.vocab_size) if token != end]
    for n in range(length):
        group = [[*body, end] for body in itertools.product(others, repeat=n)]
        every += [(score / (n + 1) ** penalty, row) for score, row in zip(log_p(model, z, group), group, strict=True)]
    return max(every)[1]


@pytest.mark.parametrize(("vocabulary", "length", "seed"), [(3, 5, 1), (4, 3, 3)])
@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0, 2.0, -1.0])
def test_a_beam_that_holds_everything_is_exhaustive_search(
    make_space: MakeSpace, vocabulary: int, length: int, seed: int, penalty: float
) -> None:
    model = make_space(seed, t5={"vocab_size": vocabulary, "head": True}).model
    z = codes(12, seed=1)
    expected = [best_of_all(model, row, length, penalty) for row in z]
    assert penalty != 1.0 or len({len(row) for row in expected}) > 1
    assert sentences_of(model, decode.beam_search(model, z, length, 64, penalty)) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_one_beam_is_greedy(make_space: MakeSpace, shape: str) -> None:
    model = lively(make_space, SHAPES[shape])
    greedy = sentences_of(model, decode.generate(model, codes(21), LENGTH))
    assert sentences_of(model, decode.beam_search(model, codes(21), LENGTH, 1)) == greedy


class Chain:
    """A model whose next token depends on the last one alone, by a table."""

    start_token, pad_token, end_token = 0, 0, 1

    def __init__(self, table: list[list[float]]) -> None:
        self.log_p, self.backbone = torch.tensor(table).log(), self

    def steps(self, z: Tensor, max_tokens: int) -> Chain:
        return self

    def __call__(self, tokens: Tensor) -> Tensor:
        return self.log_p[tokens]

    def keep(self, rows: Tensor) -> None:
        pass


def test_the_search_goes_on_while_a_longer_sentence_could_still_win() -> None:
    """Ending at once has log 0.7 a token; 2 2 ... 2 1 begins with log 0.3, and its mean rises with every token."""
    model: Any = Chain([[0.0, 0.7, 0.3], [0.2, 0.4, 0.4], [0.0, 0.05, 0.95]])
    assert decode.beam_search(model, codes(1), 40, 3).tolist() == [[2] * 39 + [1]]
    assert decode.beam_search(model, codes(1), 4, 3).tolist() == [[1, 0, 0, 0]]
    assert decode.beam_search(model, codes(1), 40, 3, 0.0).tolist() == [[1] + [0] * 39]


def test_more_beams_find_likelier_sentences(make_space: MakeSpace) -> None:
    model, z = lively(make_space, SHAPES["untied"]), codes(21)

    def score(beams: int) -> float:
        rows = sentences_of(model, decode.beam_search(model, z, LENGTH, beams))
        return sum(log_p(model, code, [row])[0] / len(row) for code, row in zip(z, rows, strict=True))

    assert score(8) > score(1)


def test_beam_search_of_a_row_depends_on_that_row_alone(make_space: MakeSpace) -> None:
    model, z = lively(make_space, {}), codes(12, seed=5)
    together = sentences_of(model, decode.beam_search(model, z, LENGTH, 4))
    assert [sentences_of(model, decode.beam_search(model, row[None], LENGTH, 4))[0] for row in z] == together
    assert decode.beam_search(model, codes(0), LENGTH, 4).shape[0] == 0


@pytest.mark.parametrize("beams", [0, -1, 65])
def test_an_absurd_number_of_beams_is_refused(space: Space, beams: int) -> None:
    with pytest.raises(ValueError, match=f"beams={beams} must be between 1 and 64"):
        decode.beam_search(space.model, codes(1), 4, beams)
