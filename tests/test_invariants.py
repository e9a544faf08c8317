"""The nine defects of the code of Park & Lee 2021 and that of Li et al. 2019, each with a test that fails on it.

Each test is a check, written as a function that raises, applied to our code, which must pass, and to the defect
itself, rebuilt in a few lines, which must not: so the check is known to be able to fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vae import base, batching, decode, evaluate, metrics, trainer
from vae.backbones.t5 import T5Backbone
from vae.batching import Batch
from vae.config import Config, Phase
from vae.model import TextVAE, pool
from vae.objectives import charged_kl, importance_weighted
from vae.posterior import DiagonalGaussian
from vae.recipes import RECIPES
from vae.runs import Run
from vae.schedules import kl_weight, plan
from vae.space import Space

MakeSpace = Callable[..., Space]
PAD, EOS = 0, 1


def rejects(check: Callable[..., None], *defect: Any) -> None:
    """The check must fail on the defect."""
    with pytest.raises(AssertionError):
        check(*defect)


def codes(rows: int, size: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(seed))


def batch_of(space: Space, texts: list[str], width: int = 0) -> Batch:
    batch = space.tokens(texts).batch(range(len(texts)))
    more = max(0, width - batch.ids.shape[1])
    return Batch(F.pad(batch.ids, (0, more), value=PAD), F.pad(batch.mask, (0, more)))


# --------------------------------------------------------------------------------- 1: every sentence has its own memory


def token_logits(model: TextVAE, z: Tensor, batch: Batch, memory: Callable[[Tensor], Tensor]) -> Tensor:
    start = torch.full_like(batch.ids[:, :1], model.backbone.start_token)
    hidden = model.backbone.hidden(memory(z), torch.cat([start, batch.ids[:, :-1]], 1))
    return model.backbone.logits(hidden)


def test_1_permuting_the_batch_permutes_the_logits(space: Space, sentences: list[str]) -> None:
    model, backbone = space.model, space.model.backbone
    z, batch = codes(8), batch_of(space, sentences[:8])
    order = torch.tensor([3, 0, 7, 1, 6, 2, 5, 4])

    @torch.no_grad()
    def check(memory: Callable[[Tensor], Tensor]) -> None:
        plain = token_logits(model, z, batch, memory)
        permuted = token_logits(model, z[order], Batch(batch.ids[order], batch.mask[order]), memory)
        torch.testing.assert_close(permuted, plain[order], rtol=1e-4, atol=1e-4)

    def without_transpose(z: Tensor) -> Tensor:
        """[batch, layers x heads x dim] read as [layers, batch, ...]: other sentences' z in nearly every slot."""
        projected, layers = model.projection(z), len(backbone.t5.decoder.block)
        return projected.reshape(layers, len(z), -1).transpose(0, 1).reshape(len(z), -1)

    check(model.projection)
    rejects(check, without_transpose)


def test_1_a_sentence_depends_neither_on_batch_size_nor_neighbours_nor_padding(
    space: Space, sentences: list[str]
) -> None:
    texts, model = sentences[::8], space.model
    z = codes(len(texts))

    @torch.no_grad()
    def check(rec: Callable[[Tensor, Batch], Tensor]) -> None:
        whole = rec(z, batch_of(space, texts))
        for row, text in enumerate(texts):
            torch.testing.assert_close(rec(z[[row]], batch_of(space, [text], 40))[0], whole[row], rtol=1e-4, atol=1e-3)

    def other_z(z: Tensor, batch: Batch) -> Tensor:
        return model.reconstruction(z.roll(1, 0), batch)

    def padding_counts(z: Tensor, batch: Batch) -> Tensor:
        return model.reconstruction(z, Batch(batch.ids, torch.ones_like(batch.mask)))

    check(model.reconstruction)
    rejects(check, other_z)
    rejects(check, padding_counts)


