"""What each step that makes decoding fast is worth by itself: ours against the plain alternative, with the same inputs.

    python -m benchmarks.decode_steps [--repeats N]
    python -m benchmarks.decode_steps --step norm --step argmax      these alone

Both sides must agree before anything is timed: indices are equal, numbers differ by at most `TOLERANCE` of the largest.
The ratio is the plain side's time over ours, of one thread and by the processor's clock, which other work disturbs less
than the one on the wall. Ours are the functions that decode, never copies of them: where a choice is made
inside of one, the constant of its module is set to what makes it the plain one (`LANES`, `AT_ONCE`).

Left out is what cannot be had by itself: how many rows have to finish before the greedy loop drops them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

import vae
from benchmarks.decode import BUNDLED, SHAPES, TOKENS, random_model
from benchmarks.timing import interleaved, report
from vae import decode, runs
from vae.backbones import products, t5_steps
from vae.backbones.products import Product, highest
from vae.backbones.t5_steps import LANES, T5Weights
from vae.model import TextVAE

TOLERANCE = 1e-5
"""Between numbers that two orders of summation make, as a part of the largest."""
PLACES = 10
"""Tokens that have been written where one moment of a sentence is looked at: its middle."""

Found = Tensor | list[Tensor]
Side = Callable[[], Found]


def check(title: str, ours: Found, plain: Found) -> None:
    """End the benchmark unless both sides computed the same; lists hold the columns of a matrix, however cut."""
    a, b = (torch.cat(side, -1) if isinstance(side, list) else side for side in (ours, plain))
    if a.shape != b.shape:
        same = False
    elif a.is_floating_point():
        same = bool((a - b).abs().max() <= TOLERANCE * b.abs().max())
    else:  # of 1,600 sentences, two may have two tokens as likely but for rounding
        same = int((a != b).view(len(a), -1).any(1).sum()) <= len(a) // 800
    if not same:
        raise SystemExit(f"{title}: the sides differ, so there is nothing to compare.")


def measure(title: str, ours: Side, against: str, plain: Side, repeats: int, calls: int = 1) -> None:
    """Time both in turn and report; what is short is called several times a round. `check` has warmed them up."""

    def several(side: Side) -> Callable[[], None]:
        def call() -> None:
            for _ in range(calls):
                side()

        return call

    timed = interleaved({"ours": several(ours), against: several(plain)}, repeats, 0, time.process_time)
    seconds = {side: [each / calls for each in values] for side, values in timed.items()}
    unit, scale = ("ms", 1e3) if min(seconds["ours"]) > 1e-3 else ("us", 1e6)
    report(title, seconds, unit, scale)


def compare(title: str, ours: Side, against: str, plain: Side, repeats: int, calls: int = 1) -> None:
    """`check`, then `measure`."""
    check(title, ours(), plain())
    measure(title, ours, against, plain, repeats, calls)


def numbers(*shape: int) -> Tensor:
    """Standard normal numbers, the same for the same shape."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def fused(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """All layers' self-attention but for the attention: two products, or four with a gain before and a sum after."""
    t5, weights = model.backbone.t5, T5Weights.of(model.backbone.t5)
    blocks = [block.layer[0] for block in t5.decoder.block]
    gains = [block.layer_norm.weight * t5.config.d_model**0.5 for block in blocks]
    apart = [[Product(getattr(block.SelfAttention, each).weight) for each in "qkv"] for block in blocks]
    h, read = numbers(rows, t5.config.d_model), numbers(rows, t5.config.num_heads * t5.config.d_kv)

    def ours() -> list[Tensor]:
        found = []
        for qkv, o in zip(weights.qkv, weights.o, strict=True):
            found += [qkv(weights.normed(h)), o.added(h, read)]
        return found

    def plain() -> list[Tensor]:
        found = []
        for gain, each, o in zip(gains, apart, weights.o, strict=True):
            normed = weights.normed(h) * gain
            found += [*(product(normed) for product in each), h + o(read)]
        return found

    compare(f"q, k and v in one product, {name}, rows: {rows}", ours, "layer by layer", plain, repeats, 4)


