"""The cost of a full report against one plain forward pass over the same sentences.

    python -m benchmarks.evaluate [--run checkpoints/captions-two-phase] [--sentences 2000] [--samples 100]

A plain forward pass encodes every sentence, draws one z and scores it, in batches grouped by length: what a loss on a
validation set costs. A report scores K + 4 times, decodes every sentence and 100 prior samples, and computes bounds,
intervals and MI. Beside it a plain estimator of NLL_K alone, as evaluation scripts have it: random batches, padded
to their longest sentence, logits at every position. Both must agree on NLL_K first.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

import torch

import vae
from benchmarks.timing import interleaved, report
from vae import corpora, evaluate, machine
from vae.batching import Tokens, in_order
from vae.model import TextVAE
from vae.posterior import log_prior
from vae.runs import Run


@torch.inference_mode()
def forward(model: TextVAE, tokens: Tokens) -> float:
    batches = (tokens.batch(rows) for rows in in_order(tokens, 256))
    return sum(float(model(batch, batch).rec.sum()) for batch in batches)


@torch.inference_mode()
def plain_nll(model: TextVAE, tokens: Tokens, samples: int, seed: int = 0) -> float:
    """NLL_K batch by batch, all K draws of a batch one after the other."""
    torch.manual_seed(seed)
    order, total = torch.randperm(len(tokens)).numpy(), 0.0
    for start in range(0, len(order), 256):
        batch = tokens.batch(order[start : start + 256])
        q = model.encode(batch)
        log_w = []
        ids = torch.cat([torch.full_like(batch.ids[:, :1], model.backbone.start_token), batch.ids[:, :-1]], 1)
        for _ in range(samples):
            z = q.rsample()
            logits = model.backbone.logits(model.backbone.hidden(model.projection(z), ids))
            log_p = torch.log_softmax(logits, -1).gather(-1, batch.ids[..., None])[..., 0]
            log_w.append((log_p * batch.mask).sum(1) + log_prior(z) - q.log_prob(z))
        total += float((math.log(samples) - torch.logsumexp(torch.stack(log_w), 0)).sum())
    return total / len(tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="checkpoints/captions-two-phase")
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(machine.trainer_threads())
    run = Run(options.run)
    space = vae.load(run.path)
    corpus = corpora.Corpus.open(run.corpus_path) if run.corpus_path.is_dir() else corpora.load(run.config.data.corpus)
    data = corpus.test.head(options.sentences)
    tokens = space.tokens(data["text"].tolist())

    found = evaluate.evaluate(space, data, samples=options.samples)
    low, high = found.intervals["nll_nats"]
    theirs = plain_nll(space.model, tokens, options.samples)
    if abs(theirs - found.nll_nats) > (high - low) / 2:
        raise SystemExit(f"NLL differs ({found.nll_nats:.3f} and {theirs:.3f}), so there is nothing to compare.")
    print(f"{len(data)} sentences, K = {options.samples}: NLL {found.nll_nats:.3f}, plain estimator {theirs:.3f} nats")
    seconds = interleaved(
        {
            "forward pass": lambda: forward(space.model, tokens),
            "report": lambda: evaluate.evaluate(space, data, samples=options.samples),
            "plain NLL_K alone": lambda: plain_nll(space.model, tokens, options.samples),
        },
        repeats=options.repeats,
        warmup=0,
    )
    begun = time.perf_counter()
    for _ in range(10):
        forward(space.model, tokens)
    seconds["forward pass"].append((time.perf_counter() - begun) / 10)
    report(f"one report, K = {options.samples}", seconds, unit="s", scale=1)
    ratio = statistics.median(seconds["report"]) / statistics.median(seconds["forward pass"])
    print(f"\nA report costs {ratio:.0f} forward passes, {ratio / (options.samples + 4):.2f} for each time it scores.")


if __name__ == "__main__":
    main()