def test_1_decoding_and_encoding_do_not_depend_on_the_batch(space: Space, sentences: list[str]) -> None:
    z, texts = codes(21), sentences[::6]

    def check(decoded: Callable[[Tensor], list[str]]) -> None:
        assert [decoded(row[None])[0] for row in z] == decoded(z)

    def rolled(z: Tensor) -> list[str]:
        return space.decode(z.roll(1, 0), max_tokens=12)

    check(lambda z: space.decode(z, max_tokens=12))
    rejects(check, lambda z: rolled(z)[: len(z)])
    alone = torch.cat([space.encode([text]).mean for text in texts])
    torch.testing.assert_close(space.encode(texts).mean, alone, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------------------------ 2: the denoiser


class Noisy(NamedTuple):
    """What a denoiser returns, of whatever types."""

    ids: Tensor
    mask: Tensor


def test_2_the_denoiser_deletes_tokens_and_keeps_order_and_end() -> None:
    ids = torch.randint(5, 300, (400, 12), generator=torch.Generator().manual_seed(0))
    ids[:, -1] = EOS
    mask = torch.ones_like(ids, dtype=torch.bool)
    for row, length in enumerate(torch.randint(2, 12, (200,), generator=torch.Generator().manual_seed(1)).tolist()):
        ids[row, length - 1], ids[row, length:], mask[row, length:] = EOS, PAD, False
    batch = Batch(ids, mask)

    def check(delete: Callable[[Batch, float], Batch | Noisy]) -> None:
        assert torch.equal(delete(batch, 0.0).ids, ids)
        for p in (0.15, 0.4):
            torch.manual_seed(0)
            noisy = delete(batch, p)
            assert set(noisy.mask.long().unique().tolist()) <= {0, 1}
            deleted = 0
            for before, kept, real in zip(ids.tolist(), noisy.ids.tolist(), noisy.mask.bool().tolist(), strict=True):
                body = [token for token, is_real in zip(kept, real, strict=True) if is_real]
                sentence = before[: before.index(EOS) + 1]
                rest = iter(sentence)
                assert all(token in rest for token in body), "no ordered part of the sentence"
                assert body[-1] == EOS
                deleted += len(sentence) - len(body)
            assert deleted / (int(mask.sum()) - len(ids)) == pytest.approx(p, abs=0.03)

    def swapped(batch: Batch, p: float) -> Noisy:
        """What was released: inputs and mask change places."""
        noisy = batching.delete_tokens(batch, p, PAD)
        return Noisy(noisy.mask.long(), noisy.ids) if p else Noisy(batch.ids, batch.mask)

    def end_too(batch: Batch, p: float) -> Batch:
        keep = batch.mask & (torch.rand(batch.ids.shape) >= p)
        keep[:, 0] |= ~keep.any(1)
        return batching._compact(batch.ids, keep, PAD)

    def too_little(batch: Batch, p: float) -> Batch:
        return batching.delete_tokens(batch, p / 2, PAD)

    check(lambda batch, p: batching.delete_tokens(batch, p, PAD))
    for defect in (swapped, end_too, too_little):
        rejects(check, defect)


# ------------------------------------------------------------------------------------------------ 3: rec and KL in nats


def test_3_rec_is_a_sum_over_real_tokens_and_beta_is_what_it_says(space: Space, sentences: list[str]) -> None:
    model, texts = space.model, sentences[:6]
    z = codes(6)
    config = Config(phase2=Phase(epochs=1, kl_weight=0.25))
    stage = plan(config, 100)[0]

    def objective(batch: Batch, rec: Callable[[Tensor, Batch], Tensor] | None) -> float:
        """The loss of a training step with the posterior's noise fixed by a seed."""
        eps = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
        nats, _ = trainer._objective(_Scored(model, rec), trainer.Noisy(batch, batch, eps), stage, 0)
        return float(nats)

    @torch.no_grad()
    def check(rec: Callable[[Tensor, Batch], Tensor]) -> None:
        short, wide = batch_of(space, texts), batch_of(space, texts, 256)
        torch.testing.assert_close(rec(z, wide), rec(z, short), rtol=1e-4, atol=1e-3)  # padding to 256 changes nothing
        by_hand = []
        for row, text in enumerate(texts):
            alone = batch_of(space, [text])
            logits = token_logits(model, z[[row]], alone, model.projection)[0]
            by_hand.append(float(F.cross_entropy(logits, alone.ids[0], reduction="sum")))
        assert rec(z, wide).tolist() == pytest.approx(by_hand, rel=1e-4)
        torch.manual_seed(0)
        q = model.encode(short)
        true_rec = float(model.reconstruction(q.rsample(), short).mean())
        stated = (objective(wide, rec) - true_rec) / float(q.kl_per_dim().sum(1).mean())
        assert stated == pytest.approx(0.25, rel=1e-2)  # the effective beta

    def mean_over_256_positions(z: Tensor, batch: Batch) -> Tensor:
        return model.reconstruction(z, batch) / 256

    def mean_over_positions(z: Tensor, batch: Batch) -> Tensor:
        return model.token_nats(z, batch).mean(1)

    check(model.reconstruction)
    rejects(check, mean_over_256_positions)
    rejects(check, mean_over_positions)


class _Scored:
    """The model with another reconstruction term."""

    def __init__(self, model: TextVAE, rec: Callable[[Tensor, Batch], Tensor] | None) -> None:
        self.model, self.rec = model, rec or model.reconstruction

    def __call__(self, source: Batch, target: Batch, eps: Tensor, read: Tensor | None) -> Any:
        terms = self.model(source, target, eps)
        return terms._replace(rec=self.rec(self.model.encode(source).at(eps), target))


def test_3_kl_is_summed_over_dimensions(space: Space, sentences: list[str]) -> None:
    q = space.encode(sentences)
    reference = torch.distributions.kl_divergence(
        torch.distributions.Normal(q.mean, torch.exp(0.5 * q.logvar)), torch.distributions.Normal(0.0, 1.0)
    )

    def check(kl: Callable[[DiagonalGaussian], float]) -> None:
        assert kl(q) == pytest.approx(float(reference.sum(1).mean()), rel=1e-4)

    check(lambda q: evaluate.figures(_pass(space, sentences), 1)["kl_nats"])
    rejects(check, lambda q: float(q.kl_per_dim().mean()))


def _pass(space: Space, texts: list[str]) -> evaluate.Pass:
    return evaluate.one_pass(space.model, space.tokens(texts))


# -------------------------------------------------------------------------------------------------- 4: -ELBO = rec + KL


def test_4_the_negative_elbo_is_rec_plus_kl_everywhere(trained_run: Run, space: Space, sentences: list[str]) -> None:
    report = evaluate.evaluate(space, pd.DataFrame({"text": sentences[:20]}), samples=1).to_dict()
    events = [event for event in trained_run.metrics() if event["phase"] > 0]
    assert {event["split"] for event in events} == {"train", "valid"}

    def check(figures: dict[str, Any]) -> None:
        assert figures["neg_elbo_nats"] == pytest.approx(figures["rec_nats"] + figures["kl_nats"])
        assert figures["neg_elbo_nats"] >= figures["rec_nats"] > 0
        assert figures["kl_nats"] > 0

    for figures in [report, *events]:
        check(figures)
        rejects(check, figures | {"neg_elbo_nats": figures["rec_nats"] - figures["kl_nats"]})


def test_4_the_negative_elbo_bounds_the_importance_weighted_nll(space: Space, sentences: list[str]) -> None:
    report = evaluate.evaluate(space, pd.DataFrame({"text": sentences[:30]}), samples=32)
    assert report.neg_elbo_nats >= report.nll_nats


# ----------------------------------------------------------------------------------------------------------- 5: pooling


@pytest.mark.parametrize("how", ["max", "mean"])
@pytest.mark.parametrize("layers", ["last", "all"])
def test_5_pooling_never_sees_padding(make_space: MakeSpace, sentences: list[str], how: str, layers: str) -> None:
    model = (space := make_space(pooling=how, pooled_layers=layers)).model
    short, wide = batch_of(space, sentences[:6]), batch_of(space, sentences[:6], 256)

    @torch.no_grad()
    def check(pooled: Callable[[Tensor, Tensor], Tensor]) -> None:
        found = []
        for batch in (short, wide):
            states = torch.stack(model.backbone.states(batch.ids, batch.mask, every_layer=layers == "all"), 1)
            garbage = states.masked_fill(~batch.mask[:, None, :, None], 1e3)
            found += [pooled(states, batch.mask), pooled(garbage, batch.mask)]
        for other in found[1:]:
            torch.testing.assert_close(other, found[0], rtol=1e-4, atol=1e-5)

    check(lambda states, mask: pool(states, mask, how))
    rejects(check, lambda states, _: states.amax((1, 2)) if how == "max" else states.mean((1, 2)))


def test_5_all_layers_are_pooled_if_asked(make_space: MakeSpace, sentences: list[str]) -> None:
    """A change in an inner layer alone is seen by one and not by the other."""
    every, last = make_space(pooled_layers="all", pooling="mean"), make_space(pooled_layers="last", pooling="mean")
    batch = batch_of(every, sentences[:4])

    def sees_inner_layers(space: Space) -> bool:
        backbone: Any = space.model.backbone
        before = space.model.encode(batch).mean
        states = backbone.states

        def shifted(*args: Any, **how: Any) -> list[Tensor]:
            *inner, last = states(*args, **how)
            return [*(state + 1 for state in inner), last]

        backbone.states = shifted
        changed = not torch.allclose(space.model.encode(batch).mean, before)
        del backbone.states
        return changed

    assert sees_inner_layers(every)
    assert not sees_inner_layers(last)


# ------------------------------------------------------------------------------------ 6: z enters cross-attention alone


def heads(t5: Any, projection: Any, states: Tensor) -> Tensor:
    return projection(states).view(*states.shape[:-1], t5.config.num_heads, t5.config.d_kv).transpose(1, 2)


def attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | float) -> Tensor:
    return (torch.softmax(query @ keys.transpose(-1, -2) + bias, -1) @ values).transpose(1, 2).flatten(2)


