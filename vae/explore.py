"""Ways through the latent space: paths between codes, directions, arithmetic, one dimension at a time; and how typical
a code is of the prior.

Encoding a corpus, reading its codes and finding neighbours live in `vae.latents`, which does without torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

PARALLEL = 1e-6
"""Sine of the angle under which slerp has no plane to turn in (or, for antiparallel codes, too many)."""


def interpolate(
    a: Float[Tensor, " latent"],
    b: Float[Tensor, " latent"],
    steps: int = 11,
    method: str = "linear",
    extend: float = 0.0,
) -> Float[Tensor, "steps latent"]:
    """A path of `steps` codes at even t from -extend to 1 + extend, where t = 0 is a and t = 1 is b.

    ``linear`` is (1 - t) a + t b. ``slerp`` turns from a to b in their common plane,
    sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b with w the angle between them (Shoemake 1985; White 2016), and so
    keeps the norm that a high-dimensional prior concentrates on. Where that plane is undefined, for parallel,
    antiparallel or zero codes, slerp is the linear path (its limit as codes become parallel). Both are computed in
    double precision, so that the ends of a float32 path are the codes themselves, to the last bit.

    `ValueError` for codes that are not two finite vectors of one size, for steps < 2, for a negative `extend` or an
    unknown method.
    """
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(
            f"The ends of a path must be two codes of one size, but their shapes are {tuple(a.shape)} and "
            f"{tuple(b.shape)}: give vectors, such as mean[0] and mean[1]."
        )
    if steps < 2:
        raise ValueError(f"A path of {steps} steps has no two ends: ask for at least 2.")
    if not (math.isfinite(extend) and extend >= 0):
        raise ValueError(f"A path cannot be extended by {extend}: give a number of at least 0.")
    if method not in ("linear", "slerp"):
        raise ValueError(f"There is no path {method!r}: choose linear or slerp.")
    if not bool(a.isfinite().all() and b.isfinite().all()):
        raise ValueError("The ends of a path must be finite, but one holds a value that is not.")
    start, end = a.cpu().double(), b.cpu().double()
    t = torch.linspace(-extend, 1 + extend, steps, dtype=torch.float64)[:, None]  # (steps, 1)
    from_a, from_b = 1 - t, t
    if method == "slerp":
        angle = _angle(start, end)
        if math.sin(angle) > PARALLEL:
            from_a, from_b = torch.sin((1 - t) * angle), torch.sin(t * angle)
            from_a, from_b = from_a / math.sin(angle), from_b / math.sin(angle)
    return (from_a * start + from_b * end).to(a.device, a.dtype)


def direction(start: Float[Tensor, "n latent"], end: Float[Tensor, "m latent"]) -> Float[Tensor, " latent"]:
    """From the mean of some codes to the mean of others: what is added to a code to make it more like the others.

    The difference of means (Larsen et al. 2016, "visual attribute vectors"). `ValueError` for a side without codes.
    """
    for name, codes in (("start", start), ("end", end)):
        if codes.ndim != 2 or not len(codes):
            raise ValueError(
                f"The codes at the {name} have the shape {tuple(codes.shape)}: give at least one code a row."
            )
    if start.shape[1] != end.shape[1]:
        raise ValueError(f"The codes have {start.shape[1]} and {end.shape[1]} dimensions: take both from one model.")
    return end.mean(0) - start.mean(0)


def analogy(
    code: Float[Tensor, "*rows latent"],
    *,
    plus: Float[Tensor, " latent"],
    minus: Float[Tensor, " latent"],
    strength: float = 1.0,
) -> Float[Tensor, "*rows latent"]:
    """code + strength (plus - minus): as `plus` is to `minus`, so is the result to `code`.

    With A for `plus`, B for `minus` and C for `code` this is A - B + C (Mikolov et al. 2013, of words). At a strength
    of 0 it is the code itself; a negative one goes the other way.
    """
    return code + strength * (plus - minus)


def traverse(z: Float[Tensor, " latent"], dimension: int, values: Sequence[float]) -> Float[Tensor, "n latent"]:
    """Copies of a code in which one dimension takes each of the values and the others stay as they are.

    `ValueError` for a dimension that z does not have, or a value that is not finite.
    """
    if not 0 <= dimension < len(z):
        raise ValueError(f"There is no dimension {dimension} in a code of {len(z)}: choose one from 0 to {len(z) - 1}.")
    if not all(map(math.isfinite, values)):
        raise ValueError("The values of a dimension must be finite, but one is not.")
    codes = z.repeat(len(values), 1)
    codes[:, dimension] = torch.tensor(values, dtype=z.dtype, device=z.device)
    return codes


def shell(z: Float[Tensor, "*rows latent"]) -> Float[Tensor, "*rows"]:
    """How far |z| is from the norms of prior samples, in their standard deviations; negative is nearer to 0.

    The norm of z ~ N(0, I) has a chi distribution: mean sqrt(2) G((L+1)/2) / G(L/2), which is nearly sqrt(L), and a
    standard deviation below 0.71 for any L. Prior samples score between -2 and 2, mostly; 0 in all dimensions, a
    point that no sample comes near, scores about -sqrt(2 L). The norm is all that is looked at: a score near 0 is
    needed for a typical code, and is not enough.
    """
    size = z.shape[-1]
    mean = math.sqrt(2) * math.exp(math.lgamma((size + 1) / 2) - math.lgamma(size / 2))
    norm: Tensor = torch.linalg.vector_norm(z, dim=-1)
    return (norm - mean) / math.sqrt(size - mean**2)


def _angle(a: Float[Tensor, " latent"], b: Float[Tensor, " latent"]) -> float:
    """The angle between two vectors (Kahan: exact near 0 and pi); 0 where one of them is zero."""
    if not bool(a.any() and b.any()):
        return 0.0
    u, v = a / a.norm(), b / b.norm()
    return 2 * math.atan2(float((u - v).norm()), float((u + v).norm()))