def lanes(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """The decoder's layers over a sentence, with attention over whole lanes or over the places that are written."""
    z = numbers(rows, model.latent_size)
    tokens = torch.arange(TOKENS * rows).view(TOKENS, rows) % model.backbone.t5.config.vocab_size

    def ours() -> list[Tensor]:
        steps = model.steps(z, TOKENS)
        return [steps.states(each) for each in tokens]

    def plain() -> list[Tensor]:
        with patch.object(t5_steps, "LANES", 1):
            return ours()

    compare(f"attention by {LANES} places, all layers, {name}, rows: {rows}", ours, "exact number", plain, repeats)


def attention(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """What becomes of the two calls of torch that attention consists of, one layer, in the middle of a sentence."""
    config = model.backbone.t5.config
    flat, against = rows * config.num_heads, f"over {PLACES}"
    scores, values = numbers(flat, 1, LANES), numbers(flat, LANES, config.d_kv)
    scores[..., PLACES:] = -torch.inf
    fewer, shares = scores[..., :PLACES].clone(), torch.softmax(scores, -1)
    part = torch.softmax(fewer, -1)
    check("softmax", shares[..., :PLACES], part)
    title = f"softmax over {LANES} places, {name}, rows: {rows}"
    measure(title, lambda: torch.softmax(scores, -1), against, lambda: torch.softmax(fewer, -1), repeats, 20)
    title = f"shares times values, {LANES} places, {name}, rows: {rows}"
    kept = values[:, :PLACES]
    compare(title, lambda: torch.bmm(shares, values), against, lambda: torch.bmm(part, kept), repeats, 20)


def norm(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """T5's norm; the gain that ours leaves to the next product is multiplied for the check."""
    weights, layer = T5Weights.of(model.backbone.t5), model.backbone.t5.decoder.block[0].layer[0].layer_norm
    h, title = numbers(rows, model.backbone.width), f"norm by vector_norm and hypot, {name}, rows: {rows}"
    check(title, weights.normed(h) * layer.weight * model.backbone.width**0.5, layer(h))
    measure(title, lambda: weights.normed(h), "T5LayerNorm", lambda: layer(h), repeats, 100)


def every_product(model: TextVAE) -> list[Product]:
    """Those of the decoder's layers, in their order."""
    weights = T5Weights.of(model.backbone.t5)
    return [each for layer in zip(weights.qkv, weights.o, weights.wi, weights.wo, strict=True) for each in layer]


def against_linear(title: str, chosen: list[Product], rows: int, repeats: int) -> None:
    """These products one after the other, as for a token, and torch's of the same weights."""
    if not chosen:
        print(f"\n{title}: no such weights here")
        return
    inputs = [numbers(rows, each.weight.shape[1]) for each in chosen]
    compare(
        f"{title}, rows: {rows}",
        lambda: [product(x) for product, x in zip(chosen, inputs, strict=True)],
        "torch's linear",
        lambda: [F.linear(x, product.weight) for product, x in zip(chosen, inputs, strict=True)],
        repeats,
    )


def packed(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """All products of the layers that are large enough to be packed."""
    large = [each for each in every_product(model) if each.packed is not None]
    against_linear(f"packed weights, {name}", large, rows, repeats)


def packed_all_the_same(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """All products of the layers that are too small for it."""
    small = [each.weight for each in every_product(model) if each.packed is None]
    with patch.object(products, "PACKED_FROM", 0):
        forced = [Product(weight) for weight in small]
    forced = [each for each in forced if each.packed is not None]  # nothing is, on a CPU without a packed form
    against_linear(f"packed although small, {name}", forced, rows, repeats)


def longer_side(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """All products of the layers whose weights have been turned for one row."""
    turned = [each for each in every_product(model) if each.turned.is_contiguous()]
    size = sum(each.weight.nbytes for each in turned) / 1e6
    against_linear(f"{size:.1f} MB along their longer side, {name}", turned, rows, repeats)


def middle(model: TextVAE, rows: int) -> Tensor:
    """What the head reads in the middle of sentences."""
    steps, tokens = (
        model.steps(numbers(rows, model.latent_size), TOKENS),
        torch.full((rows,), model.backbone.start_token),
    )
    for _ in range(PLACES):
        tokens = steps.likeliest(tokens)
    return steps.states(tokens)


def shortlist(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """The head with 8 bits first, or the highest of its scores in fp32."""
    head, h = T5Weights.of(model.backbone.t5).head, middle(model, rows)
    found = head.shortlist(h) if head.shortlist else None
    title = f"head in 8 bits first, {name}, rows: {rows}"
    if found is None:
        print(f"\n{title}: no weights in 8 bits here, or they leave too much open")
        return
    compare(title, lambda: head.shortlist(h), "fp32", lambda: highest(head.scores(h)), repeats)


def argmax(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """The highest of a head's scores."""
    scores = T5Weights.of(model.backbone.t5).head.scores(middle(model, rows))
    title = f"argmax of {scores.shape[1]:,} over groups, {name}, rows: {rows}"
    compare(title, lambda: highest(scores), "torch.argmax", lambda: scores.argmax(1), repeats, 4)


def batches(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """All codes in one batch, or by `AT_ONCE`."""
    z = numbers(rows, model.latent_size)

    def ours() -> Tensor:
        return decode.generate(model, z, TOKENS)

    def plain() -> Tensor:
        with patch.object(decode, "AT_ONCE", rows):
            return ours()

    compare(f"{decode.AT_ONCE} at once, {name}, rows: {rows:,}", ours, "one batch", plain, max(1, repeats // 6))


def never_dropping(model: TextVAE, z: Tensor) -> Tensor:
    """Greedy decoding that goes on with all rows of a batch until the last has ended; padded to `TOKENS`."""
    found = []
    for part in torch.split(z, decode.AT_ONCE):
        steps, tokens = model.steps(part, TOKENS), torch.full((len(part),), model.backbone.start_token)
        out = torch.full((len(part), TOKENS), model.backbone.pad_token)
        ended = torch.zeros(len(part), dtype=torch.bool)
        for t in range(TOKENS):
            tokens = steps.likeliest(tokens)
            out[:, t] = tokens.where(~ended, model.backbone.pad_token)
            ended |= tokens == model.backbone.end_token
            if ended.all():
                break
        found.append(out)
    return torch.cat(found)


def dropping(name: str, model: TextVAE, rows: int, repeats: int) -> None:
    """Rows that have ended dropped from the batch, or decoded on until all have."""
    z = numbers(rows, model.latent_size)

    def ours() -> Tensor:
        ids = decode.generate(model, z, TOKENS)
        return F.pad(ids, (0, TOKENS - ids.shape[1]), value=model.backbone.pad_token)

    times = repeats if rows <= decode.AT_ONCE else max(1, repeats // 6)
    title = f"finished rows dropped, {name}, rows: {rows:,}"
    compare(title, ours, "never dropped", lambda: never_dropping(model, z), times)


Step = Callable[[str, TextVAE, int, int], None]
STEPS: dict[str, tuple[Step, tuple[str, ...], tuple[int, ...]]] = {
    "fused": (fused, ("bundled", *SHAPES), (1, 21)),
    "lanes": (lanes, ("bundled", *SHAPES), (1, 21)),
    "attention": (attention, ("bundled", *SHAPES), (1, 21)),
    "norm": (norm, ("bundled", *SHAPES), (1, 21)),
    "packed": (packed, tuple(SHAPES), (2, 4, 8, 16, 21, 32, 64)),
    "packed although small": (packed_all_the_same, ("bundled", "width 256"), (4, 21, 64)),
    "longer side": (longer_side, ("bundled", *SHAPES), (1,)),
    "shortlist": (shortlist, ("t5-small",), (1, 21, 256)),
    "argmax": (argmax, tuple(SHAPES), (21, 128)),
    "batches": (batches, ("bundled", "width 256"), (1600,)),
    "dropping": (dropping, ("bundled",), (21, 1600)),  # sentences of random weights do not end
}
"""Each step, the models and the numbers of rows for which it is measured."""


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", action="append", choices=STEPS, help="this one alone; may be given again")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [STEPS[name] for name in options.step or STEPS]
    for name in ("bundled", *SHAPES):  # one in memory at a time
        mine = [(step, rows) for step, names, rows in chosen if name in names]
        if mine:
            model = vae.load(runs.root() / BUNDLED).model if name == "bundled" else random_model(SHAPES[name])
        for step, each in mine:
            for rows in each:
                step(name, model, rows, max(1, options.repeats))


if __name__ == "__main__":
    main()
