"""How cost grows with what there is: a table for each thing that can become large, and the exponent of its growth.

    python -m benchmarks.growth                                    all tables, in a few minutes of one quiet core
    python -m benchmarks.growth --only steps plane --cells 5 80    some of them, and other sizes

The exponent is the slope of log seconds over log size through the last three sizes: 0 costs the same whatever the size,
1 twice as much for twice as much, 2 four times. Under 1 it will still rise, as long as something fixed outweighs the
rest. Sizes take turns. Codes are drawn at random where only their number matters; sentences are captions.

Before anything is timed, the smallest size is held against another way to the same, or the size against what came out.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import vae
from app import backend
from benchmarks import monitor
from benchmarks.metrics import plain_mutual_information
from benchmarks.timing import interleaved, report
from benchmarks.train import our_loss
from vae import base, batching, corpora, decode, latents, machine, metrics, projection, runs
from vae.backbones.t5 import T5Backbone
from vae.batching import Batch
from vae.model import TextVAE
from vae.posterior import DiagonalGaussian
from vae.projection import Projection
from vae.runs import Run

BUNDLED = "captions-two-phase"
LATENT = 32
BATCH = 64
PATH = 21
PLACED = 100
"""New codes that are placed on a map."""
SHOWN = 24
"""Cards that Home shows at first."""


def exponent(medians: Mapping[int, float]) -> float:
    """The slope of log seconds over log size through the last three sizes."""
    sizes, seconds = list(medians)[-3:], list(medians.values())[-3:]
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


CLOCK = {"reads": time.perf_counter}
"""What is read before and after each call; `--processor` changes it."""


def table(title: str, unit: str, calls: Mapping[int, Callable[[], object]], repeats: int, warmup: int = 1) -> None:
    """Time the sizes in turn, and say how their cost grows."""
    names = {f"{size:,} {unit}": size for size in calls}
    seconds = interleaved({name: calls[size] for name, size in names.items()}, repeats, warmup, CLOCK["reads"])
    report(title, seconds)
    if len(calls) > 1:
        found = exponent({names[name]: statistics.median(values) for name, values in seconds.items()})
        print(f"  grows with the power {found:.2f}", flush=True)


def agree(true: bool, what: str) -> None:
    if not true:
        raise SystemExit(f"{what}, so there is nothing to time.")


def endless() -> TextVAE:
    """The bundled model, but it never ends a sentence: what it decodes is as long as it may be."""
    model = vae.load(runs.starter_path().parent / BUNDLED).model
    with torch.no_grad():
        model.backbone.t5.shared.weight[model.backbone.end_token] = 0  # its logit is 0, and others lie above
    return model


def tokens_decoded(sizes: Sequence[int], repeats: int) -> None:
    model = endless()
    for rows in (1, PATH):
        z = torch.randn(rows, LATENT, generator=torch.Generator().manual_seed(0))
        calls = {size: partial(decode.generate, model, z, size) for size in sizes}
        for size, call in calls.items():
            agree(call().shape == (rows, size), f"Not all of {rows} sentences have {size} tokens")
        table(f"Sentence length: decoding {rows} code{'s' * (rows > 1)}", "tokens", calls, repeats)


def tokens_trained(sizes: Sequence[int], repeats: int) -> None:
    t5, tokenizer = base.load("starter")
    torch.manual_seed(0)
    model = TextVAE.around(T5Backbone(t5), latent_size=LATENT).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step(batch: Batch) -> float:
        nats = our_loss(model, batch)
        nats.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(nats.detach())

    ids = torch.randint(10, len(tokenizer), (BATCH, max(sizes)))
    ids[:, -1] = tokenizer.eos_token_id
    calls = {size: partial(step, Batch(ids[:, -size:], torch.ones(BATCH, size, dtype=torch.bool))) for size in sizes}
    agree(all(math.isfinite(call()) for call in calls.values()), "A loss is not finite")
    table(f"Sentence length: a training step of {BATCH}", "tokens", calls, repeats)


def steps(sizes: Sequence[int], repeats: int) -> None:
    space = vae.load(runs.starter_path().parent / BUNDLED)
    a, b = space.sample_prior(2, seed=0)
    paths = {size: space.interpolate(a, b, steps=max(2, size))[:size] for size in sizes}
    alone = [space.decode(code[None])[0] for code in paths[sizes[-1]][:3]]
    agree(space.decode(paths[sizes[-1]])[:3] == alone, "A path and its codes one by one read differently")
    table("Steps of a path", "codes", {size: partial(space.decode, path) for size, path in paths.items()}, repeats)


def plane(sizes: Sequence[int], repeats: int) -> None:
    """What the Plane asks for when a window has not been seen yet: each time one a little farther to the right."""
    model = backend.model(BUNDLED)
    surface = backend.plane(model, backend.Cut())
    shifts = itertools.count(1)

    def fresh(n: int) -> backend.Field:
        whole = backend.plane_whole(model, surface, [], n)
        return backend.plane_field(
            model, surface, backend.plane_window(whole.x + 0.001 * next(shifts), whole.y, whole.width, n)
        )

    field = fresh(sizes[0])
    codes = torch.tensor(surface.code(field.window.places), dtype=torch.float32)
    said = [field.texts[cell] for cell in field.cells.ravel()]
    agree(said == vae.load(model.source).decode(codes), "The cells of a plane and their codes read differently")
    calls = {size * size: partial(fresh, size) for size in sizes}
    table("Plane: a fresh window", "cells", calls, repeats)


def corpus(sizes: Sequence[int], repeats: int, scratch: Path) -> None:
    _, tokenizer = base.load("starter")
    known = corpora.load("captions", train_sentences=min(10_000, max(sizes))).train
    frame = known.iloc[np.arange(max(sizes)) % len(known)].reset_index(drop=True)
    texts = frame["text"].tolist()
    found = batching.tokenize(tokenizer, texts[: sizes[0]], 64)
    agree(len(found) == sizes[0] and (found.lengths > 1).all(), "Not all sentences have tokens")
    calls = {size: partial(batching.tokenize, tokenizer, texts[:size], 64) for size in sizes}
    table("Corpus: tokenizing", "sentences", calls, 1, warmup=0)

    random = np.random.default_rng(0)
    codes = random.standard_normal((max(sizes), LATENT), np.float32)

    class Drawn:
        """An encoder that draws its codes: they come as from a `Space`."""

        def encode(self, texts: Sequence[str], *, batch_size: int) -> DiagonalGaussian:
            mean = torch.from_numpy(codes[: len(texts)].copy())
            return DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(0.33)))

    kept = {}
    for size in sizes:
        kept[size] = Run(scratch / f"codes-{size}")
        kept[size].path.mkdir()
        latents.write_latents(kept[size], Drawn(), frame[:size])
    table(
        "Corpus: reading latents.parquet", "codes", {n: partial(latents.read_latents, kept[n]) for n in sizes}, repeats
    )

    def fit(run: Run) -> Projection:
        return projection.project(run, "pca", refit=True, keep=False)

    found = fit(kept[sizes[0]])
    places = found.place(codes[: sizes[0]])
    agree(np.allclose(places, found.coordinates, atol=1e-5), "A code does not lie in its place of the PCA")
    table("Corpus: PCA, read and fitted", "codes", {size: partial(fit, kept[size]) for size in sizes}, repeats)

    fresh = random.standard_normal((PLACED, LATENT), np.float32)
    flat = random.standard_normal((max(sizes), 2), np.float32)
    maps = {n: Projection(method="umap", coordinates=flat[:n], codes=codes[:n], details={}) for n in sizes}
    own = maps[sizes[0]].place(codes[:1])
    agree(np.allclose(own, flat[:1], atol=1e-4), "A code of a map does not land on its own place")
    calls = {size: partial(known.place, fresh) for size, known in maps.items()}
    table(f"Corpus: {PLACED} new codes placed on a UMAP, without refit", "codes", calls, repeats)


def information(sizes: Sequence[int]) -> None:
    """MI, once each; 100,000 codes take minutes, and have to be asked for."""
    torch.manual_seed(0)
    mean = torch.randn(max(sizes), LATENT, dtype=torch.float64)
    logvar = torch.full_like(mean, 2 * math.log(0.33))
    z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
    few = slice(200)
    known = metrics.mutual_information(mean[few], logvar[few], z[few])
    plain = plain_mutual_information(DiagonalGaussian(mean[few], logvar[few]), z[few])
    agree(np.allclose(plain, (known.lower_nats, known.upper_nats), atol=1e-5), "The bounds of MI differ from a loop's")
    calls = {size: partial(metrics.mutual_information, mean[:size], logvar[:size], z[:size]) for size in sizes}
    table("Corpus: MI of all pairs", "codes", calls, 1, warmup=0)


def umap(sizes: Sequence[int], scratch: Path) -> None:
    """UMAP, once each, after it has been compiled on a few codes."""
    random = np.random.default_rng(0)

    def fit(size: int) -> Callable[[], Projection]:
        run = Run(scratch / f"umap-{size}")
        run.path.mkdir()
        columns = [f"{name}_{d}" for name in ("mu", "logvar") for d in range(LATENT)]
        frame = pd.DataFrame(random.standard_normal((size, 2 * LATENT), np.float32), columns=columns)
        frame.insert(0, "text", "a caption .")
        frame.to_parquet(run.latents_path, index=False)
        return partial(projection.project, run, "umap", refit=True, keep=False)

    agree(len(fit(5_000)().coordinates) == 5_000, "UMAP has not placed all codes")  # above 4,096 its way is another
    table("Corpus: UMAP fitted", "codes", {size: fit(size) for size in sizes}, 1, warmup=0)


def listing(sizes: Sequence[int], repeats: int, scratch: Path) -> None:
    """What Home asks for: the runs twice, their colours, and the verdict of each run that has a card at once."""

    def home(folder: Path) -> int:
        os.environ["BOTTLENECK_RUNS"] = str(folder)
        entries = backend.entries()
        backend.entries()
        backend.colours()
        for entry in entries[:SHOWN]:
            backend.verdict(entry.name)
        return len(entries)

    folders: dict[int, list[Path]] = {}
    for size in sizes:
        folders[size] = [scratch / f"{size}-runs-{copy}" for copy in range(repeats + 1)]
        for number in range(size):
            monitor.write_run(folders[size][0], f"run-{number}", 20, None)
        for folder in folders[size][1:]:
            shutil.copytree(folders[size][0], folder)
        agree(home(folders[size][0]) == size, f"Not all of {size} runs are listed")

    def first(unseen: Iterable[Path]) -> int:
        return home(next(iter(unseen)))

    calls = {size: partial(first, iter(found[1:])) for size, found in folders.items()}
    table("Runs: Home, on a server that has not seen them", "runs", calls, repeats, warmup=0)
    calls = {size: partial(home, found[0]) for size, found in folders.items()}
    table("Runs: Home again", "runs", calls, repeats)


def history(sizes: Sequence[int], repeats: int, scratch: Path) -> None:
    """What the monitor asks for: the measurements, the verdict and the steps with sentences."""
    os.environ["BOTTLENECK_RUNS"] = str(scratch)

    def read(name: str) -> int:
        course = backend.course(name)
        backend.verdict(name)
        backend.sample_steps(name)
        return course.steps[-1]

    copies = {size: [f"events-{size}-{copy}" for copy in range(repeats + 1)] for size in sizes}
    growing = {}
    for size, names in copies.items():
        growing[names[0]] = monitor.Growing(monitor.write_run(scratch, names[0], size, None), size)
        for name in names[1:]:
            shutil.copytree(scratch / names[0], scratch / name)
        agree(read(names[0]) == 10 * (size - 1), f"A history of {size} events was not read to its end")

    def first(unseen: Iterable[str]) -> int:
        return read(next(iter(unseen)))

    def refresh(name: str) -> int:
        growing[name].grow()
        return read(name)

    calls = {size: partial(first, iter(names[1:])) for size, names in copies.items()}
    table("History: read for the first time", "events", calls, repeats, warmup=0)
    calls = {size: partial(refresh, names[0]) for size, names in copies.items()}
    table("History: one more event", "events", calls, max(9, repeats))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("decoding", "training", "steps", "plane", "corpus", "mi", "umap", "runs", "history")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="TABLE", help=", ".join(names))
    sizes = {
        "tokens": [8, 16, 32, 64, 128],
        "steps": [1, 4, 11, 41, 100, 400],
        "cells": [5, 10, 20, 40],
        "codes": [1_000, 10_000, 100_000],
        "mi": [1_000, 3_000, 10_000],
        "umap": [1_000, 10_000, 100_000],
        "runs": [10, 100, 1_000],
        "events": [100, 10_000, 100_000],
    }
    for name, default in sizes.items():
        words = f"sizes ({' '.join(map(str, default))}{', along a side' * (name == 'cells')})"
        parser.add_argument(f"--{name}", type=int, nargs="+", default=default, metavar="N", help=words)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processor", action="store_true", help="time of the processor, on a machine that is busy")
    options = parser.parse_args()
    if options.processor:
        CLOCK["reads"] = time.process_time
    logging.disable(logging.WARNING)  # the caches of Streamlit say that there is no page
    os.environ["BOTTLENECK_READ_ONLY"] = "1"  # no second thread that looks after the queue of each folder
    torch.set_num_threads(machine.app_threads())
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        tables: dict[str, Callable[[], None]] = {
            "decoding": lambda: tokens_decoded(options.tokens, 2 * options.repeats),
            "training": lambda: tokens_trained(options.tokens, options.repeats),
            "steps": lambda: steps(options.steps, 2 * options.repeats),
            "plane": lambda: plane(options.cells, options.repeats),
            "corpus": lambda: corpus(options.codes, options.repeats, scratch),
            "mi": lambda: information(options.mi),
            "umap": lambda: umap(options.umap, scratch),
            "runs": lambda: listing(options.runs, options.repeats, scratch),
            "history": lambda: history(options.events, options.repeats, scratch),
        }
        for name in options.only:
            tables[name]()


if __name__ == "__main__":
    main()
