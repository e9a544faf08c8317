"""Every figure against an exact answer or an independent computation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from vae import metrics
from vae.posterior import DiagonalGaussian, log_prior


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def posteriors(n: int, latent: int, spread: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random posteriors and one sample of each."""
    g = generator(seed)
    q = DiagonalGaussian(spread * torch.randn(n, latent, generator=g), torch.randn(n, latent, generator=g) - 1)
    return q.mean, q.logvar, q.rsample(g)


def log_densities(mean: torch.Tensor, logvar: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """log q(z_i|x_j) for every pair, by the library and the long way."""
    q = Independent(Normal(mean.double(), (0.5 * logvar.double()).exp()), 1)
    return torch.stack([q.log_prob(row) for row in z.double()])


class TestMutualInformation:
    def test_a_collapsed_posterior_carries_nothing(self) -> None:
        mean, logvar = torch.full((300, 4), 0.3), torch.full((300, 4), -0.2)
        z = DiagonalGaussian(mean, logvar).rsample(generator())
        mi = metrics.mutual_information(mean, logvar, z)
        assert mi.lower_nats == pytest.approx(0, abs=1e-9)
        assert mi.upper_nats == pytest.approx(0, abs=1e-9)
        assert not mi.saturated

    @pytest.mark.parametrize("logvar", [-2.0, -30.0])
    def test_far_apart_posteriors_reach_the_ceiling(self, logvar: float) -> None:
        mean = 100 * torch.arange(50.0)[:, None].expand(50, 3)
        variances = torch.full((50, 3), logvar)
        mi = metrics.mutual_information(mean, variances, DiagonalGaussian(mean, variances).rsample(generator()))
        assert mi.lower_nats == pytest.approx(math.log(50), abs=1e-9)
        assert mi.ceiling_nats == math.log(50)
        assert mi.upper_nats > mi.lower_nats
        assert mi.saturated

    @pytest.mark.parametrize("logvar", [-2.0, -20.0])
    def test_sentences_that_share_a_code_count_once(self, logvar: float) -> None:
        """Ten groups of equal codes: ln 10, for wide posteriors and for narrow ones."""
        mean = (30 * torch.arange(10.0).repeat(20))[:, None].expand(200, 2)
        mi = metrics.mutual_information(mean, torch.full((200, 2), logvar), mean)
        assert mi.lower_nats == pytest.approx(math.log(10), abs=1e-3)

    @pytest.mark.parametrize("dimensions", [1, 3])
    def test_a_linear_gaussian_encoder_lies_between_the_bounds(self, dimensions: int) -> None:
        a, s, n = 0.9, 0.6, 4000
        g = generator(1)
        mean = a * torch.randn(n, dimensions, generator=g)
        logvar = torch.full_like(mean, 2 * math.log(s))
        mi = metrics.mutual_information(mean, logvar, DiagonalGaussian(mean, logvar).rsample(g))
        truth = dimensions * 0.5 * math.log(1 + a**2 / s**2)
        noise = 4 * math.sqrt(dimensions / n)
        assert mi.lower_nats - noise <= truth <= mi.upper_nats + noise
        assert mi.lower_nats == pytest.approx(truth, abs=0.1)

    def test_equals_the_definition_pair_by_pair(self) -> None:
        mean, logvar, z = posteriors(40, 5, spread=1.5)
        pairs = log_densities(mean, logvar, z)
        own = pairs.diagonal()
        others = pairs.masked_fill(torch.eye(40, dtype=torch.bool), -torch.inf)
        mi = metrics.mutual_information(mean, logvar, z)
        assert mi.lower_nats == pytest.approx(float((own - pairs.logsumexp(1)).mean()) + math.log(40), abs=1e-9)
        assert mi.upper_nats == pytest.approx(float((own - others.logsumexp(1)).mean()) + math.log(39), abs=1e-9)

    @settings(max_examples=40, deadline=None)
    @given(
        n=st.integers(2, 40),
        latent=st.integers(1, 6),
        spread=st.floats(0, 20),
        block=st.integers(1, 50),
        seed=st.integers(0, 2**20),
    )
    def test_order_and_blocks_do_not_matter_and_the_bounds_are_in_order(
        self, n: int, latent: int, spread: float, block: int, seed: int
    ) -> None:
        mean, logvar, z = posteriors(n, latent, spread, seed)
        whole = metrics.mutual_information(mean, logvar, z)
        order = torch.randperm(n, generator=generator(seed))
        again = metrics.mutual_information(mean[order], logvar[order], z[order], block=block)
        assert again.lower_nats == pytest.approx(whole.lower_nats, abs=1e-8)
        assert again.upper_nats == pytest.approx(whole.upper_nats, rel=1e-9, abs=1e-8)
        assert whole.lower_nats <= whole.upper_nats + 1 / (n - 1) + 1e-9
        assert whole.lower_nats <= whole.ceiling_nats + 1e-9

    def test_codes_far_from_the_origin_lose_no_digits(self) -> None:
        mean, logvar, z = (tensor.double() for tensor in posteriors(60, 4, spread=1.0))
        here, there = (metrics.mutual_information(mean + shift, logvar, z + shift) for shift in (0.0, 1e6))
        assert there.lower_nats == pytest.approx(here.lower_nats, abs=1e-6)

    def test_batches_of_256_cannot_show_what_all_sentences_show(self) -> None:
        """Averaging MI over batches, as the released code of Park & Lee does, saturates at ln 256 = 5.55 nats."""
        mean, logvar, z = posteriors(2048, 8, spread=20.0)
        whole = metrics.mutual_information(mean, logvar, z)
        parts = [
            metrics.mutual_information(*(tensor[i : i + 256] for tensor in (mean, logvar, z)))
            for i in range(0, 2048, 256)
        ]
        in_batches = sum(part.lower_nats for part in parts) / len(parts)
        assert in_batches <= math.log(256) + 1e-9
        assert all(part.saturated for part in parts)
        assert whole.lower_nats > math.log(256) + 1
        assert whole.lower_nats <= math.log(2048) + 1e-9

    def test_needs_two_finite_sentences(self) -> None:
        one = torch.zeros(1, 2)
        with pytest.raises(ValueError, match="at least 2 sentences"):
            metrics.mutual_information(one, one, one)
        two = torch.zeros(2, 2)
        with pytest.raises(ValueError, match="finite"):
            metrics.mutual_information(two, two, two / 0)


class TestKL:
    @settings(max_examples=50, deadline=None)
    @given(mean=st.floats(-20, 20), logvar=st.floats(-12, 6))
    def test_equals_the_library_and_is_never_negative(self, mean: float, logvar: float) -> None:
        q = DiagonalGaussian(*torch.tensor([[[mean]], [[logvar]]], dtype=torch.float64))
        library = kl_divergence(Normal(q.mean, (0.5 * q.logvar).exp()), Normal(0.0, 1.0))
        assert float(q.kl_per_dim()) == pytest.approx(float(library), rel=1e-9, abs=1e-12)
        assert float(q.kl_per_dim()) >= 0


def test_active_units_are_counted_by_the_variance_of_the_means() -> None:
    deviations = torch.tensor([0.0, 0.5, 0.05, 0.2, 2.0])
    means = 7 + deviations * torch.randn(5000, 5, generator=generator())
    units = metrics.active_units(means)
    assert units.count == 3
    torch.testing.assert_close(units.variances, means.double().var(0).sort(descending=True).values)
    assert metrics.active_units(means, threshold=1.0).count == 1
    with pytest.raises(ValueError, match="at least 2 sentences"):
        metrics.active_units(means[:1])


class TestPerplexity:
    def test_a_uniform_decoder_has_the_size_of_its_vocabulary(self) -> None:
        vocabulary, tokens = 4000, 137
        assert metrics.ppl_token(tokens * math.log(vocabulary), tokens) == pytest.approx(vocabulary)

    @pytest.mark.parametrize(("text", "count"), [("", 1), ("a dog runs .", 5), ("  two\twords\n", 3)])
    def test_words_are_split_by_whitespace_and_the_end_counts(self, text: str, count: int) -> None:
        assert metrics.word_count(text) == count

    def test_divides_sums_once(self) -> None:
        assert metrics.ppl_word(10.0, 5) == pytest.approx(math.exp(2))

    def test_has_no_ceiling_and_needs_a_count(self) -> None:
        assert metrics.ppl_word(1e6, 1) == math.inf
        with pytest.raises(ValueError, match="at least one of the words"):
            metrics.ppl_word(1.0, 0)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(2, 200), seed=st.integers(0, 2**20))
