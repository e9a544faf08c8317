"""Products of a few rows with weights that stay as they are: what decoding consists of, at the speed of this CPU.

Greedy decoding is a long row of thin products. Three things make them fast without another result:

- a product with its residual in one call;
- large weights packed once in the order in which the CPU's vector units read them;
- over a large vocabulary, scores in 8 bits with a bound on their error, and exact scores for what they leave open.

All depend on the machine's flags alone and not on a measurement, so that a sentence is the same at every start.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

PACKED_FROM = 1 << 18
"""Weights from which packing pays: 1.1 to 1.7 times faster for 2 to 64 rows (docs/performance.md), none below."""
SHORTLIST_FROM = 1 << 19
"""Weights of a head from which a pass in 8 bits before the exact one pays for many rows (`PAYS_FROM` in all) ..."""
PAYS_FROM = 1 << 26
ALWAYS_FROM = 1 << 22
"""... and for any."""
GROUP = 64
"""Tokens that share a step of 8 bits, and whose highest score is taken together."""
LEFT_OPEN = 64
"""Groups a row that are scored exactly at most; a batch that leaves more open is scored in full."""
SLACK = 1.0001
"""On the bound, for the rounding of the bound itself and of the scores that it compares."""


def packs(weight: Tensor) -> bool:
    """Whether this machine has a packed form for a weight, and gains by it."""
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and weight.numel() >= PACKED_FROM
        and torch._C._has_mkldnn
        and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    )


class Product:
    """x W^T for a weight W of (out, in) that does not change."""

    def __init__(self, weight: Float[Tensor, "out in"]) -> None:
        self.weight = weight.detach()
        self.turned = self.weight.t()
        out, width = self.weight.shape
        if out > width and weight.device.type == "cpu" and weight.numel() < ALWAYS_FROM:
            self.turned = self.turned.contiguous()  # one row reads W up to 1.6 times as fast along its longer side
        self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight, None) if packs(weight) else None

    def __call__(self, x: Float[Tensor, "rows in"]) -> Float[Tensor, "rows out"]:
        """x W^T."""
        if self.packed is None or len(x) == 1:  # one row is bound by reading W, in whatever order
            return torch.mm(x, self.turned)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, None, "none", [], "")
        return product

    def added(self, h: Float[Tensor, "rows out"], x: Float[Tensor, "rows in"]) -> Float[Tensor, "rows out"]:
        """h + x W^T."""
        if self.packed is None or len(x) == 1:
            return torch.addmm(h, x, self.turned)
        total: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, h, self.packed, None, "add")
        return total


class Head:
    """Scores over a vocabulary, and the most likely token without all of them."""

    def __init__(self, weight: Float[Tensor, "vocabulary width"]) -> None:
        self.size = len(weight)
        weight = weight.detach()
        if missing := -self.size % GROUP:  # whole groups; the last token again comes after the last token
            weight = torch.cat([weight, weight[-1:].expand(missing, -1)])
        self.scores = Product(weight)
        self.shortlist = Shortlist(weight) if packs(weight) and weight.numel() >= SHORTLIST_FROM else None

    def logits(self, h: Float[Tensor, "rows width"]) -> Float[Tensor, "rows vocabulary"]:
        """Scores of all tokens."""
        return self.scores(h)[:, : self.size]

    def likeliest(self, h: Float[Tensor, "rows width"]) -> Int[Tensor, " rows"]:
        """The token of the highest score of each row: that of fp32, however it is found."""
        size = self.scores.weight.numel()
        pays = size >= ALWAYS_FROM or size * len(h) >= PAYS_FROM
        found = self.shortlist(h) if self.shortlist and pays else None
        return highest(self.scores(h)) if found is None else found


class Shortlist:
    """argmax of h W^T over many rows of W: scores in 8 bits first, exact ones for those that may still be the highest.

    With W = s Q + E and h = r q + e, where Q and q have 8 bits and each group of tokens its own s, a score differs from
    s r (Q q) by at most |E| |h| + |s Q| |e| (Cauchy and Schwarz). What lies below the exact score of a guess by more
    than that cannot be the answer; the rest is scored exactly.
    """

    def __init__(self, weight: Float[Tensor, "vocabulary width"]) -> None:
        self.weight = weight
        groups = weight.view(-1, GROUP, weight.shape[1])
        step = groups.abs().amax((1, 2)).clamp_min(1e-30) / 127
        whole = (groups / step[:, None, None]).round()
        self.step = step
        self.turned = whole.to(torch.int8).flatten(0, 1).t()
        rounded = whole * step[:, None, None]
        self.lost = SLACK * torch.linalg.vector_norm(groups - rounded, dim=2).amax(1)
        self.kept = SLACK * torch.linalg.vector_norm(rounded, dim=2).amax(1)

    def __call__(self, h: Float[Tensor, "rows width"]) -> Int[Tensor, " rows"] | None:
        """The argmax of each row, or None if too much is left open."""
        step = h.abs().amax(1, keepdim=True).clamp_min(1e-30) / 127
        whole = (h / step).round()
        rough = torch._int_mm(whole.to(torch.int8), self.turned).view(len(h), -1, GROUP)
        steps = self.step * step  # (B, groups)
        size, astray = torch.linalg.vector_norm(torch.stack([h, h - whole * step]), dim=2)[:, :, None]
        bound = self.lost * size + self.kept * astray
        best = rough.amax(2) * steps
        group = best.argmax(1, keepdim=True)
        guess = group * GROUP + rough.take_along_dim(group[:, :, None], 1).argmax(2)
        floor = (self.weight[guess[:, 0]] * h).sum(1, keepdim=True)
        rows, groups = (best + bound >= floor).nonzero().unbind(1)
        if len(rows) > LEFT_OPEN * len(h):
            return None
        scores = rough[rows, groups] * steps[rows, groups, None]
        open_, places = (scores >= (floor - bound)[rows, groups, None]).nonzero().unbind(1)
        rows, tokens = rows[open_], groups[open_] * GROUP + places
        exact = (self.weight[tokens] * h[rows]).sum(1)
        top = torch.full((len(h),), -torch.inf).scatter_reduce_(0, rows, exact, "amax")
        tokens = torch.where(exact == top[rows], tokens, len(self.weight))
        first = torch.full((len(h),), len(self.weight)).scatter_reduce_(0, rows, tokens, "amin")
        return first if bool((first < len(self.weight)).all()) else None  # scores that are not numbers


def highest(scores: Float[Tensor, "rows vocabulary"]) -> Int[Tensor, " rows"]:
    """The index of the highest score of each row, the first of several: `argmax` as a CPU's vector units like it."""
    rows, size = scores.shape
    if scores.device.type != "cpu" or size % GROUP or size < 32 * GROUP:
        return scores.argmax(1)
    groups = scores.view(rows, -1, GROUP)
    best = groups.amax(2).argmax(1, keepdim=True)
    return (best * GROUP + groups.take_along_dim(best[:, :, None], 1).argmax(2))[:, 0]
