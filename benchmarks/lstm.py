"""The LSTM backbone in tokens a second: ours against plain loops of the same model on the same sentences.

    python -m benchmarks.lstm [--data captions] [--sentences 5000] [--steps 12]

`plain` takes random batches, pads them, puts z beside every word for the library's LSTM, and makes logits everywhere,
as simple training scripts do. `ours` groups by length, adds z's share of the gates once a sentence, makes logits for
real tokens only. Between them, one thing at a time: plain on batches by length; ours with packed sequences; ours with
the input projection of all words in one product and the recurrence in a loop of Python, which could add z's share
for nothing. Decoding is of 32 codes, against the same LSTM stepped with z beside the word.

All in fp32, with the same optimizer; before anything is timed, all must agree on the loss of one batch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.timing import interleaved, report
from vae import base, batching, corpora, decode, machine
from vae.backbones.lstm import LSTMBackbone
from vae.batching import Batch, Tokens
from vae.config import Lstm
from vae.model import TextVAE
from vae.objectives import charged_kl, loss

SIZES = {"SNLI and short Yelp, 128 / 512": Lstm(), "Yahoo, 512 / 1024": Lstm(embedding=512, width=1024)}
LATENT = 32
Hidden = Callable[[TextVAE, Tensor, Batch], Tensor]


def inputs(model: TextVAE, batch: Batch) -> Tensor:
    start = torch.full_like(batch.ids[:, :1], model.backbone.start_token)
    return torch.cat([start, batch.ids[:, :-1]], 1)


def ours(model: TextVAE, z: Tensor, batch: Batch) -> Tensor:
    return model.backbone.hidden(model.projection(z), inputs(model, batch))


def beside(model: TextVAE, z: Tensor, batch: Batch, packed: bool = False) -> Tensor:
    """z beside every word, as the paper writes it; `packed` computes no step behind the end of a sentence."""
    backbone: Any = model.backbone
    words = backbone.dropout(backbone.decoder_words(inputs(model, batch)))
    both: Any = torch.cat([words, z[:, None].expand(-1, words.shape[1], -1)], 2)
    if packed:
        lengths = batch.mask.sum(1).cpu()
        both = nn.utils.rnn.pack_padded_sequence(both, lengths, batch_first=True, enforce_sorted=False)
    of_words, *others = backbone.decoder.all_weights[0]
    weights = [torch.cat([of_words, model.projection.weight[backbone.width :]], 1), *others]
    cell = F.linear(z, model.projection.weight[: backbone.width])
    start = (torch.tanh(cell)[None], cell[None])
    if not packed:
        return torch.lstm(both, start, weights, True, 1, 0.0, model.training, False, True)[0]
    order = both.sorted_indices
    start = (start[0][:, order], start[1][:, order])
    states = torch.lstm(both.data, both.batch_sizes, start, weights, True, 1, 0.0, model.training, False)[0]
    unpacked = nn.utils.rnn.PackedSequence(states, both.batch_sizes, both.sorted_indices, both.unsorted_indices)
    return nn.utils.rnn.pad_packed_sequence(unpacked, batch_first=True)[0]


def in_python(model: TextVAE, z: Tensor, batch: Batch) -> Tensor:
    """One product for all words and z's share added once, then a loop over time."""
    backbone: Any = model.backbone
    cell, share = backbone.split(model.projection(z))
    of_words, of_state, *biases = backbone.decoder.all_weights[0]
    words = backbone.dropout(backbone.decoder_words(inputs(model, batch).T))  # (T, B, E)
    gates = F.linear(words, of_words) + (share + biases[0] + biases[1])
    state, states = torch.tanh(cell), []
    for of_step in gates:
        i, f, g, o = torch.addmm(of_step, state, of_state.T).chunk(4, 1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        state = torch.sigmoid(o) * torch.tanh(cell)
        states.append(state)
    return torch.stack(states, 1)


def objective(model: TextVAE, batch: Batch, hidden: Hidden, *, everywhere: bool = False, noise: bool = True) -> Tensor:
    """-ELBO; `everywhere` makes logits at padding too and masks them afterwards."""
    q = model.encode(batch)
    states = hidden(model, q.rsample() if noise else q.mean, batch)
    if everywhere:
        logits = model.backbone.logits(states)
        nats = F.cross_entropy(logits.flatten(0, 1), batch.ids.flatten(), reduction="none").view(batch.ids.shape)
        rec = (nats * batch.mask).sum(1)
    else:
        each = F.cross_entropy(model.backbone.logits(states[batch.mask]), batch.ids[batch.mask], reduction="none")
        rec = torch.zeros(batch.ids.shape).masked_scatter(batch.mask, each).sum(1)
    return loss(rec, charged_kl(q.kl_per_dim()), 1.0)


SIDES: dict[str, tuple[Hidden, bool, bool]] = {
    "plain": (beside, False, True),
    "plain, by length": (beside, True, True),
    "ours": (ours, True, False),
    "ours, packed": (partial(beside, packed=True), True, False),
    "ours, loop of Python": (in_python, True, False),
}
"""The decoder, whether batches are by length, whether logits are made at padding too."""


def check(model: TextVAE, tokens: Tokens) -> None:
    batch = tokens.batch(np.arange(16))
    model.eval()
    with torch.no_grad():
        found = {n: objective(model, batch, h, everywhere=e, noise=False) for n, (h, _, e) in SIDES.items()}
        found["the trainer's"] = loss(*of_trainer(model, batch), 1.0)
    model.train()
    for name, value in found.items():
        if not torch.allclose(value, found["plain"], rtol=1e-5):
            raise SystemExit(f"{name} gives {value:.5f}, plain {found['plain']:.5f}: there is nothing to compare.")


def of_trainer(model: TextVAE, batch: Batch) -> tuple[Tensor, Tensor]:
    terms = model(batch, batch, torch.zeros(len(batch.ids), LATENT))
    return terms.rec, charged_kl(terms.kl_per_dim)


def training(name: str, model: TextVAE, tokens: Tokens, size: int, steps: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    order = {by: iter(batching.shuffled(tokens, size, (0,), by_length=by)) for by in (True, False)}
    taken: dict[str, list[float]] = {name: [] for name in SIDES}  # seconds a thousand tokens
    for round_ in range(steps + 2):
        batches = {by: tokens.batch(next(order[by])) for by in order}
        for side, (hidden, by_length, everywhere) in SIDES.items():
            batch = batches[by_length]
            begun = time.perf_counter()
            objective(model, batch, hidden, everywhere=everywhere).backward()
            optimizer.step()
            optimizer.zero_grad()
            if round_ >= 2:
                taken[side].append((time.perf_counter() - begun) / int(batch.mask.sum()) * 1000)
    report(f"  {name}, training, batches of {size}, a thousand tokens", taken)


@torch.inference_mode()
def stepped(model: TextVAE, z: Tensor, length: int) -> Tensor:
    """Greedy decoding as a plain loop: the LSTM's own call at every step, z beside the word, every row to the end."""
    backbone: Any = model.backbone
    of_words, *others = backbone.decoder.all_weights[0]
    weights = [torch.cat([of_words, model.projection.weight[backbone.width :]], 1), *others]
    cell = F.linear(z, model.projection.weight[: backbone.width])[None]
    state, tokens, out = torch.tanh(cell), torch.full((len(z),), backbone.start_token), []
    running = torch.ones(len(z), dtype=torch.bool)
    for _ in range(length):
        both = torch.cat([backbone.decoder_words(tokens), z], 1)[:, None]
        hidden, state, cell = torch.lstm(both, (state, cell), weights, True, 1, 0.0, False, False, True)
        tokens = backbone.logits(hidden[:, 0]).argmax(-1)
        out.append(torch.where(running, tokens, backbone.pad_token))
        running = running & (tokens != backbone.end_token)
        if not bool(running.any()):
            break
    return torch.stack(out, 1)


def decoding(name: str, model: TextVAE, repeats: int) -> None:
    model.eval()
    with torch.no_grad():  # untrained, every z would be the same sentence
        model.projection.weight.mul_(300)
        model.backbone.head.weight.mul_(100)
    for rows in (32, 1):
        z = torch.randn(rows, LATENT, generator=torch.Generator().manual_seed(0))
        if not torch.equal(decode.generate(model, z, 20), stepped(model, z, 20)):
            raise SystemExit("The tokens differ, so there is nothing to compare.")
        sides = {"plain": partial(stepped, model, z, 20), "ours": partial(decode.generate, model, z, 20)}
        report(f"  {name}, decoding of {rows} codes, 20 words", interleaved(sides, repeats))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="captions")
    parser.add_argument("--sentences", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=12, help="steps of each side that count")
    parser.add_argument("--batch", type=int, default=32, help="sentences a step (the paper's 32)")
    options = parser.parse_args()
    torch.set_num_threads(machine.trainer_threads())
    texts = corpora.load(options.data, train_sentences=options.sentences).train["text"].tolist()
    tokenizer = base.word_tokenizer(texts, Lstm().vocabulary)
    tokens = batching.tokenize(tokenizer, texts, 256)
    print(
        f"{options.data}: {tokens.lengths.mean():.1f} tokens a sentence, a vocabulary of {len(tokenizer):,}; "
        f"{torch.get_num_threads()} thread(s), fp32"
    )
    for name, sizes in SIZES.items():
        torch.manual_seed(0)
        backbone: LSTMBackbone = base.fresh_lstm(sizes, len(tokenizer))
        model = TextVAE.around(backbone, latent_size=LATENT)
        print(f"\n{name}")
        check(model, tokens)
        training(name, model, tokens, options.batch, options.steps)
        decoding(name, model, max(5, options.steps // 2))


if __name__ == "__main__":
    main()
