"""The posterior against torch.distributions, which was written by others."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, Normal, kl_divergence

from vae.posterior import DiagonalGaussian, log_prior


def draw(seed: int, batch: int = 7, latent: int = 5, spread: float = 2.0) -> DiagonalGaussian:
    generator = torch.Generator().manual_seed(seed)
    return DiagonalGaussian(
        spread * torch.randn(batch, latent, generator=generator),
        spread * torch.randn(batch, latent, generator=generator),
    )


def reference(q: DiagonalGaussian) -> Normal:
    return Normal(q.mean, torch.exp(0.5 * q.logvar))


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_kl_and_log_prob_are_those_of_torch_distributions(seed: int) -> None:
    q = draw(seed)
    expected = kl_divergence(reference(q), Normal(0.0, 1.0))
    torch.testing.assert_close(q.kl_per_dim(), expected, rtol=1e-5, atol=1e-5)
    z = torch.randn(7, 5, generator=torch.Generator().manual_seed(seed + 1))
    torch.testing.assert_close(q.log_prob(z), Independent(reference(q), 1).log_prob(z), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(log_prior(z), Independent(Normal(torch.zeros(5), 1.0), 1).log_prob(z))


def test_kl_is_zero_at_the_prior_and_exact_close_to_it() -> None:
    assert DiagonalGaussian(torch.zeros(3, 4), torch.zeros(3, 4)).kl_per_dim().eq(0).all()
    small = torch.full((1, 1), 1e-3, dtype=torch.float32)  # exp(v) - 1 - v would have one digit left of its six
    kl = DiagonalGaussian(torch.zeros(1, 1), small).kl_per_dim()
    assert float(kl) == pytest.approx(0.5 * (math.expm1(1e-3) - 1e-3), rel=2e-4)


def test_a_sample_has_the_mean_and_variance_of_its_row() -> None:
    q = draw(0, batch=3, latent=2, spread=1.0)
    repeated = DiagonalGaussian(q.mean.repeat(40_000, 1, 1).flatten(0, 1), q.logvar.repeat(40_000, 1, 1).flatten(0, 1))
    z = repeated.rsample(torch.Generator().manual_seed(0)).view(40_000, 3, 2)
    torch.testing.assert_close(z.mean(0), q.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(z.var(0), q.logvar.exp(), atol=0.05, rtol=0.05)


def test_a_request_has_its_own_randomness() -> None:
    q, before = draw(0), torch.get_rng_state()
    first, second = (q.rsample(torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(3)
    assert torch.equal(q.rsample(), first)  # without a generator: torch's own


def test_the_gradient_reaches_mean_and_logvar() -> None:
    mean, logvar = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    z = DiagonalGaussian(mean, logvar).rsample(torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(z.sum(), mean, retain_graph=True)
    assert torch.equal(gradient, torch.ones(2, 3))
    (gradient,) = torch.autograd.grad(z.sum(), logvar)
    torch.testing.assert_close(gradient, 0.5 * z.detach())  # d/dlogvar of exp(logvar / 2) eps at logvar = 0
