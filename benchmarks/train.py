"""Training steps in sentences a second: ours against plain loops of the same model on the same sentences.

    python -m benchmarks.train [--data captions] [--base starter] [--batches 12]

`fixed padding` pads every sentence to 256 positions, takes random batches and makes logits everywhere, as simple
training scripts do. `dynamic padding` pads to the longest of a random batch. `ours` groups by length and makes
logits for real tokens only, in fp32 and in the precision that the trainer takes where the CPU has it. All have the same
optimizer, and must agree on the loss of one batch first: to 1e-4 in fp32, to 1e-2 in bf16.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.timing import interleaved, report
from vae import base, batching, corpora, machine, objectives
from vae.backbones.t5 import T5Backbone
from vae.batching import Batch, Tokens
from vae.model import TextVAE

FIXED = 256
BATCH = 64


def padded(batch: Batch, width: int, pad: int) -> Batch:
    missing = width - batch.ids.shape[1]
    return Batch(F.pad(batch.ids, (0, missing), value=pad), F.pad(batch.mask, (0, missing)))


def plain_loss(model: TextVAE, batch: Batch, noise: bool = True) -> torch.Tensor:
    """-ELBO with logits at every position, padding masked out afterwards."""
    q = model.encode(batch)
    z = q.rsample() if noise else q.mean
    start = torch.full_like(batch.ids[:, :1], model.backbone.start_token)
    hidden = model.backbone.hidden(model.projection(z), torch.cat([start, batch.ids[:, :-1]], 1))
    logits = model.backbone.logits(hidden)
    nats = F.cross_entropy(logits.flatten(0, 1), batch.ids.flatten(), reduction="none").view(batch.ids.shape)
    return torch.mean((nats * batch.mask).sum(1) + q.kl_per_dim().sum(1))


def our_loss(model: TextVAE, batch: Batch, noise: bool = True) -> torch.Tensor:
    q = model.encode(batch)
    rec = model.reconstruction(q.rsample() if noise else q.mean, batch)
    return objectives.loss(rec, objectives.charged_kl(q.kl_per_dim()), 1.0)


def check(model: TextVAE, tokens: Tokens) -> None:
    model.eval()
    batch = tokens.batch(np.arange(BATCH))
    with torch.no_grad():
        ours = our_loss(model, batch, noise=False)
        for width in (batch.ids.shape[1], FIXED):
            theirs = plain_loss(model, padded(batch, width, tokens.pad), noise=False)
            if not torch.allclose(ours, theirs, rtol=1e-4):
                raise SystemExit(f"The losses differ ({ours:.5f} and {theirs:.5f}), so there is nothing to compare.")
        with torch.autocast("cpu", torch.bfloat16):
            reduced = our_loss(model, batch, noise=False)
        if not torch.allclose(ours, reduced.float(), rtol=1e-2):
            raise SystemExit(f"The losses differ ({ours:.5f} and {reduced:.5f}), so there is nothing to compare.")
    model.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="captions")
    parser.add_argument("--base", default="starter", help="the T5 to begin with, and its tokenizer")
    parser.add_argument("--batches", type=int, default=12, help="steps of each side that count")
    options = parser.parse_args()
    torch.set_num_threads(machine.trainer_threads())
    t5, tokenizer = base.load(options.base)
    torch.manual_seed(0)
    model = TextVAE.around(T5Backbone(t5), latent_size=32)
    texts = corpora.load(options.data, train_sentences=20_000).train["text"].tolist()
    tokens = batching.tokenize(tokenizer, texts, FIXED)
    check(model, tokens)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    rng = np.random.default_rng(0)

    def step(nats: torch.Tensor) -> None:
        nats.backward()
        optimizer.step()
        optimizer.zero_grad()

    by_length = iter(batching.shuffled(tokens, BATCH, (0,)))

    def at_random() -> Batch:
        return tokens.batch(rng.permutation(len(tokens))[:BATCH])

    def ours(precision: torch.dtype) -> None:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            nats = our_loss(model, tokens.batch(next(by_length)))
        step(nats)

    sides = {
        "ours": lambda: ours(torch.float32),
        "ours, bf16 as the trainer": lambda: ours(torch.bfloat16),
        "dynamic padding": lambda: step(plain_loss(model, at_random())),
        f"fixed padding to {FIXED}": lambda: step(plain_loss(model, padded(at_random(), FIXED, tokens.pad))),
    }
    print(f"{options.data}: mean {tokens.lengths.mean():.1f} tokens; {torch.get_num_threads()} thread(s)")
    report(f"a step of {BATCH} sentences", interleaved(sides, options.batches))


if __name__ == "__main__":
    main()
