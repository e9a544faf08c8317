"""The codes of a run's sentences, and their maps."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import streamlit as st
from jaxtyping import Float, Int
from numpy import ndarray

from app.backend import errands
from app.backend.errands import Errand
from app.backend.models import Model, Turns, mark, space
from app.backend.permission import read_only, reserved
from vae import runs

if TYPE_CHECKING:
    import pandas as pd

    from vae.projection import Projection


@dataclass(frozen=True, kw_only=True, eq=False)
class Codes:
    """The codes of a run's sentences. Shared by all sessions: to be read, not changed."""

    labels: pd.DataFrame
    """The label columns, as text; a row a sentence."""
    texts: list[str]
    means: Float[ndarray, "sentences latent"]
    logvars: Float[ndarray, "sentences latent"]
    words: Int[ndarray, " sentences"]
    """Length of each sentence."""
    kl_nats: Float[ndarray, " sentences"]
    """KL of each posterior from the prior."""

    @functools.cached_property
    def vocabulary(self) -> frozenset[str]:
        """All words of the sentences, as they stand between spaces."""
        return frozenset(word for text in self.texts for word in text.split())


def has_codes(of: Model) -> bool:
    """Whether its sentences have been encoded. Those of a run belong to its last weights, not to a snapshot."""
    return of.snapshot is None and of.run is not None and of.run.latents_path.is_file()


def codes(of: Model) -> Codes:
    """The codes of a run; a `ValueError` if there are none, or if they are damaged."""
    if (run := of.run) is None:
        raise ValueError(f"{of.name} is a model without sentences of its own, so it has no map: interpolate instead.")
    return _codes(str(run.path), mark(run.latents_path))


def known_texts(of: Model) -> list[str]:
    """The sentences of its map; none without one. A snapshot has read the same as its run."""
    run = of.run
    return codes(of).texts if run is not None and run.latents_path.is_file() else []


def unseen_words(of: Model, texts: Sequence[str]) -> list[str]:
    """The words of some sentences that none of its map has, as they stand between spaces."""
    if not known_texts(of):
        return []
    known = codes(of).vocabulary
    return list(dict.fromkeys(word for text in texts for word in text.split() if word not in known))


@reserved
def encode_sentences(of: Model) -> None:
    """Encode the test sentences of a run whose training did not come to that."""
    if (run := of.run) is None:
        raise ValueError(f"{of.name} is a model without sentences of its own: open a run to see a map.")
    if run.status.state in runs.ACTIVE:
        raise ValueError(f"{of.name} is in training: its sentences are encoded when that ends.")
    from vae import corpora, latents

    data = run.config.data
    if (run.corpus_path / "corpus.json").is_file():
        corpus = corpora.Corpus.open(run.corpus_path)
    else:
        sizes = {name: getattr(data, name) for name in ("train_sentences", "valid_sentences", "test_sentences")}
        corpus = corpora.load(data.corpus, seed=data.seed, text_column=data.text_column, **sizes)
    latents.write_latents(run, Turns(space(of)), corpus.test)


def project(of: Model, method: str) -> Projection | None:
    """The map of a run's codes. PCA is fitted where it is missing; UMAP takes long, and none is returned then."""
    codes(of)
    run = of.run
    assert run is not None, "codes() has seen a run"
    files = (run.latents_path, *(run.projections_path / f"{method}.{end}" for end in ("json", "parquet")))
    return _project(str(run.path), method, tuple(map(mark, files)))


def neighbours(of: Model, code: Float[ndarray, " latent"], count: int) -> list[tuple[int, float]]:
    """The sentences whose codes lie nearest to a code, nearest first: their rows and distances. Exact."""
    from vae import latents

    known = codes(of)
    rows, distances = latents.nearest(known.means, code[None], min(count, len(known.means)))
    return list(zip(rows[0].tolist(), distances[0].tolist(), strict=True))


def in_common(of: Model, rows: Sequence[int]) -> pd.DataFrame:
    """What sets some sentences apart from all of a run's: label, value, share, usual, ratio, surprise."""
    from vae import latents

    return latents.in_common(codes(of).labels, rows)


def codes_file(of: Model, kind: Literal["parquet", "projector"]) -> bytes:
    """The codes of a run to take away: latents.parquet as it is, or a zip for the Embedding Projector."""
    from vae import latents

    known, run = codes(of), of.run
    assert run is not None, "codes() has seen a run"
    if kind == "parquet":
        return run.latents_path.read_bytes()
    frame = known.labels.copy()
    frame.insert(0, "text", known.texts)
    return latents.projector(frame, known.means, of.name)


@reserved
def fit_umap(of: Model) -> None:
    """Start fitting the UMAP of a run, unless one is at it. Its words go to umap.log."""
    if (run := of.run) is None:
        return
    arguments = ["project", str(run.path.resolve()), "--method", "umap"]
    try:
        errands.start(("umap", of.source), arguments, run.projections_path / "umap.log")
    except OSError as error:
        raise ValueError(f"The UMAP of {of.name} could not be started ({error.strerror}).") from error


def fitting(of: Model) -> Errand | None:
    """How the UMAP of a run is coming on; none if nobody has started one, or it is done."""
    return errands.state(("umap", of.source))


@st.cache_resource(max_entries=4, show_spinner=False)
def _codes(path: str, mark: tuple[int, int]) -> Codes:
    from vae import latents

    known = latents.read_latents(runs.Run(path))
    texts = known.frame["text"].astype(str).tolist()
    labels = known.frame.drop(columns="text").astype("string").fillna("none").replace("", "none")
    return Codes(
        labels=labels,
        texts=texts,
        means=known.means,
        logvars=known.logvars,
        words=np.array([len(text.split()) for text in texts]),
        kl_nats=latents.kl_per_dim(known.means, known.logvars).sum(1),
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _project(path: str, method: str, marks: tuple[tuple[int, int], ...]) -> Projection | None:
    from vae import projection

    run = runs.Run(path)
    known = projection.cached(run, method)
    if known is None and method == "pca":
        return projection.project(run, "pca", keep=not read_only())
    return known