def decoder_by_hand(
    model: TextVAE, z: Tensor, ids: Tensor, queries: Tensor, *, as_past: bool = False, cross_bias: Tensor | float = 0.0
) -> Tensor:
    """T5's decoder in plain tensors, with generic multi-head attention throughout.

    `queries` (B, T, H S) stands for whatever the query of cross-attention is. `as_past` is the defect: z as a past key
    and value of self-attention, under the relative position bias, and no cross-attention.
    """
    t5, length = model.backbone.t5, ids.shape[1]
    config, memory = t5.config, model.projection(z)
    size = config.num_heads * config.d_kv
    past = 1 if as_past else 0
    bias = t5.decoder.block[0].layer[0].SelfAttention.compute_bias(length + past, length + past)[:, :, past:]
    causal = torch.ones(length, length + past).tril(past).log()  # 0 or -inf
    h = t5.shared(ids)
    for layer, block in enumerate(t5.decoder.block):
        own, cross, feed = block.layer
        slot = memory[:, layer * size : (layer + 1) * size].view(len(z), config.num_heads, 1, config.d_kv)
        normed = own.layer_norm(h)
        q, k, v = (heads(t5, getattr(own.SelfAttention, name), normed) for name in "qkv")
        if as_past:
            k, v = torch.cat([slot, k], 2), torch.cat([slot, v], 2)
        h = h + own.SelfAttention.o(attend(q, k, v, bias + causal))
        if not as_past:
            query = queries.view(len(z), length, config.num_heads, config.d_kv).transpose(1, 2)
            h = h + cross.o(attend(query, slot, slot, cross_bias))
        h = h + feed.DenseReluDense(feed.layer_norm(h))
    return t5.decoder.final_layer_norm(h)


