"""MI between two bounds over all pairs of codes: ours against the plain loop over sentences.

    python -m benchmarks.metrics [--codes 10000] [--repeats 3]

The loop takes one z after the other and its log density under each of the N posteriors, as the definition reads. Both
must agree on both bounds first.
"""

from __future__ import annotations

import argparse
import math
from functools import partial

import torch

from benchmarks.timing import interleaved, report
from vae import machine
from vae.metrics import mutual_information
from vae.posterior import DiagonalGaussian

LATENT = 32


def plain_mutual_information(q: DiagonalGaussian, z: torch.Tensor) -> tuple[float, float]:
    """The lower and the upper bound, nats."""
    n, lower, upper = len(z), 0.0, 0.0
    for i in range(n):
        log_q = q.log_prob(z[i].expand(n, -1))
        others = torch.cat([log_q[:i], log_q[i + 1 :]])
        lower += float(log_q[i] - torch.logsumexp(log_q, 0)) + math.log(n)
        upper += float(log_q[i] - torch.logsumexp(others, 0)) + math.log(n - 1)
    return lower / n, upper / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(machine.trainer_threads())
    torch.manual_seed(0)
    # Codes as of a trained model: spread like the prior, a posterior a third as wide, so that neighbours overlap.
    mean = torch.randn(options.codes, LATENT, dtype=torch.float64)
    q = DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(0.33)))
    z = q.rsample()
    found, plain = mutual_information(q.mean, q.logvar, z), plain_mutual_information(q, z)
    if not all(
        math.isclose(a, b, abs_tol=1e-5) for a, b in zip((found.lower_nats, found.upper_nats), plain, strict=True)
    ):
        raise SystemExit(f"The bounds differ ({found} and {plain}), so there is nothing to compare.")
    sides = {
        "ours": partial(mutual_information, q.mean, q.logvar, z),
        "a loop over sentences": partial(plain_mutual_information, q, z),
    }
    report(f"MI of {options.codes:,} codes of {LATENT}", interleaved(sides, options.repeats, warmup=0), "s", 1)


if __name__ == "__main__":
    main()
