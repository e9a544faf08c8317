"""What training minimizes, as functions of tensors. Everything is in nats per sentence.

    loss = rec + weight * charged KL

rec is summed over the tokens of a sentence and the KL over the dimensions of z, so that a weight of 1 without a
threshold is the negative ELBO. Two thresholds are in use and must not be confused: Park & Lee 2021 (Eq. 2) charge
every *dimension* at least lambda (lambda = 3 is 96 nats in all for 32 dimensions), others charge only what a
*sentence* spends above a total. A threshold changes what is charged, never what is reported as KL.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def charged_kl(
    kl_per_dim: Float[Tensor, "batch latent"], *, per_dimension: float = 0.0, total: float = 0.0
) -> Float[Tensor, " batch"]:
    """The KL that the objective charges for each sentence, nats.

    `per_dimension`: sum_d max(lambda, KL_d), Eq. 2 of Park & Lee 2021 (free bits, Kingma et al. 2016).
    `total`: max(lambda, sum_d KL_d), the single threshold that Li et al. 2019 call FBP (Pelsmaeker & Aziz 2019).
    """
    if per_dimension:
        kl_per_dim = kl_per_dim.clamp_min(per_dimension)
    kl = kl_per_dim.sum(-1)
    return kl.clamp_min(total) if total else kl


def loss(rec: Float[Tensor, " batch"], charged: Float[Tensor, " batch"], kl_weight: float) -> Float[Tensor, ""]:
    """Mean over the batch of rec + weight * charged KL, nats per sentence."""
    return torch.mean(rec + kl_weight * charged)