def test_other_sentences_are_all_others_in_one_cycle(n: int, seed: int) -> None:
    other = metrics.other_sentences(n, generator(seed))
    walk, at = [], 0
    for _ in range(n):
        walk.append(at)
        at = int(other[at])
    assert at == 0
    assert sorted(walk) == list(range(n))
    assert torch.equal(other, metrics.other_sentences(n, generator(seed)))


def test_one_sentence_has_no_other() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        metrics.other_sentences(1)


class TestOthersOfTheSameLength:
    @given(st.lists(st.integers(1, 6), min_size=2, max_size=60), st.integers(0, 2**31))
    def test_each_is_the_other_of_exactly_one_and_of_its_length_where_there_is_one(
        self, lengths: list[int], seed: int
    ) -> None:
        known = np.array(lengths)
        other = metrics.other_sentences(len(lengths), generator(seed), known).numpy()
        assert sorted(other.tolist()) == list(range(len(lengths)))
        assert bool((other != np.arange(len(lengths))).all())
        lonely = int((np.bincount(known) == 1).sum())
        unlike = int((known[other] != known).sum())
        assert unlike <= 2 * lonely  # a length that occurs once lends itself to one neighbour, and borrows one
        if not lonely:
            assert unlike == 0

    def test_the_cycles_are_random(self) -> None:
        lengths = np.repeat([4, 9], 50)
        found = {tuple(metrics.other_sentences(100, generator(seed), lengths).tolist()) for seed in range(5)}
        assert len(found) == 5