@pytest.mark.parametrize("shape", [{}, {"d_model": 24, "d_kv": 5, "num_heads": 3, "feed_forward_proj": "gated-gelu"}])
def test_6_z_is_the_one_slot_of_cross_attention(make_space: MakeSpace, shape: dict[str, Any]) -> None:
    """One slot under generic multi-head attention and any query is W_o V; ours and the library's forward are that."""
    space = make_space(t5=shape)
    model, z = space.model, codes(6)
    t5 = model.backbone.t5
    ids = torch.randint(35, 330, (6, 9), generator=torch.Generator().manual_seed(0))
    size = t5.config.num_heads * t5.config.d_kv

    @torch.no_grad()
    def check(by_hand: Callable[[Tensor], Tensor]) -> None:
        for seed in (0, 1):
            queries = 3 * torch.randn(6, 9, size, generator=torch.Generator().manual_seed(seed))
            theirs = t5.decoder(input_ids=ids, encoder_hidden_states=model.projection(z)[:, None]).last_hidden_state
            for hidden in (model.backbone.hidden(model.projection(z), ids), theirs):
                torch.testing.assert_close(hidden, by_hand(queries), rtol=1e-3, atol=1e-4)

    check(lambda queries: decoder_by_hand(model, z, ids, queries))
    bias = torch.randn(t5.config.num_heads, 9, 1)  # with one key no position bias could be seen, were there one
    check(lambda queries: decoder_by_hand(model, z, ids, queries, cross_bias=bias))
    rejects(check, lambda queries: decoder_by_hand(model, z, ids, queries, as_past=True))
    rejects(check, lambda queries: decoder_by_hand(model, z.roll(1, 0), ids, queries))


# -------------------------------------------------------------------------------------------------------- 7: perplexity


