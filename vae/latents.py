"""The codes of a corpus: latents.parquet made, read, searched and summed up. No torch here: a map opens without it.

One row a sentence: `text`, the label columns, then mu_0 .. mu_{L-1} and logvar_0 .. logvar_{L-1} (float32) of its
posterior.
"""

from __future__ import annotations

import io
import json
import logging
import re
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from vae.runs import Run, write_bytes

log = logging.getLogger("vae")

CODE_COLUMN = re.compile(r"(mu|logvar)_\d+")
PAIRS = 2**20
"""Most pairs of a z and a code whose distances are looked through at once: as many as stay in a cache, more or less."""


class Encoder(Protocol):
    """What encoding needs of a `Space`."""

    def encode(self, texts: Sequence[str], *, batch_size: int) -> Any:
        """The posterior of each sentence, with CPU tensors `mean` and `logvar` of shape (sentences, latent)."""


class Latents(NamedTuple):
    """The codes of a corpus, as arrays."""

    frame: pd.DataFrame
    """The sentences (`text`) and their label columns."""
    means: Float[ndarray, "sentences latent"]
    logvars: Float[ndarray, "sentences latent"]


def encode_frame(space: Encoder, frame: pd.DataFrame, *, batch_size: int = 256) -> pd.DataFrame:
    """A table of sentences with the posterior of each appended: the table that latents.parquet holds.

    Column `text` is needed, and other columns are kept: one that is named like a code under another name, which is
    logged. All codes of an earlier encoding, though, are replaced.
    """
    if "text" not in frame:
        raise ValueError(f"The table has no column 'text' to encode: its columns are {', '.join(map(str, frame))}.")
    if not len(frame):
        raise ValueError("The table has no sentences to encode: it is empty.")
    posterior = space.encode(frame["text"].tolist(), batch_size=batch_size)
    tables = [_labelled(frame).reset_index(drop=True)]
    for name, values in (("mu", posterior.mean.numpy()), ("logvar", posterior.logvar.numpy())):
        columns = [f"{name}_{d}" for d in range(values.shape[1])]
        tables.append(pd.DataFrame(values.astype(np.float32), columns=columns))
    return pd.concat(tables, axis=1)


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """The sentences and their labels, under names that no code has."""
    named = [str(column) for column in frame if CODE_COLUMN.fullmatch(str(column))]
    whole = {f"{name}_{d}" for d in range(len(named) // 2) for name in ("mu", "logvar")}
    if set(named) == whole and all(map(pd.api.types.is_float_dtype, frame[named].dtypes)):
        return frame.drop(columns=named)
    taken, names = set(map(str, frame)), {}
    for column in named:
        names[column] = f"{column}_label"
        while names[column] in taken:
            names[column] += "_label"
        log.warning("The label %r has the name of a code: it is kept as %r.", column, names[column])
    return frame.rename(columns=names)


def write_latents(run: Run, space: Encoder, frame: pd.DataFrame, *, batch_size: int = 256) -> None:
    """Encode a table of sentences and write it as the run's latents.parquet, atomically."""
    buffer = io.BytesIO()
    encode_frame(space, frame, batch_size=batch_size).to_parquet(buffer, index=False)
    write_bytes(run.latents_path, buffer.getvalue())


def read_latents(run: Run) -> Latents:
    """The run's latents.parquet; a missing or damaged one is a `ValueError` that says how to get it."""
    path = run.latents_path
    if not path.is_file():
        raise ValueError(f"{run.name} has no codes yet ({path.name} is missing): they are written when training ends.")
    damaged = f"{path} is damaged: delete it and encode the sentences again."
    try:
        frame = pd.read_parquet(path)
        size = sum(bool(re.fullmatch(r"mu_\d+", str(column))) for column in frame)
        mu, logvar = [f"mu_{d}" for d in range(size)], [f"logvar_{d}" for d in range(size)]
        means, logvars = frame[mu].to_numpy(np.float32), frame[logvar].to_numpy(np.float32)
    except PermissionError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): ask its owner for the right to.") from error
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(damaged) from error
    if not (means.size and "text" in frame and np.isfinite(means).all() and np.isfinite(logvars).all()):
        raise ValueError(damaged)
    return Latents(frame.drop(columns=[*mu, *logvar]), means, logvars)


def kl_per_dim(
    means: Float[ndarray, "sentences latent"], logvars: Float[ndarray, "sentences latent"]
) -> Float[ndarray, "sentences latent"]:
    """KL of each posterior from the prior in each dimension, nats: `DiagonalGaussian.kl_per_dim` without torch."""
    kl: ndarray = 0.5 * (np.square(means) + np.expm1(logvars) - logvars)
    return kl


def in_common(labels: pd.DataFrame, rows: Sequence[int]) -> pd.DataFrame:
    """What sets some sentences apart from all: label, value, its share of them and of all, and the ratio of the two.

    A row for each value that occurs among them, the most telling first: by the share's distance from the share of all,
    in standard errors of a draw of that many sentences, so that a rare value in a handful does not come first.
    """
    few, found = labels.iloc[list(rows)], []
    for label in labels:
        here, everywhere = few[label].value_counts(normalize=True), labels[label].value_counts(normalize=True)
        for value, share in here.items():
            usual = everywhere[value]
            error = np.sqrt(usual * (1 - usual) / len(few))
            surprise = (share - usual) / error if error > 0 else 0.0
            found.append((str(label), str(value), share, usual, share / usual, surprise))
    table = pd.DataFrame(found, columns=["label", "value", "share", "usual", "ratio", "surprise"])
    return table.sort_values(["surprise", "label", "value"], ascending=[False, True, True], ignore_index=True)


def projector(frame: pd.DataFrame, means: Float[ndarray, "sentences latent"], name: str) -> bytes:
    """The codes as a zip for the Embedding Projector: tensors.tsv, metadata.tsv and projector_config.json.

    Load the two tables by its "Load" button, or serve the folder and open the Projector with ?config=.
    """
    columns = [str(column) for column in frame]
    cells = [[" ".join(str(value).split()) for value in row] for row in frame.itertuples(index=False)]
    metadata = cells if len(columns) == 1 else [columns, *cells]  # a single column has no header there
    config = {
        "embeddings": [
            {
                "tensorName": name,
                "tensorShape": list(means.shape),
                "tensorPath": "tensors.tsv",
                "metadataPath": "metadata.tsv",
            }
        ]
    }
    files = {
        "tensors.tsv": "".join("\t".join(f"{value:.6g}" for value in code) + "\n" for code in means),
        "metadata.tsv": "".join("\t".join(row) + "\n" for row in metadata),
        "projector_config.json": json.dumps(config, indent=2, ensure_ascii=False) + "\n",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return buffer.getvalue()


def nearest(
    codes: Float[ndarray, "n latent"], z: Float[ndarray, "m latent"], k: int, *, block: int = 128
) -> tuple[Int[ndarray, "m k"], Float[ndarray, "m k"]]:
    """The k codes nearest to each z, nearest first: their indices and Euclidean distances. Exact.

    Candidates come from a matrix product over at most `block` rows at a time, in double precision; their distances are
    then computed anew by subtraction, so that a code's distance to itself is 0. `ValueError` for k out of 1 .. n.
    """
    if not 1 <= k <= len(codes):
        raise ValueError(f"There are {len(codes)} codes, so {k} neighbours cannot be found: ask for 1 to {len(codes)}.")
    codes, z = np.asarray(codes, np.float64), np.asarray(z, np.float64)
    squares, twice = np.square(codes).sum(1), -2 * codes.T
    indices = np.empty((len(z), k), np.int64)
    distances = np.empty((len(z), k))
    block = max(1, min(block, PAIRS // len(codes)))
    for start in range(0, len(z), block):
        rows = z[start : start + block]
        scores = rows @ twice
        scores += squares  # the squared distance, less |z|^2
        found = scores.argmin(1)[:, None] if k == 1 else np.argpartition(scores, k - 1, axis=1)[:, :k]
        exact = np.linalg.norm(codes[found] - rows[:, None], axis=-1)  # (b, k)
        order = np.lexsort((found, exact), axis=1)
        indices[start : start + block] = np.take_along_axis(found, order, 1)
        distances[start : start + block] = np.take_along_axis(exact, order, 1)
    return indices, distances