class TestMarginalKL:
    """A mixture whose density is known on a grid."""

    def test_it_bounds_the_marginal_kl_from_below(self) -> None:
        mean = torch.tensor([[-2.0], [0.5], [2.5]], dtype=torch.float64)
        logvar = torch.tensor([[-2.0], [-1.0], [-3.0]], dtype=torch.float64)
        grid = torch.linspace(-12, 12, 200_001, dtype=torch.float64)[:, None]
        q = torch.stack([Normal(m, torch.exp(0.5 * v)).log_prob(grid)[:, 0] for m, v in zip(mean, logvar, strict=True)])
        log_q = torch.logsumexp(q, 0) - math.log(3)
        integrand = torch.exp(log_q) * (log_q - Normal(0.0, 1.0).log_prob(grid)[:, 0])
        truth = float(torch.trapezoid(integrand, grid[:, 0]))
        least = float(metrics.marginal_kl_least(mean, logvar).sum())
        assert 0.3 < least < truth
        kl = DiagonalGaussian(mean, logvar).kl_per_dim().sum(1).mean()
        assert truth < float(kl)  # the rest is MI

    def test_it_is_exact_where_the_aggregate_is_one_gaussian(self) -> None:
        mean, logvar = torch.full((50, 2), 0.7), torch.full((50, 2), -1.2)
        expected = DiagonalGaussian(mean[:1], logvar[:1]).kl_per_dim()[0].double()
        torch.testing.assert_close(metrics.marginal_kl_least(mean, logvar), expected)

    def test_codes_spread_like_the_prior_show_none(self) -> None:
        spread = torch.randn(200_000, 3, generator=generator())
        mean, logvar = 0.8 * spread, torch.full((200_000, 3), math.log(1 - 0.64))
        assert float(metrics.marginal_kl_least(mean, logvar).sum()) < 1e-3

    @given(st.integers(1, 30), st.integers(1, 4), st.floats(0.01, 10), st.integers(0, 2**31))
    def test_it_lies_between_zero_and_kl(self, n: int, size: int, scale: float, seed: int) -> None:
        g = generator(seed)
        q = DiagonalGaussian(scale * torch.randn(n, size, generator=g), scale * torch.randn(n, size, generator=g))
        least = metrics.marginal_kl_least(q.mean, q.logvar)
        assert bool((least >= -1e-9).all())
        assert bool((least <= q.kl_per_dim().double().mean(0) * (1 + 1e-5) + 1e-5).all())


class TestIntervals:
    """95 % of them hold the truth."""

    def test_of_a_mean(self) -> None:
        draws = torch.distributions.Exponential(0.5).expand((2000, 300))
        torch.manual_seed(0)
        held = [low < 2 < high for low, high in map(metrics.mean_interval, draws.sample())]
        assert sum(held) / 2000 == pytest.approx(0.945, abs=0.015)

    def test_of_a_perplexity(self) -> None:
        """NLL = 0.7 a word plus noise that grows with the sentence: the truth is e^0.7."""
        g, held = generator(), []
        for _ in range(1500):
            words = torch.randint(2, 30, (300,), generator=g)
            nll = words * (0.7 + 0.3 * torch.randn(300, generator=g))
            low, high = metrics.perplexity_interval(nll, words)
            held.append(low < math.exp(0.7) < high)
        assert sum(held) / 1500 == pytest.approx(0.945, abs=0.02)

    def test_of_a_share(self) -> None:
        rng = np.random.default_rng(0)
        for share, least in ((0.5, 0.93), (0.03, 0.92), (0.0, 1.0), (1.0, 1.0)):
            intervals = [metrics.share_interval(int(hits), 200) for hits in rng.binomial(200, share, 1000)]
            assert sum(low - 1e-12 <= share <= high + 1e-12 for low, high in intervals) / 1000 >= least
            assert all(0 <= low < high <= 1 for low, high in intervals)

    def test_a_perplexity_beyond_all_numbers(self) -> None:
        low, high = metrics.perplexity_interval(torch.tensor([1e5, 2e5]), torch.tensor([1, 1]))
        assert high == math.inf
        assert low >= 0


