"""Commands that look at a model: sample, interpolate, encode, project."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae import runs
from vae.cli.shared import Answer, opened, run_named, work_briefly, work_quietly

if TYPE_CHECKING:
    import pandas as pd

READING = {"greedy": (), "sample": ("temperature", "top_p", "draws", "words_seed"), "beam": ("beams",)}
"""The ways of decoding, and the options that have an effect on each."""


def sample(options: argparse.Namespace) -> Answer:
    """Decode draws from the prior."""
    how, times = decoding(options)
    work_briefly()
    space, _ = opened(options.run, options.snapshot)
    codes = space.sample_prior(options.n, options.seed)
    said = _several(space.decode(codes.repeat_interleave(times, 0), **how), times)
    document: dict[str, Any] = {"seed": options.seed, "sentences": [first for first, *_ in said]}
    if times > 1:
        document["draws"] = said
    return Answer(document, "\n".join(text for draws in said for text in draws))


def interpolate(options: argparse.Namespace) -> Answer:
    """Decode a path between two sentences, or between two draws from the prior."""
    how, times = decoding(options)
    ends = (options.start, options.end)
    if options.prior == any(end is not None for end in ends) or (not options.prior and None in ends):
        raise ValueError("A path needs two ends: give --from and --to, or --prior.")
    if not options.prior and not all(end.strip() for end in ends):
        raise ValueError("An end of the path is an empty sentence: give --from and --to some words.")
    if options.end_seed is not None and not options.prior:
        raise ValueError("--end-seed is of a random code: give it with --prior, or leave it out.")
    work_briefly()
    space, _ = opened(options.run, options.snapshot)
    if options.prior:
        seeds = options.seed, options.seed if options.end_seed is None else options.end_seed
        a, b = (space.sample_prior(2, seed)[side] for side, seed in enumerate(seeds))
    else:
        a, b = (space.encode([end.strip()]).mean[0] for end in ends)
    path = space.interpolate(a, b, options.steps, options.method, options.extend)
    span = 1 + 2 * options.extend
    places = [round(i * span / (options.steps - 1) - options.extend, 6) for i in range(options.steps)]
    said = _several(space.decode(path.repeat_interleave(times, 0), **how), times)
    rows = [
        {"t": t, "text": draws[0], **({"texts": draws} if times > 1 else {})}
        for t, draws in zip(places, said, strict=True)
    ]
    words = [f"{t:6.2f}  {text}" for t, draws in zip(places, said, strict=True) for text in draws]
    return Answer({"method": options.method, "path": rows}, "\n".join(words))


def decoding(options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """How codes are to be read: the arguments of `Space.decode`, and how often each one is.

    `ValueError` for an option that has no effect on the way of decoding.
    """
    method = options.decode
    for fitting, names in READING.items():
        for name in names:
            if fitting != method and getattr(options, name) is not None:
                option = name.replace("_", "-")
                raise ValueError(
                    f"--{option} has no effect on --decode {method}: leave it out, or decode by {fitting}."
                )
    how = {name: getattr(options, name) for name in ("temperature", "top_p", "beams")}
    how = {"method": method, **{name: value for name, value in how.items() if value is not None}}
    if method == "sample":
        how["seed"] = options.seed if options.words_seed is None else options.words_seed
    return how, options.draws or 1


def _several(texts: list[str], times: int) -> list[list[str]]:
    """What was read of each code, which was read so many times."""
    return [texts[row : row + times] for row in range(0, len(texts), times)]


def encode(options: argparse.Namespace) -> Answer:
    """Write the posterior of every line of a file beside its text and labels."""
    out, path = Path(options.out), Path(options.file)
    if out.suffix.lower() not in (".parquet", ".zip"):
        raise ValueError(f"--out {out} must end in .parquet, or in .zip for the Embedding Projector.")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"--out {out} cannot be written: there is no folder {out.parent}.")
    work_quietly()
    import pandas as pd

    from vae import latents
    from vae.corpora import files

    if not path.is_file():
        raise ValueError(f"{path} is not a file: check the path.")
    if path.suffix.lower() not in files.READERS:
        raise ValueError(f"{path.name} ends in {path.suffix!r}: known endings are {' '.join(files.READERS)}.")
    table = pd.DataFrame(dict(files.read_table(path)))
    space, run = opened(options.run)
    column = options.text_column or "text"
    if options.text_column is None and run and run.config.data.text_column in table:
        column = run.config.data.text_column
    if column not in table:
        raise ValueError(
            f"{path.name} has no column {column!r} to encode (columns: {', '.join(table)}): name it with --text-column."
        )
    texts = table[column].astype(object)
    texts = texts.where(texts.notna(), "").map(str).rename("text")  # a row without text keeps its place
    labels = table.drop(columns={column, "text"} & set(table))
    if out.suffix.lower() == ".parquet":
        _require_storable(labels, path.name)  # before minutes of work
    encoded = latents.encode_frame(space, pd.concat([texts, labels], axis=1))
    buffer = io.BytesIO()
    if out.suffix.lower() == ".zip":
        codes = encoded.filter(regex=r"^mu_\d+$").to_numpy()
        kept = [name for name in encoded if not latents.CODE_COLUMN.fullmatch(str(name))]
        buffer.write(latents.projector(encoded[kept], codes, out.stem))
    else:
        encoded.to_parquet(buffer, index=False)
    runs.write_bytes(out, buffer.getvalue())
    document = {"out": str(out), "sentences": len(encoded), "latent_size": space.latent_size}
    return Answer(document, f"{len(encoded)} sentences encoded in {out}.")


def _require_storable(labels: pd.DataFrame, file: str) -> None:
    """`ValueError` for a column that a .parquet cannot hold."""
    for name in labels:
        try:
            labels[[name]].to_parquet(io.BytesIO(), index=False)
        except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
            raise ValueError(
                f"The column {name!r} of {file} mixes kinds of values or has some that no .parquet holds ({error}): "
                "make them all text."
            ) from error


def project(options: argparse.Namespace) -> Answer:
    """Fit the map of a run's codes, or find the one that is there."""
    run = run_named(options.run)
    work_quietly()
    from vae import projection

    points = projection.project(run, options.method, seed=options.seed, refit=options.refit).coordinates
    file = run.projections_path / f"{options.method}.parquet"
    document = {"run": str(run.path), "method": options.method, "sentences": len(points), "file": str(file)}
    return Answer(document, f"{len(points)} sentences mapped by {options.method} in {file}.")
