"""The approximate posterior q(z|x), a diagonal Gaussian, and the prior p(z) = N(0, I)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class DiagonalGaussian:
    """q(z|x) = N(mean, diag(exp(logvar))), one row a sentence."""

    mean: Float[Tensor, "batch latent"]
    logvar: Float[Tensor, "batch latent"]

    def rsample(self, generator: torch.Generator | None = None) -> Float[Tensor, "batch latent"]:
        """One sample a sentence by the reparameterization trick, z = mean + sigma * eps (Eq. 4 of Park & Lee 2021)."""
        return self.at(
            torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        )

    def at(self, eps: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch latent"]:
        """The sample that this draw from N(0, I) stands for."""
        return self.mean + torch.exp(0.5 * self.logvar) * eps

    def repeated(self, times: int) -> DiagonalGaussian:
        """Each row so many times in a row."""
        return DiagonalGaussian(self.mean.repeat_interleave(times, 0), self.logvar.repeat_interleave(times, 0))

    def kl_per_dim(self) -> Float[Tensor, "batch latent"]:
        """KL(q(z_d|x) || N(0, 1)) of each dimension, nats: 0.5 (mean^2 + exp(logvar) - 1 - logvar) >= 0.

        expm1 keeps the small KL of a collapsed posterior from drowning in rounding.
        """
        return 0.5 * (self.mean.square() + torch.expm1(self.logvar) - self.logvar)

    def log_prob(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, " batch"]:
        """log q(z|x) of one z a sentence, nats."""
        squares = (z - self.mean).square() * torch.exp(-self.logvar)
        return -0.5 * (squares + self.logvar + LOG_2PI).sum(-1)


def log_prior(z: Float[Tensor, "*rows latent"]) -> Float[Tensor, "*rows"]:
    """log N(z; 0, I), nats."""
    return -0.5 * (z.square() + LOG_2PI).sum(-1)