class TestBleu:
    def test_the_same_sentences_score_100_and_others_0(self) -> None:
        texts = ["a man is riding a bus .", "two dogs sleep by the fire ."]
        assert metrics.bleu(texts, texts) == pytest.approx(100)
        assert metrics.bleu(["x y z", "u v w"], texts) == 0
        assert metrics.bleu(["", ""], texts) == 0

    def test_it_is_of_the_corpus_and_by_its_formula(self) -> None:
        """Two words of 9 wrong, counted by hand: 7/9 words, 5/8 pairs, 3/7 triples, 2/6 fours; no brevity penalty."""
        decoded, texts = ["a b x d e f g h y"], ["a b c d e f g h i"]
        expected = 100 * math.exp(sum(math.log(p) for p in (7 / 9, 5 / 8, 3 / 7, 2 / 6)) / 4)
        assert metrics.bleu(decoded, texts) == pytest.approx(expected)

    texts = ("a man is riding a bus .", "two dogs sleep by the fire .", "nobody waits <unk> me , here", "a b")
    draws = (
        ("a man was riding the bus .", "two dogs sleep by the fire .", "nobody waits <unk> you , here", "a c"),
        ("a man is .", "dogs sleep two by the fire .", "nobody waits", "b a"),
    )

    def test_of_several_draws_each_is_the_corpus_bleu(self) -> None:
        found, (low, high) = metrics.bleu_over_draws(self.draws, self.texts)
        assert found == pytest.approx([metrics.bleu(draw, self.texts) for draw in self.draws])
        assert low < float(np.mean(found)) < high

    def test_by_words_it_is_what_multi_bleu_counts(self) -> None:
        """<unk> is one word, and a precision of 0 makes the whole 0: nothing is smoothed."""
        (first, _), _ = metrics.bleu_over_draws(self.draws, self.texts, words=True)
        precisions = (5 + 7 + 5 + 1) / 22, (2 + 6 + 3) / 18, (5 + 1) / 14, 4 / 11  # by hand
        assert first == pytest.approx(100 * math.exp(sum(map(math.log, precisions)) / 4))
        assert first != pytest.approx(metrics.bleu(self.draws[0], self.texts), abs=0.5)
        (nothing,), _ = metrics.bleu_over_draws([["a b c x y z"]], ["a b c d e f"], words=True)
        assert nothing == 0  # no run of four
        assert metrics.bleu(["a b c x y z"], ["a b c d e f"]) > 0

    def test_decoded_and_reference_are_not_one_for_the_other(self) -> None:
        """A brevity penalty is for what is decoded too short, not for a reference that is."""
        long, short = ["a b c d e f g h"], ["a b c d e f"]
        (cut,), _ = metrics.bleu_over_draws([short], long, words=True)
        assert cut == pytest.approx(100 * math.exp(1 - 8 / 6))
        (added,), _ = metrics.bleu_over_draws([long], short, words=True)
        assert added == pytest.approx(100 * math.exp(sum(map(math.log, (6 / 8, 5 / 7, 4 / 6, 3 / 5))) / 4))

    def test_its_interval_is_as_wide_as_other_sentences_and_other_draws_make_it(self) -> None:
        rng, means, halves = np.random.default_rng(0), [], []
        for _ in range(60):
            references = [" ".join(map(str, rng.integers(20, size=rng.integers(4, 12)))) for _ in range(80)]
            lost = rng.random(80)  # some sentences are rebuilt badly in every draw
            draws = [
                [
                    " ".join(word if rng.random() > p else "x" for word in text.split())
                    for text, p in zip(references, lost, strict=True)
                ]
                for _ in range(3)
            ]
            found, (low, high) = metrics.bleu_over_draws(draws, references, words=True, resamples=100)
            means.append(float(np.mean(found)))
            halves.append((high - low) / 2)
        assert np.mean(halves) == pytest.approx(1.96 * np.std(means, ddof=1), rel=0.3)

    def test_nothing_to_score(self) -> None:
        with pytest.raises(ValueError, match="there are 0 and 1"):
            metrics.bleu_over_draws([[]], [])


