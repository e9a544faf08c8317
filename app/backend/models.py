"""Models: texts to codes, and codes to texts."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from jaxtyping import Float
from numpy import ndarray

from app.backend.permission import require_permission
from vae import machine, runs

if TYPE_CHECKING:
    from vae.space import Space

QUEUE = threading.Lock()
"""One at a time computes with a model: sessions that decode at once would only take the cores from each other."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Something that decodes: a run, or a model folder or Hub id that somebody opened by hand."""

    name: str
    source: str
    """A path or a Hub id, as `vae.load` takes it."""
    snapshot: int | None = None

    @property
    def run(self) -> runs.Run | None:
        """The run that it is, if it is one."""
        run = runs.Run(self.source)
        return run if run.exists else None

    @property
    def weights(self) -> tuple[int, int]:
        """When its weights were written and how long they are; of a Hub id nothing is known, and it does not change."""
        folder = run.model_path if (run := self.run) else Path(self.source)
        if run and self.snapshot is not None:
            folder = run.snapshots().get(self.snapshot, folder)
        return mark(folder / "model.safetensors")


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How a code is read; the arguments of `Space.decode`, with its defaults."""

    method: str = "greedy"
    temperature: float = 1.0
    top_p: float = 1.0
    beams: int = 4
    seed: int = 0

    @property
    def arguments(self) -> dict[str, Any]:
        """Those that have an effect under the method."""
        used = {"greedy": (), "sample": ("temperature", "top_p", "seed"), "beam": ("beams",)}[self.method]
        return {"method": self.method, **{name: getattr(self, name) for name in used}}


def model(name: str, opened: str | None = None, snapshot: int | None = None) -> Model:
    """The model of a run by its name, or of the source that was opened by hand under that name."""
    if opened:
        require_permission()
    source = opened or str(runs.find(name).path)
    return Model(name=name, source=source, snapshot=snapshot)


def space(of: Model) -> Space:
    """The model itself, loaded once for its weights; the caller holds `QUEUE` while it computes."""
    return _space(of, of.weights)


def latent_size(of: Model) -> int:
    """The number of dimensions of its codes. Loads the model."""
    return int(space(of).latent_size)


def decode(of: Model, codes: Float[ndarray, "n latent"], how: Decoding | None = None) -> list[str]:
    """One sentence for each code, all in one batch."""
    if not len(codes):
        return []
    content = np.ascontiguousarray(codes, np.float32)
    return _decode(of, of.weights, content.tobytes(), content.shape[0], (how or Decoding()).arguments)


def encode(of: Model, text: str) -> tuple[Float[ndarray, " latent"], Float[ndarray, " latent"]]:
    """Mean and log variance of the posterior of one sentence; an empty one is a `ValueError`."""
    if not text.strip():
        raise ValueError("There is no sentence to encode: type some words.")
    return _encode(of, of.weights, text.strip())


def encode_all(of: Model, texts: Sequence[str]) -> Float[ndarray, "n latent"]:
    """The means of the posteriors of several sentences, in one call."""
    return _encode_all(of, of.weights, tuple(text.strip() for text in texts))


def prior(of: Model, n: int, seed: int) -> Float[ndarray, "n latent"]:
    """n draws from the prior, as `Space.sample_prior` makes them."""
    return space(of).sample_prior(n, seed).numpy()


def mark(path: Path) -> tuple[int, int]:
    """When a file was written and how long it is; zeros while there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@functools.cache
def load_torch() -> Any:
    """Torch, imported when a model is first needed, with the app's budget of threads."""
    import torch

    torch.set_num_threads(machine.app_threads())
    return torch


@st.cache_resource(max_entries=3, show_spinner="Opening the model …")
def _space(of: Model, weights: tuple[int, int]) -> Space:
    load_torch()
    import vae

    return vae.load(of.source, of.snapshot)


@st.cache_data(max_entries=512, show_spinner=False)
def _decode(of: Model, weights: tuple[int, int], content: bytes, rows: int, arguments: dict[str, Any]) -> list[str]:
    space = _space(of, weights)
    z = load_torch().tensor(np.frombuffer(content, np.float32).reshape(rows, -1))
    with QUEUE:
        return space.decode(z, **arguments)


@st.cache_data(max_entries=64, show_spinner=False)
def _encode_all(of: Model, weights: tuple[int, int], texts: tuple[str, ...]) -> ndarray:
    space = _space(of, weights)
    with QUEUE:
        return space.encode(texts).mean.numpy()


@st.cache_data(max_entries=512, show_spinner=False)
def _encode(of: Model, weights: tuple[int, int], text: str) -> tuple[ndarray, ndarray]:
    space = _space(of, weights)
    with QUEUE:
        posterior = space.encode([text])
    return posterior.mean[0].numpy(), posterior.logvar[0].numpy()
