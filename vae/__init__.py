"""Bottleneck's science: a pretrained T5 turned into a text VAE by two-phase finetuning.

The model (Park & Lee 2021), one z a sentence:

    q(z|x) = N(mu, diag(sigma^2)),  mu, log sigma^2 linear in pool(encoder(x))
    p(x|z) = decoder whose cross-attention reads z W_proj and nothing else
    -ELBO  = rec + KL,  rec = -E_q log p(x|z),  KL = KL(q(z|x) || N(0, I)),  nats per sentence

Phase 1 warms the encoder up: no KL, decoder frozen. Phase 2 trains everything under an annealed KL with free bits.

Where things are, from the ground up:

    config, recipes, schedules   what a run is, and named ones
    runs, jobs, machine          the run directory; processes; who owns which core
    posterior, objectives, metrics   functions of tensors
    corpora, batching            text, tokens, batches
    base, backbones, model       T5 and the text VAE around it
    decode, space                z to sentences; a model ready to use
    evaluate, report, doctor     what a latent space is worth, in figures and in words
    glossary, tables, erratum    what each figure means; figures as tables; a published table, put right
    explore, planes, projection  paths, exact planes, maps
    checkpoints, trainer, pretrain   the loop
    cli                          `python -m vae`

Importing the package loads nothing heavy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vae.space import Space

__version__ = "0.1.0"


def load(source: str | Path, snapshot: int | None = None) -> Space:
    """A trained text VAE from a run directory, a model folder or a Hub id; see `vae.space.load`."""
    from vae import space

    return space.load(source, snapshot)