def test_7_perplexity_counts_words_and_the_end_of_each_sentence(space: Space, sentences: list[str]) -> None:
    texts = sentences[:40]
    report = evaluate.evaluate(space, pd.DataFrame({"text": texts}), samples=1)
    nll = report.nll_nats * len(texts)
    words = sum(len(text.split()) + 1 for text in texts)
    tokens = sum(len(space.tokenizer(text)["input_ids"]) + 1 for text in texts)

    def check(ppl_word: float) -> None:
        assert ppl_word == pytest.approx(math.exp(nll / words), rel=1e-4)

    check(report.ppl_word)
    rejects(check, math.exp(nll / (words - len(texts))))  # the end left out of the count, its NLL kept
    rejects(check, math.exp(nll / tokens))  # subwords counted
    assert report.ppl_token == pytest.approx(math.exp(nll / tokens), rel=1e-4)
    assert metrics.word_count("a man .") == 4


def test_7_a_uniform_decoder_has_a_perplexity_of_the_vocabulary(make_space: MakeSpace, sentences: list[str]) -> None:
    space = make_space()
    with torch.no_grad():
        space.model.backbone.t5.decoder.final_layer_norm.weight.zero_()
        for head in (space.model.mean, space.model.logvar):
            head.weight.zero_(), head.bias.zero_()
    report = evaluate.evaluate(space, pd.DataFrame({"text": sentences[:40]}), samples=1)

    def check(ppl_token: float) -> None:
        assert ppl_token == pytest.approx(330, rel=1e-4)

    check(report.ppl_token)
    tokens = sum(len(space.tokenizer(text)["input_ids"]) + 1 for text in sentences[:40])
    rejects(check, math.exp(report.nll_nats * 40 / (tokens - 40)))


# ------------------------------------------------------------------------------------------------ 8: mutual information


def test_8_mi_is_over_the_whole_set() -> None:
    """600 posteriors far apart have MI = ln 600; averaged over batches of 256 they seem to have ln 256 at most."""
    mean, logvar = 100 * codes(600, 4), torch.full((600, 4), -4.0)
    z = DiagonalGaussian(mean, logvar).rsample(torch.Generator().manual_seed(0))

    def check(mi: Callable[[Tensor, Tensor, Tensor], float]) -> None:
        assert mi(mean, logvar, z) == pytest.approx(math.log(600), abs=0.01)
        assert mi(mean, logvar, z) > math.log(256)

    def in_batches(mean: Tensor, logvar: Tensor, z: Tensor) -> float:
        parts = [slice(i, i + 256) for i in range(0, 600, 256)]
        each = [metrics.mutual_information(mean[p], logvar[p], z[p]) for p in parts]
        return float(np.average([mi.lower_nats for mi in each], weights=[mi.sentences for mi in each]))

    check(lambda *qz: metrics.mutual_information(*qz).lower_nats)
    rejects(check, in_batches)


# -------------------------------------------------------------------------------------------------- 9: the smaller ones

V11 = {"d_model": 24, "d_kv": 10, "num_heads": 3, "head": True, "tie_word_embeddings": False,
       "feed_forward_proj": "gated-gelu"}  # fmt: skip


