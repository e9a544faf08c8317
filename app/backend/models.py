"""Models: texts to codes, and codes to texts."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import streamlit as st
from jaxtyping import Float
from numpy import ndarray
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

from app.backend.microbatching import MOST, MicroBatcher, SupersededError
from app.backend.permission import require_permission
from vae import machine, runs

if TYPE_CHECKING:
    from vae.posterior import DiagonalGaussian
    from vae.space import Space

Row = TypeVar("Row")
Answer = TypeVar("Answer")

BATCHES = MicroBatcher()
"""All that computes with a model takes its turn here: sessions that decode by themselves would only take the cores from
each other."""


WOVEN = "t5-as-released"
"""The backbone that replays a defect by which codes that are decoded together mix: never with those of others."""


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


@dataclass(frozen=True)
class Turns:
    """The encoder of a model, which takes its turn; the `Encoder` of `vae.latents`."""

    space: Space

    def encode(self, texts: Sequence[str], *, batch_size: int = MOST) -> DiagonalGaussian:
        """The posterior of each sentence, as `Space.encode` gives it. Many are encoded piece by piece."""
        torch = load_torch()
        from vae.posterior import DiagonalGaussian

        def compute(some: list[str]) -> list[Any]:
            posterior = self.space.encode(some)
            return list(zip(posterior.mean, posterior.logvar, strict=True))

        if not texts:
            return self.space.encode(texts)
        rows = _ask(texts, compute, most=min(batch_size, MOST))
        return DiagonalGaussian(*(torch.stack(part) for part in zip(*rows, strict=True)))


def space(of: Model) -> Space:
    """The model itself, loaded once for its weights; what computes with it takes its turn in `BATCHES`."""
    return _space(of, of.weights)


def latent_size(of: Model) -> int:
    """The number of dimensions of its codes. Loads the model."""
    return int(space(of).latent_size)


def decode(
    of: Model, codes: Float[ndarray, "n latent"], how: Decoding | None = None, *, alone: bool = False
) -> list[str]:
    """One sentence for each code.

    A sentence does not depend on what is decoded with it, but for the last bits of its logits: where two words are as
    likely to them, they decide. `alone` is one batch of these codes and no others: what a copied line makes again.
    """
    if not len(codes):
        return []
    content = np.ascontiguousarray(codes, np.float32)
    return _decode(of, of.weights, content.tobytes(), content.shape[0], (how or Decoding()).arguments, alone)


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


def unknown_words(of: Model, texts: Sequence[str]) -> list[str]:
    """The words of some sentences in which its tokenizer finds anything that it can only read as <unk>.

    A tokenizer that goes down to bytes, as the bundled one does, knows them all: see `maps.unseen_words`.
    """
    words = tuple(dict.fromkeys(word for text in texts for word in text.split()))
    return _unknown_words(of, of.weights, words) if words else []


def mark(path: Path) -> tuple[int, int]:
    """When a file was written and how long it is; zeros while there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def load_torch() -> Any:
    """Torch, imported when a model is first needed, with the app's budget of threads."""
    with _LOADING:
        return _torch()


@functools.cache
def _torch() -> Any:
    import torch

    torch.set_num_threads(machine.app_threads())
    return torch


_LOADING = threading.Lock()
"""The first who needs it imports it, and who comes meanwhile waits for that."""


def _ask(rows: Sequence[Row], compute: Callable[[list[Row]], Sequence[Answer]], **turn: Any) -> list[Answer]:
    """`MicroBatcher.ask` for the session whose page is drawn, if one is: until it draws another."""
    page = get_script_run_ctx(suppress_warning=True)
    if page is None:
        return BATCHES.ask(rows, compute, **turn)
    try:
        return BATCHES.ask(rows, compute, token=page.session_id, look=_still_drawn, **turn)
    except SupersededError as newer:  # the page is drawn anew by another thread
        raise StopException from newer


def _still_drawn() -> None:
    """End the drawing of a page whose reader has gone on or away: any use of the session's state does that.

    A fragment Streamlit would draw to its end, though the reader has asked for it anew; so that is begun here at once.
    """
    "page" in st.session_state  # noqa: B015
    if _asked_anew():
        st.rerun(scope="fragment")  # joins the request that waits, with what it says of the widgets


def _asked_anew() -> bool:
    """Whether the fragment that is drawn will be drawn again, because of a gesture and not of a timer."""
    page, drawn = get_script_run_ctx(suppress_warning=True), ThreadState.get().fragment_id
    if page is None or page.script_requests is None or drawn not in (page.fragment_ids_this_run or ()):
        return False
    waiting = page.script_requests
    if waiting._state is not ScriptRequestType.RERUN:
        return False
    return drawn in waiting._rerun_data.fragment_id_queue and not waiting._rerun_data.is_auto_rerun


@st.cache_resource(max_entries=3, show_spinner="Opening the model …")
def _space(of: Model, weights: tuple[int, int]) -> Space:
    load_torch()
    import vae

    return vae.load(of.source, of.snapshot)


@st.cache_data(max_entries=512, show_spinner=False)
def _decode(
    of: Model, weights: tuple[int, int], content: bytes, rows: int, arguments: dict[str, Any], alone: bool
) -> list[str]:
    space, torch = _space(of, weights), load_torch()

    def compute(some: list[ndarray]) -> list[str]:
        return space.decode(torch.from_numpy(np.stack(some)), **arguments)

    codes = list(np.frombuffer(content, np.float32).reshape(rows, -1))
    if alone or arguments["method"] == "sample" or space.model.backbone.kind == WOVEN:
        return _ask(codes, compute)
    kind = of, weights, tuple(arguments.items())
    return _ask(codes, compute, kind=kind, most=max(1, MOST // arguments.get("beams", 1)))


@st.cache_data(max_entries=512, show_spinner=False)
def _unknown_words(of: Model, weights: tuple[int, int], words: tuple[str, ...]) -> list[str]:
    tokenizer = _space(of, weights).tokenizer
    load_torch()
    from vae import base

    unknown = base.unknown_token(tokenizer)

    def compute(some: list[str]) -> list[bool]:
        return [unknown in tokenizer(word, add_special_tokens=False)["input_ids"] for word in some]

    return [word for word, strange in zip(words, _ask(words, compute), strict=True) if strange and word != "<unk>"]


@st.cache_data(max_entries=64, show_spinner=False)
def _encode_all(of: Model, weights: tuple[int, int], texts: tuple[str, ...]) -> ndarray:
    return Turns(_space(of, weights)).encode(texts).mean.numpy()


@st.cache_data(max_entries=512, show_spinner=False)
def _encode(of: Model, weights: tuple[int, int], text: str) -> tuple[ndarray, ndarray]:
    posterior = Turns(_space(of, weights)).encode([text])
    return posterior.mean[0].numpy(), posterior.logvar[0].numpy()