class TestLinearVAE:
    """x = W z + noise (probabilistic PCA) with its exact posterior known, in closed form."""

    loading = torch.tensor([[1.2, 0.0], [0.0, 0.8], [0.0, 0.0]], dtype=torch.float64)
    s = 0.5

    def test_mi_brackets_the_truth_and_the_bounds_order_themselves(self) -> None:
        n, g = 4000, generator()
        gains = self.loading.square().sum(0) / self.s**2  # W'W is diagonal
        truth = float(0.5 * torch.log(1 + gains).sum())  # I(x; z) under the true posterior
        z = torch.randn(n, 2, generator=g, dtype=torch.float64)
        x = z @ self.loading.T + self.s * torch.randn(n, 3, generator=g, dtype=torch.float64)
        q = DiagonalGaussian(x @ self.loading / self.s**2 / (1 + gains), -torch.log(1 + gains).expand(n, 2))
        sample = q.rsample(g)
        found = metrics.mutual_information(q.mean, q.logvar, sample)
        assert found.lower_nats == pytest.approx(truth, abs=0.05)
        assert found.lower_nats - 0.02 < truth < found.upper_nats + 0.02
        kl = float(q.kl_per_dim().sum(1).mean())
        assert kl == pytest.approx(truth, abs=0.05)  # the aggregate posterior is the prior: no marginal KL
        assert float(metrics.marginal_kl_least(q.mean, q.logvar).sum()) < 0.01


class TestImportanceWeightedNLL:
    """A linear VAE, p(x|z) = N(W z, s^2 I): its marginal is N(0, W W' + s^2 I) and its posterior is Gaussian."""

    s = 0.7
    loading = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, -1.2]], dtype=torch.float64)

    def estimate(self, x: torch.Tensor, q: DiagonalGaussian, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        g = generator(k)
        px, pz, qz = [], [], []
        for _ in range(k):
            z = q.rsample(g)
            px.append(Independent(Normal(z @ self.loading.T, self.s), 1).log_prob(x))
            pz.append(log_prior(z))
            qz.append(q.log_prob(z))
        return metrics.importance_weighted_nll(
            torch.stack([a + b - c for a, b, c in zip(px, pz, qz, strict=True)], dim=1)
        )

    def sentences(self) -> tuple[torch.Tensor, float]:
        covariance = self.loading @ self.loading.T + self.s**2 * torch.eye(3, dtype=torch.float64)
        marginal = MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance)
        x = torch.randn(2000, 3, generator=generator(), dtype=torch.float64) @ torch.linalg.cholesky(covariance).T
        return x, float(-marginal.log_prob(x).mean())

    def test_falls_to_the_marginal_likelihood_as_samples_are_added(self) -> None:
        x, truth = self.sentences()
        prior = DiagonalGaussian(torch.zeros(2000, 2, dtype=torch.float64), torch.zeros(2000, 2, dtype=torch.float64))
        found = {k: self.estimate(x, prior, k) for k in (1, 4, 16, 400)}
        nll = {k: float(estimate[0].mean()) for k, estimate in found.items()}
        assert nll[1] > nll[4] > nll[16] > nll[400] > truth - 0.01
        assert nll[400] == pytest.approx(truth, abs=0.02)
        for k, (_, ess) in found.items():
            assert bool((ess >= 1 - 1e-9).all() and (ess <= k + 1e-9).all())

    def test_the_true_posterior_needs_one_sample_and_wastes_none(self) -> None:
        x, _ = self.sentences()
        self.loading = self.loading[:, :1] @ torch.tensor([[1.0, 0.0]], dtype=torch.float64)  # its posterior: diagonal
        precision = torch.eye(2, dtype=torch.float64) + self.loading.T @ self.loading / self.s**2
        mean = x @ self.loading @ torch.linalg.inv(precision) / self.s**2
        q = DiagonalGaussian(mean, -precision.diagonal().log().expand(2000, 2))
        covariance = self.loading @ self.loading.T + self.s**2 * torch.eye(3, dtype=torch.float64)
        truth = -MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(x)
        for k in (1, 5):
            nll, ess = self.estimate(x, q, k)
            torch.testing.assert_close(nll, truth)
            torch.testing.assert_close(ess, torch.full_like(ess, k))
