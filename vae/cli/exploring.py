"""Commands that look at a model: sample, interpolate, encode, project."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from vae import runs
from vae.cli.shared import Answer, opened, run_named, work_briefly, work_quietly


def sample(options: argparse.Namespace) -> Answer:
    """Decode draws from the prior."""
    work_briefly()
    space, _ = opened(options.run, options.snapshot)
    sentences = space.decode(space.sample_prior(options.n, options.seed))
    return Answer({"seed": options.seed, "sentences": sentences}, "\n".join(sentences))


def interpolate(options: argparse.Namespace) -> Answer:
    """Decode a path between two sentences, or between two draws from the prior."""
    ends = (options.start, options.end)
    if options.prior == any(end is not None for end in ends) or (not options.prior and None in ends):
        raise ValueError("A path needs two ends: give --from and --to, or --prior.")
    if not options.prior and not all(end.strip() for end in ends):
        raise ValueError("An end of the path is an empty sentence: give --from and --to some words.")
    work_briefly()
    space, _ = opened(options.run, options.snapshot)
    a, b = space.sample_prior(2, options.seed) if options.prior else space.encode(ends).mean
    path = space.interpolate(a, b, options.steps, options.method, options.extend)
    span = 1 + 2 * options.extend
    places = [round(i * span / (options.steps - 1) - options.extend, 6) for i in range(options.steps)]
    rows = [{"t": t, "text": text} for t, text in zip(places, space.decode(path), strict=True)]
    return Answer(
        {"method": options.method, "path": rows}, "\n".join(f"{row['t']:6.2f}  {row['text']}" for row in rows)
    )


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
    column = run.config.data.text_column if run and run.config.data.text_column in table else "text"
    if column not in table:
        raise ValueError(f"{path.name} has no column {column!r} to encode: it has {', '.join(table)}.")
    texts = table[column].astype(object)
    texts = texts.where(texts.notna(), "").map(str).rename("text")  # a row without text keeps its place
    labels = table.drop(columns={column, "text"} & set(table))
    encoded = latents.encode_frame(space, pd.concat([texts, labels], axis=1))
    buffer = io.BytesIO()
    if out.suffix.lower() == ".zip":
        codes = encoded.filter(regex=r"^mu_\d+$").to_numpy()
        kept = [name for name in encoded if not latents.CODE_COLUMN.fullmatch(str(name))]
        buffer.write(latents.projector(encoded[kept], codes, out.stem))
    else:
        try:
            encoded.to_parquet(buffer, index=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"A column of {path.name} mixes kinds of values ({error}): make them all text.") from error
    runs.write_bytes(out, buffer.getvalue())
    document = {"out": str(out), "sentences": len(encoded), "latent_size": space.latent_size}
    return Answer(document, f"{len(encoded)} sentences encoded in {out}.")


def project(options: argparse.Namespace) -> Answer:
    """Fit the map of a run's codes, or find the one that is there."""
    run = run_named(options.run)
    work_quietly()
    from vae import projection

    points = projection.project(run, options.method, seed=options.seed, refit=options.refit).coordinates
    file = run.projections_path / f"{options.method}.parquet"
    document = {"run": str(run.path), "method": options.method, "sentences": len(points), "file": str(file)}
    return Answer(document, f"{len(points)} sentences mapped by {options.method} in {file}.")
