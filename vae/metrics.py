"""Figures that judge a text VAE: pure functions of tensors, each with its estimator, unit, bound and source.

KL of each dimension is `DiagonalGaussian.kl_per_dim`, next to the density it comes from. MI, AU and KL look at the
encoder alone; what the decoder does with z shows when a sentence is decoded with the z of another (`other_sentences`).
Nats and counts are summed apart and divided once, by whoever has seen all batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from vae.posterior import LOG_2PI, DiagonalGaussian

DEVIATIONS = 1.96
"""Standard errors on either side of an estimate that make an interval of 95 %."""

SATURATION_NATS = 0.5
"""Within this distance of its ceiling, a lower bound on MI says more about the number of sentences than about z."""


@dataclass(frozen=True, kw_only=True)
class MutualInformation:
    """Bounds on the information that z carries about the sentence, nats."""

    lower_nats: float
    """In-sample estimate: a lower bound in expectation, and never above the ceiling."""
    upper_nats: float
    """Leave-one-out estimate: an upper bound in expectation, without a ceiling."""
    ceiling_nats: float
    """ln N: the most that N sentences can show."""
    sentences: int
    """N."""
    saturated: bool
    """Whether the lower bound is so near its ceiling that the true value may lie anywhere above."""


@dataclass(frozen=True, kw_only=True)
class ActiveUnits:
    """Dimensions of z whose posterior mean differs between sentences."""

    count: int
    """Dimensions with a variance above the threshold."""
    variances: Float[Tensor, " latent"]
    """Var_x(mu_d), largest first."""


def mutual_information(
    mean: Float[Tensor, "sentences latent"],
    logvar: Float[Tensor, "sentences latent"],
    z: Float[Tensor, "sentences latent"],
    *,
    block: int = 128,
) -> MutualInformation:
    """MI of sentence and z under q, nats: E log q(z|x) - E log q(z), with one z ~ q(z|x) a sentence.

    q(z) is the mixture of the N posteriors given here. With a sentence's own posterior in its mixture the estimate
    is a lower bound, at most ln N; with its own left out, an upper bound (Poole et al. 2019, "On Variational Bounds
    of Mutual Information"; the first is Hoffman & Johnson 2016 and the evaluation of Li et al. 2019). The bounds
    hold in expectation over z: nothing is clamped, so near MI = 0 sampling noise can make either a little negative,
    and the lower can pass the upper by at most 1 / (N - 1).

    Every pair of sentences counts, in blocks of `block` x N densities in double precision on the CPU; the quadratic
    form is a matrix product, so no (N, N, latent) tensor arises. Its rounding stays under a hundredth of a nat while
    |mu|^2 / variance is below 1e13. `ValueError` for fewer than two sentences or values that are not finite.
    """
    n = len(mean)
    if n < 2:
        raise ValueError(f"Mutual information needs at least 2 sentences, but there are {n}.")
    mean, logvar, z = (tensor.detach().to("cpu", torch.float64) for tensor in (mean, logvar, z))
    if not all(bool(tensor.isfinite().all()) for tensor in (mean, logvar, z)):
        raise ValueError("Mutual information needs finite codes, but some are not: the model's weights are damaged.")
    centre = mean.mean(0)
    mean, z = mean - centre, z - centre
    own = DiagonalGaussian(mean, logvar).log_prob(z)  # (N,)

    # (z - mu)^2 / var = z^2 / var - 2 z mu / var + mu^2 / var: two of the three terms are one matrix product.
    precision = torch.exp(-logvar)
    columns = torch.cat([precision, -2 * mean * precision], dim=1).T  # (2L, N)
    squares = (mean.square() * precision).sum(1)  # (N,)
    log_scale = -0.5 * (logvar + LOG_2PI).sum(1)  # (N,)
    in_sample = left_out = 0.0
    for start in range(0, n, block):
        rows = z[start : start + block]
        distance = torch.addmm(squares, torch.cat([rows.square(), rows], dim=1), columns)  # (b, N)
        distance.clamp_(min=0)  # a sum of squares: only rounding makes it negative
        log_q = distance.mul_(-0.5).add_(log_scale)
        log_q.diagonal(start).fill_(-torch.inf)  # itself; put back exactly, below
        others = torch.logsumexp(log_q, dim=1)  # (b,)
        mine = own[start : start + block]
        in_sample += float((mine - torch.logaddexp(others, mine)).sum())
        left_out += float((mine - others).sum())
    ceiling = math.log(n)
    lower = in_sample / n + ceiling
    return MutualInformation(
        lower_nats=lower,
        upper_nats=left_out / n + math.log(n - 1),
        ceiling_nats=ceiling,
        sentences=n,
        saturated=lower > ceiling - SATURATION_NATS,
    )


def active_units(means: Float[Tensor, "sentences latent"], threshold: float = 0.01) -> ActiveUnits:
    """Dimensions with Var_x(mu_d) > 0.01 (Burda et al. 2016), the variance unbiased over the sentences.

    A statement about the encoder's means alone. `ValueError` for fewer than two sentences.
    """
    if len(means) < 2:
        raise ValueError(f"Active units need at least 2 sentences, but there are {len(means)}.")
    variances = means.detach().to("cpu", torch.float64).var(0, correction=1).sort(descending=True).values
    return ActiveUnits(count=int((variances > threshold).sum()), variances=variances)


def word_count(text: str) -> int:
    """Words of a sentence as perplexity counts them: whitespace words, and one for its end."""
    return len(text.split()) + 1


def ppl_word(nll_sum_nats: float, words: int) -> float:
    """Perplexity a word: exp(sum of NLL / sum of `word_count`), at least 1 for a proper model.

    With the NLL of an ELBO, an upper bound. Comparable between tokenizers. Infinite where no float can hold it.
    """
    return _perplexity(nll_sum_nats, words, "words")


def ppl_token(nll_sum_nats: float, tokens: int) -> float:
    """Perplexity a token, ends of sentences counted; not comparable between tokenizers."""
    return _perplexity(nll_sum_nats, tokens, "tokens")


def marginal_kl_least(
    mean: Float[Tensor, "sentences latent"], logvar: Float[Tensor, "sentences latent"]
) -> Float[Tensor, " latent"]:
    """What each dimension contributes at least to the marginal KL, KL(q(z) || N(0, I)), nats: 0.5 (m^2 + v - 1 - ln v).

    m and v are mean and variance of a dimension over the aggregate posterior q(z), the mixture of all q(z|x). A lower
    bound, as the prior is a standard normal: of all densities with these moments a Gaussian is nearest to it, and
    dimensions that depend on each other are further from it than they show one by one. Unlike KL - MI, it has no
    ceiling in the number of sentences. It does not see codes that are needles with nothing between them; that KL then
    exceeds the entropy of the sentences does (`evaluate.figures`).
    """
    mean, logvar = mean.detach().double(), logvar.detach().double()
    variance = mean.var(0, correction=0) + torch.exp(logvar).mean(0)
    least: Tensor = 0.5 * (mean.mean(0).square() + variance - 1 - torch.log(variance))
    return least


def other_sentences(
    n: int, generator: torch.Generator | None = None, lengths: Int[np.ndarray, " n"] | None = None
) -> Int[Tensor, " n"]:
    """For each of n sentences the index of another, never its own: one random cycle through all of them.

    delta_nll is the mean of NLL(x | z of the other sentence) - NLL(x | own z), nats a sentence. For a decoder that
    is exact under q it equals MI plus the divergence in the other direction, so at least MI; near 0, z is ignored.

    With `lengths` a cycle goes through the sentences of one length only, so that nothing but the length is shared; a
    length that occurs once joins the next longer one (the longest, the one before).
    """
    if n < 2:
        raise ValueError(f"There is no other sentence among {n}: give at least 2.")
    order = torch.randperm(n, generator=generator)
    ends = [n]
    if lengths is not None:
        order = order[torch.from_numpy(np.argsort(lengths[order.numpy()], kind="stable"))]
        ranked = lengths[order.numpy()]
        ends = []
        for end in [*(np.flatnonzero(np.diff(ranked)) + 1).tolist(), n]:
            if end - (ends[-1] if ends else 0) >= 2:
                ends.append(end)
        ends[-1] = n
    other = torch.empty_like(order)
    for start, end in zip([0, *ends], ends, strict=False):
        cycle = order[start:end]
        other[cycle] = cycle.roll(1)
    return other


def importance_weighted_nll(
    log_w: Float[Tensor, "batch samples"],
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """NLL_K and effective sample size of each sentence, from log w_k = log p(x|z_k) p(z_k) / q(z_k|x), z_k ~ q(z|x).

    NLL_K = -log 1/K sum_k w_k, nats a sentence: in expectation an upper bound on -log p(x) that falls as K grows
    (Burda et al. 2016). The effective sample size, (sum w)^2 / sum w^2, lies between 1 and K; near 1, a single sample
    carries the estimate.
    """
    total = torch.logsumexp(log_w, dim=1)
    ess = torch.exp(2 * total - torch.logsumexp(2 * log_w, dim=1))
    return math.log(log_w.shape[1]) - total, ess


def bleu(decoded: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU of decoded sentences against one reference each, 0 to 100 (Papineni et al. 2002; Post 2018).

    sacrebleu's default: n-grams of 1 to 4, tokenization 13a, exponential smoothing, case kept.
    """
    from sacrebleu import corpus_bleu

    return float(corpus_bleu(list(decoded), [list(references)], force=True).score)


def bleu_over_draws(
    draws: Sequence[Sequence[str]],
    references: Sequence[str],
    *,
    words: bool = False,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[list[float], tuple[float, float]]:
    """Corpus BLEU of each of several decodings of the same sentences, and the 95 % interval of their mean.

    As `bleu`; with `words`, as multi-bleu.perl counts it: words are what stands between spaces, nothing is smoothed.
    The interval is a bootstrap over the sentences (Koehn 2004), each drawn with all its decodings: what differs from
    sentence to sentence and what from draw to draw are both in it. `ValueError` without a decoding or a sentence.
    """
    if not draws or not references:
        raise ValueError(f"BLEU needs sentences and decodings of them: there are {len(references)} and {len(draws)}.")
    from sacrebleu.metrics.bleu import BLEU

    reader = BLEU(tokenize="none" if words else "13a", effective_order=True)  # of one sentence; here for its counts
    found = [
        [reader.sentence_score(text, [reference]) for text, reference in zip(draw, references, strict=True)]
        for draw in draws
    ]
    counts = np.array([[[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in draw] for draw in found])

    def scores(sums: Int[np.ndarray, "draws counts"]) -> list[float]:
        smooth = "none" if words else "exp"
        return [
            float(BLEU.compute_bleu(each[:4], each[4:8], each[8], each[9], smooth_method=smooth).score)
            for each in sums.tolist()
        ]

    n = len(references)
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    again = [float(np.mean(scores(sums))) for sums in np.einsum("rn,dnc->rdc", times, counts, optimize=True)]
    low, high = np.quantile(again, (0.025, 0.975))
    return scores(counts.sum(1)), (float(low), float(high))


def mean_interval(values: Float[Tensor, " n"]) -> tuple[float, float]:
    """The 95 % interval of a mean over n sentences: 1.96 standard errors on either side. nan for a single one."""
    values = values.double()
    mean, error = float(values.mean()), float(values.std(correction=1)) / math.sqrt(len(values))
    return mean - DEVIATIONS * error, mean + DEVIATIONS * error


def perplexity_interval(nll: Float[Tensor, " n"], counts: Int[Tensor, " n"]) -> tuple[float, float]:
    """The 95 % interval of exp(sum NLL / sum counts): the ratio estimator's standard error, taken to the exponent.

    Sentences are drawn whole, so that long ones weigh in both sums (Cochran 1977, section 6).
    """
    nll, numbers = nll.double(), counts.double()
    ratio = nll.sum() / numbers.sum()
    low, high = mean_interval((nll - ratio * numbers) / numbers.mean())
    return _exp(float(ratio) + low), _exp(float(ratio) + high)


def share_interval(hits: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n sentences (Wilson 1927): inside 0 to 1, and not empty where all or none hit.

    `hits` may be a mean of several counts.
    """
    square = DEVIATIONS**2
    centre = (hits + square / 2) / (n + square)
    half = DEVIATIONS / (n + square) * math.sqrt(hits * (n - hits) / n + square / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def _perplexity(nll_sum_nats: float, count: int, unit: str) -> float:
    if count < 1:
        raise ValueError(f"Perplexity needs at least one of the {unit}, but the count is {count}.")
    return _exp(nll_sum_nats / count)


def _exp(nats: float) -> float:
    """exp, infinite where no float can hold it."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf
