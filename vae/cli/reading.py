"""A model opened for being read: codes to start from, and what is said of a code that is looked at closely."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vae.cli.shared import opened, work_briefly
from vae.runs import Run

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from vae.latents import Latents
    from vae.space import Space
TYPICAL = 2.0
"""Standard deviations of the prior's distance from the origin that count as typical: 95 % of its samples."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A model, and the codes of its run's sentences."""

    name: str
    space: Space
    run: Run | None
    """None for a model folder or a Hub id."""
    snapshot: int | None
    """The step of its weights; none for the last ones."""
    known: Latents | None
    """None where no sentences have been encoded."""

    @property
    def texts(self) -> list[str]:
        """The sentences of the run."""
        return [] if self.known is None else self.known.frame["text"].astype(str).tolist()

    def mean(self, text: str) -> Float[ndarray, " latent"]:
        """The mean code of a sentence; an empty one is a `ValueError`."""
        if not text.strip():
            raise ValueError("There is no sentence to encode: give some words.")
        code: ndarray = self.space.encode([text.strip()]).mean[0].numpy()
        return code

    def start(self, options: argparse.Namespace) -> Float[ndarray, " latent"]:
        """The code that `--text`, `--zero` or `--seed` asks for."""
        import numpy as np

        if options.text is not None:
            return self.mean(options.text)
        if options.zero:
            return np.zeros(self.space.latent_size, np.float32)
        code: ndarray = self.space.sample_prior(1, options.seed)[0].numpy()
        return code

    def look(self, codes: Float[ndarray, "n latent"]) -> list[dict[str, Any]]:
        """Of each code its sentence, how far |z| is from that of prior samples, and the nearest sentence of the run."""
        import torch

        from vae import explore, latents

        z = torch.tensor(codes)
        rows = [
            {"text": text, "shell": round(shell, 4)}
            for text, shell in zip(self.space.decode(z), explore.shell(z).tolist(), strict=True)
        ]
        if self.known is not None:
            indices, distances = latents.nearest(self.known.means, codes, 1)
            texts = self.texts
            for row, index, far in zip(rows, indices[:, 0].tolist(), distances[:, 0].tolist(), strict=True):
                row |= {"nearest": texts[index], "distance": round(far, 4)}
        return rows


def reader(options: argparse.Namespace) -> Reader:
    """The model that the options name, with the codes of its sentences.

    A run keeps the codes of its last weights. For a snapshot the first 2,000 sentences are encoded anew.
    """
    work_briefly()
    space, run = opened(options.run, options.snapshot)
    known = None
    if run and run.latents_path.is_file():
        from vae import latents, planes

        known = latents.read_latents(run)
        if options.snapshot is not None:
            frame = known.frame[: planes.ENCODED]
            posterior = space.encode(frame["text"].astype(str).tolist())
            known = latents.Latents(frame, posterior.mean.numpy(), posterior.logvar.numpy())
    return Reader(name=options.run, space=space, run=run, snapshot=options.snapshot, known=known)


def stated(row: Mapping[str, Any]) -> str:
    """A code that was looked at, in words."""
    shell = row["shell"]
    far = "as far from the origin as a typical random code"
    if abs(shell) > TYPICAL:
        side = "nearer to" if shell < 0 else "farther from"
        far = f"{side} the origin than random codes are, by {abs(shell):.1f} standard deviations of their distance"
    near = f"; nearest sentence, {row['distance']:.1f} away: {row['nearest']}" if "nearest" in row else ""
    return f"{row['text']}\n    {far}{near}"