def test_9_d_kv_need_not_be_width_over_heads(make_t5: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> None:
    """A T5 like v1.1 or Flan, saved by the library: loaded, made a VAE, saved, loaded; greedy stays what it was."""
    make_t5(**V11).save_pretrained(tmp_path / "t5")
    tokenizer.save_pretrained(tmp_path / "t5")
    t5, _ = base.load(str(tmp_path / "t5"))
    torch.manual_seed(0)
    model = TextVAE.around(T5Backbone(t5), latent_size=5).eval()

    def check(memory_size: int) -> None:
        config = t5.config
        assert memory_size == config.num_decoder_layers * config.num_heads * config.d_kv
        assert model.projection.weight.shape == (memory_size, 5)

    check(model.backbone.memory_size)
    rejects(check, t5.config.num_decoder_layers * t5.config.num_heads * (t5.config.d_model // t5.config.num_heads))
    greedy = decode.generate(model, 4 * codes(8), 12)
    model.save_pretrained(tmp_path / "vae")
    again: TextVAE = TextVAE.from_pretrained(tmp_path / "vae")
    assert torch.equal(decode.generate(again, 4 * codes(8), 12), greedy)
    assert not again.backbone.tied_head  # type: ignore[attr-defined]


def test_9_annealing_follows_equation_6() -> None:
    """The weight is step / (steps an epoch x 50), not x 100."""

    def check(weight: Callable[[Phase, int, int], float]) -> None:
        phase = RECIPES["park-lee-max-pool"]().phase2
        for step in (0, 1, 500, 2500, 5000, 9000):
            assert weight(phase, step, 100) == pytest.approx(min(1.0, step / (100 * 50)))

    check(kl_weight)
    rejects(check, lambda phase, step, n: kl_weight(replace(phase, kl_epochs=100), step, n))


def test_9_the_papers_recipes_have_the_papers_learning_rate_and_epochs() -> None:
    for name in ("park-lee-max-pool", "park-lee-denoise", "park-lee-denoise-klt", "park-lee-deep"):
        config = RECIPES[name]()
        assert (config.phase1.learning_rate, config.phase2.learning_rate) == (1e-3, 1e-3)
        assert (config.phase1.epochs, config.phase2.epochs, config.phase2.kl_epochs) == (5, 3, 50)


def test_9_sentences_are_shuffled_anew_each_epoch(space: Space, sentences: list[str]) -> None:
    tokens = space.tokens(sentences)

    def check(order: Callable[[int], list[np.ndarray]]) -> None:
        epochs = [np.concatenate(order(epoch)).tolist() for epoch in range(3)]
        assert all(sorted(epoch) == list(range(len(sentences))) for epoch in epochs)
        assert len({tuple(epoch) for epoch in [*epochs, list(range(len(sentences)))]}) == 4

    check(lambda epoch: batching.shuffled(tokens, 16, (0, 1, epoch)))
    rejects(check, lambda _: batching.in_order(tokens, 16))
    rejects(check, lambda _: batching.shuffled(tokens, 16, (0, 1, 0)))


def test_9_training_and_validation_speak_of_one_unit(trained_run: Run) -> None:
    """Nats per sentence in both: on sentences of one distribution the terms are of one size."""
    last = {e["split"]: e for e in trained_run.metrics() if e["phase"] == 2}

    def check(train: dict[str, Any], valid: dict[str, Any]) -> None:
        for name in ("rec_nats", "kl_nats", "neg_elbo_nats"):
            assert 0.5 < valid[name] / train[name] < 2, name

    check(last["train"], last["valid"])
    tokens = 25
    rejects(check, last["train"], last["valid"] | {"rec_nats": last["valid"]["rec_nats"] / tokens})


# --------------------------------------------------------------- of the code of Li et al. 2019: IWAE has the wrong sign


def test_the_importance_weighted_bound_tightens_with_more_draws(space: Space, sentences: list[str]) -> None:
    """log 1/K sum w, and not log 1/K sum 1/w: at one draw they are the same, with more they part from each other."""
    batch = batch_of(space, sentences[:20])

    @torch.no_grad()
    def check(bound: Callable[[Tensor, Tensor], Tensor]) -> None:
        torch.manual_seed(0)
        terms = space.model(batch, batch, torch.randn(20, 64, space.model.latent_size))
        rec, ratio = terms.rec, terms.log_ratio
        one, many = bound(rec[:, :1], ratio[:, :1]), bound(rec, ratio)
        torch.testing.assert_close(one, (rec + ratio)[:, 0], rtol=1e-5, atol=1e-4)
        each = (rec + ratio).mean(1)  # -ELBO by 64 draws
        assert (many <= each + 1e-3).all()
        assert many.mean() < each.mean()

    def as_released(rec: Tensor, ratio: Tensor) -> Tensor:
        return torch.logsumexp(rec + ratio, 1) - math.log(rec.shape[1])

    check(importance_weighted)
    rejects(check, as_released)


# ----------------------------------------------------------------- and the two lambdas of the papers are not one number


def test_a_target_of_a_sentence_is_shared_by_its_dimensions() -> None:
    """lambda = 3 of Li et al. 2019 is 0.094 nats for each of 32 dimensions; of Park & Lee 2021 it is 3 for each."""
    kl = torch.full((4, 32), 0.1)

    def check(charged: Callable[[Tensor, float], Tensor]) -> None:
        assert charged(kl, 3.0).tolist() == pytest.approx([3.2] * 4)
        assert charged(kl, 3.3).tolist() == [0.0] * 4

    check(lambda kl, target: charged_kl(kl, target=target))
    rejects(check, lambda kl, target: charged_kl(kl, per_dimension=target))
    rejects(check, lambda kl, target: (kl * (kl > target)).sum(1))
