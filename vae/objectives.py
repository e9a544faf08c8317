"""What training minimizes, as functions of tensors. Everything is in nats per sentence.

    loss = rec + weight * charged KL

rec is summed over the tokens of a sentence and the KL over the dimensions of z, so that a weight of 1 without a
threshold is the negative ELBO. Thresholds called lambda must not be confused: Park & Lee 2021 (Eq. 2) charge every
*dimension* at least lambda (lambda = 3 is 96 nats in all for 32 dimensions), the lambda of Li et al. 2019 is a *total*,
of which each dimension has its share. What is charged differs from what is reported as KL.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def charged_kl(
    kl_per_dim: Float[Tensor, "batch latent"],
    *,
    per_dimension: float = 0.0,
    total: float = 0.0,
    target: float = 0.0,
    rate: float = 0.0,
    mean: Float[Tensor, " latent"] | None = None,
) -> Float[Tensor, " batch"]:
    """The KL that the objective charges for each sentence, nats; at most one of the four numbers is above 0.

    `per_dimension`: sum_d max(lambda, KL_d), Eq. 2 of Park & Lee 2021 (free bits, Kingma et al. 2016).
    `total`: sum_d KL_d where that is above lambda, else 0: the single threshold that Li et al. 2019 call FBP
    (Pelsmaeker & Aziz 2019).
    `target`: the sum of the KL_d above lambda / dimensions, the FB of Li et al. 2019. Their Eq. 1 is a maximum, their
    code a mask; the gradients are the same.
    `rate`: |KL - C| (Burgess et al. 2018; on text, Prokhorov et al. 2019), for the mean KL of the batch.

    `mean` is the mean of KL_d over the whole batch, without which that of `kl_per_dim` is taken where it is needed.
    Given to a threshold, it is what the threshold looks at, as in Kingma et al. 2016.
    """
    seen = kl_per_dim if mean is None else mean.expand_as(kl_per_dim)
    if per_dimension:
        return torch.where(seen > per_dimension, kl_per_dim, per_dimension).sum(-1)
    if target:
        return (kl_per_dim * (seen > target / kl_per_dim.shape[1])).sum(-1)
    kl = kl_per_dim.sum(-1)
    if total:
        return kl * (seen.sum(-1) > total)
    if rate:
        side = torch.sign((kl_per_dim.detach().mean(0) if mean is None else mean).sum() - rate)
        return side * (kl - rate)  # its mean over the batch is |KL - C|
    return kl


def loss(rec: Float[Tensor, " batch"], charged: Float[Tensor, " batch"], kl_weight: float) -> Float[Tensor, ""]:
    """Mean over the batch of rec + weight * charged KL, nats per sentence."""
    return torch.mean(rec + kl_weight * charged)


def importance_weighted(
    rec: Float[Tensor, "batch samples"], log_ratio: Float[Tensor, "batch samples"], kl_weight: float = 1.0
) -> Float[Tensor, " batch"]:
    """-log 1/K sum_k p(x|z_k) (p(z_k) / q(z_k|x))^weight of each sentence, nats (IWAE, Burda et al. 2016).

    `rec` is -log p(x|z_k), `log_ratio` is log q(z_k|x) - log p(z_k). At weight 1 its mean bounds -log p(x) from above,
    the tighter the larger K. The code of Li et al. 2019 has log 1/K sum_k 1/w_k, which only looks like it: it bounds
    -log p(x) from above, too, but the looser the larger K.
    """
    return math.log(rec.shape[1]) - torch.logsumexp(-rec - kl_weight * log_ratio, 1)
