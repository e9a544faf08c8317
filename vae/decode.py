"""From z to sentences: prefill, one token, n tokens, generate.

One loop serves greedy decoding and sampling: it decodes a whole batch of z at once (a path is one batch), keeps a
cache, drops rows that have finished, and tells a callback after every token. Beam search has a loop of its own.
Randomness comes from a generator that belongs to the request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from vae.backbones import Backbone
    from vae.model import TextVAE

Choose = Callable[[Float[Tensor, "batch vocabulary"]], Int[Tensor, " batch"]]
Watch = Callable[[Int[Tensor, "batch length"]], None]


AT_ONCE = 128
"""Rows that are decoded together at most: what many of them remember has to stay in the CPU's cache."""


@torch.inference_mode()
def generate(
    model: TextVAE,
    z: Float[Tensor, "batch latent"],
    max_tokens: int,
    choose: Choose | None = None,
    watch: Watch | None = None,
) -> Int[Tensor, "batch length"]:
    """Token ids of one sentence for each z, padded after the end token; at most `max_tokens` long.

    `choose` picks the next token of each row from its logits (default: the most likely one); `watch` is called with
    all tokens so far after each one. A sentence does not depend on the other rows.
    """
    if watch is not None or len(z) <= AT_ONCE or z.device.type != "cpu":
        return _together(model, z, max_tokens, choose, watch)
    parts = [_together(model, part, max_tokens, choose, None) for part in torch.split(z, AT_ONCE)]
    longest = max(part.shape[1] for part in parts)
    padding = model.backbone.pad_token
    return torch.cat([F.pad(part, (0, longest - part.shape[1]), value=padding) for part in parts])


def _together(
    model: TextVAE, z: Float[Tensor, "batch latent"], max_tokens: int, choose: Choose | None, watch: Watch | None
) -> Int[Tensor, "batch length"]:
    backbone = model.backbone
    steps = model.steps(z, max_tokens)
    out = torch.full((len(z), max_tokens), backbone.pad_token, device=z.device)
    tokens = torch.full((len(z),), backbone.start_token, device=z.device)
    running = torch.ones(len(z), dtype=torch.bool, device=z.device)
    rows: Tensor | slice = slice(None)  # where those that are still decoded belong in `out`
    for t in range(max_tokens if len(z) else 0):
        tokens = choose(steps(tokens)) if choose else steps.likeliest(tokens)
        out[rows, t] = tokens
        running &= tokens != backbone.end_token
        if watch is not None:
            watch(_ended(out[:, : t + 1], backbone))
        alive = int(running.count_nonzero())
        if alive == 0:
            return _ended(out[:, : t + 1], backbone)
        if 4 * alive <= 3 * len(running):  # a quarter less each time: all the copying together costs a few steps
            keep = running.nonzero()[:, 0]
            steps.keep(keep)
            rows = keep if isinstance(rows, slice) else rows[keep]
            tokens, running = tokens[keep], running[keep]
    return _ended(out, backbone)


def _ended(ids: Int[Tensor, "batch length"], backbone: Backbone) -> Int[Tensor, "batch length"]:
    """Padding in the place of whatever a row was given after its end."""
    ends = ids == backbone.end_token
    return ids.masked_fill(ends.cumsum(1) > ends, backbone.pad_token)


def sampler(generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0) -> Choose:
    """A choice by chance from softmax(logits / temperature), cut to the smallest set holding `top_p` of the mass."""
    if not 0.01 <= temperature <= 100:
        raise ValueError(f"temperature={temperature!r} must be from 0.01 to 100; greedy decoding is the limit of 0.")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p!r} must be above 0 and at most 1; 1 keeps every token.")

    def choose(logits: Float[Tensor, "batch vocabulary"]) -> Int[Tensor, " batch"]:
        probabilities = torch.softmax(logits.float() / temperature, -1)
        if top_p < 1:
            ranked, order = probabilities.sort(-1, descending=True)
            beyond = ranked.cumsum(-1) - ranked >= top_p  # mass before this token already suffices
            probabilities = torch.zeros_like(probabilities).scatter(-1, order, ranked.masked_fill(beyond, 0))
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0]

    return choose


@torch.inference_mode()
def beam_search(
    model: TextVAE, z: Float[Tensor, "batch latent"], max_tokens: int, beams: int = 4, length_penalty: float = 1.0
) -> Int[Tensor, "batch length"]:
    """For each z the finished sentence of highest log p(x|z) / length^length_penalty among `beams` hypotheses.

    Length counts the end token. A hypothesis that ends leaves the beam, which shrinks by it, so that one beam is
    greedy decoding. The search of a sentence ends when no running hypothesis could still beat its best finished one,
    or at `max_tokens`; a sentence of which none has finished by then is the likeliest unfinished one.
    """
    if not 1 <= beams <= 64:
        raise ValueError(f"beams={beams!r} must be between 1 and 64.")
    backbone, batch, device = model.backbone, len(z), z.device
    best = torch.full((batch, max_tokens), backbone.pad_token, device=device)
    best_score = torch.full((batch,), -torch.inf, device=device)
    steps = model.steps(z.repeat_interleave(beams, 0), max_tokens)
    prefix = torch.full((batch, beams, max_tokens), backbone.pad_token, device=device)
    score = torch.full((batch, beams), -torch.inf, device=device)
    score[:, 0] = 0.0  # all beams begin alike: only one may
    tokens = torch.full((batch * beams,), backbone.start_token, device=device)
    first = torch.arange(batch, device=device)[:, None] * beams
    for t in range(max_tokens if batch else 0):
        log_p = torch.log_softmax(steps(tokens).float(), -1).view(batch, beams, -1)
        score, flat = (score[:, :, None] + log_p).flatten(1).topk(beams, 1)  # of (B, beams x V)
        source, token = flat // log_p.shape[-1], flat % log_p.shape[-1]
        prefix = prefix.gather(1, source[:, :, None].expand_as(prefix))
        prefix[:, :, t] = token
        ended = token == backbone.end_token
        top, beam = (score / (t + 1) ** length_penalty).masked_fill(~ended, -torch.inf).max(1)
        better = top > best_score
        best[better], best_score[better] = prefix[better, beam[better]], top[better]
        score = score.masked_fill(ended, -torch.inf)
        running = score.max(1).values
        longest = max_tokens if length_penalty > 0 else t + 2
        if bool((running / longest**length_penalty <= best_score).all()):
            return best
        tokens = token.flatten()
        steps.keep((first + source).flatten())
    unfinished = torch.isinf(best_score)
    best[unfinished] = prefix[unfinished, score[unfinished].argmax(1)]
    return best
