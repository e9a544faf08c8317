"""Paths between codes: their ends, their sentences, and the lines that make them again outside the app."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from app.backend import maps, models, shell
from app.backend.models import Decoding, Model


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of a path: `prior` (by its seed), `sentence` (by its text) or `map` (by its row in latents.parquet).

    `drawn` takes a sample of the posterior of a sentence, by its seed, instead of its mean.
    """

    kind: Literal["prior", "sentence", "map"] = "prior"
    seed: int = 0
    text: str = ""
    row: int = 0
    drawn: bool = False


Pair = tuple[End, End]
"""The two ends of a path."""

NEAR = 5
"""How many sentences of the map are found for each step: the nearest and those after it."""

PAIRS = 10
"""How many pairs `random_pairs` draws: as many as the tables of Li et al. 2019 show (their Tables 12 and 13)."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """Everything about a path but its ends: its codes, along each of the methods, and how they are read."""

    steps: int = 11
    methods: tuple[str, ...] = ("linear",)
    extend: float = 0.0
    how: Decoding = field(default_factory=Decoding)
    draws: int = 1
    """How often each code is read; more than once makes sense by sampling alone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """A path of codes, read step by step."""

    places: list[float]
    """t of every step: 0 is A, 1 is B."""
    codes: Float[ndarray, "steps latent"]
    texts: list[str]
    shells: list[float]
    """How far |z| is from that of prior samples, in their standard deviations."""
    nearest: list[tuple[str, float]]
    """The nearest sentence of the map and its distance; empty for a model without codes."""
    further: list[list[tuple[str, float]]] = field(default_factory=list)
    """The sentences of the map that come after it, nearest first, where they were looked for."""
    draws: list[list[str]] = field(default_factory=list)
    """All that was read at each step, the sentence in `texts` first; empty where each code was read once."""


def end_code(of: Model, end: End, side: Literal[0, 1]) -> Float[ndarray, " latent"]:
    """The code of an end. A is the first and B the second of two draws from the prior: `--prior` does the same."""
    if end.kind == "prior":
        return models.prior(of, 2, end.seed)[side]
    if end.kind == "sentence":
        if not end.text.strip():
            raise ValueError(f"End {'AB'[side]} is an empty sentence: type some words.")
        mean, logvar = models.encode(of, end.text)
    else:
        known = _known_row(of, end)
        mean, logvar = known.means[end.row], known.logvars[end.row]
    return _drawn(mean, logvar, end.seed) if end.drawn else mean


def walk(
    of: Model,
    a: End,
    b: End,
    *,
    steps: int = 11,
    method: str = "linear",
    extend: float = 0.0,
    how: Decoding | None = None,
) -> Walk:
    """The path from A to B, decoded in one batch, with how typical each step is and which sentence lies nearest."""
    way = Way(steps=steps, methods=(method,), extend=extend, how=how or Decoding())
    return paths(of, [(a, b)], way)[0]


def paths(of: Model, pairs: Sequence[Pair], way: Way) -> list[Walk]:
    """A path for each pair and each method, the methods of a pair side by side, all decoded in one batch."""
    ends = [[end_code(of, a, 0), end_code(of, b, 1)] for a, b in pairs]
    torch = models.load_torch()
    from vae import explore

    codes = [
        explore.interpolate(torch.tensor(a), torch.tensor(b), way.steps, method, way.extend)
        for a, b in ends
        for method in way.methods
    ]
    said = models.decode(of, torch.cat(codes).repeat_interleave(way.draws, 0).numpy(), way.how)
    draws = [said[row : row + way.draws] for row in range(0, len(said), way.draws)]
    return [
        _walk(of, path.numpy(), explore.shell(path).tolist(), draws[way.steps * n : way.steps * (n + 1)], way)
        for n, path in enumerate(codes)
    ]


def random_pairs(of: Model, kind: Literal["prior", "map"], seed: int, *, drawn: bool = False) -> list[Pair]:
    """Ten pairs by one seed: the two prior draws of each seed from `seed` on, or sentences of the map, none twice.

    A map of fewer than twenty sentences gives fewer pairs. With `drawn`, each end is a sample of its posterior.
    """
    if kind == "prior":
        return [(End(seed=seed + number), End(seed=seed + number)) for number in range(PAIRS)]
    count = len(maps.codes(of).texts)
    rows = random.Random(seed).sample(range(count), 2 * min(PAIRS, count // 2))
    ends = [End(kind="map", row=row, drawn=drawn, seed=seed + n if drawn else 0) for n, row in enumerate(rows)]
    return list(zip(ends[::2], ends[1::2], strict=True))


def carried(end: End, source: Model, to: Model) -> End:
    """The same end for another model: a sentence of the map of `source` is for others its words, which they encode."""
    if end.kind != "map" or to == source:
        return end
    return End(kind="sentence", text=input_text(source, end), drawn=end.drawn, seed=end.seed)


def input_text(of: Model, end: End) -> str:
    """The sentence that an end is the code of; empty for a draw from the prior."""
    return _known_row(of, end).texts[end.row] if end.kind == "map" else end.text.strip()


def snapshots(of: Model) -> list[int]:
    """The steps at which a model has kept its weights; none for one that is no run."""
    return list(run.snapshots()) if (run := of.run) else []


def walk_python(routes: Sequence[tuple[Model, Sequence[Pair]]], way: Way) -> str:
    """The same paths in Python, to be copied: for each model, its sentences in the order of `paths`."""
    body = [line for of, pairs in routes for line in ["", *_route_python(of, pairs, way)]]
    text = "\n".join(body)
    needed = {
        "import torch": "torch.",
        "import vae": "vae.",
        "from vae.latents import read_latents": "read_latents(",
        "from vae.posterior import DiagonalGaussian": "DiagonalGaussian(",
        "from vae.runs import Run": "Run(",
    }
    return "\n".join([*(line for line, name in needed.items() if name in text), text])


def walk_command(routes: Sequence[tuple[Model, Sequence[Pair]]], way: Way) -> str | None:
    """The same paths from a terminal, a line each; none where the command line has no words for one of them.

    Paths that were sampled together took their words from one stream of random numbers: no line makes one of them.
    """
    sampled = way.how.method == "sample"
    if (way.draws > 1 and not sampled) or (sampled and any(len(pairs) * len(way.methods) > 1 for _, pairs in routes)):
        return None
    lines, reading = [], _reading_command(way)
    for of, pairs in routes:
        for pair in pairs:
            ends = _ends_command(of, *pair)
            if ends is None:
                return None
            words = ["python", "-m", "vae", "interpolate", shell.source(of.source), *ends, "--steps", str(way.steps)]
            words += ["--extend", f"{way.extend:g}"] * (way.extend > 0)
            words += ["--snapshot", str(of.snapshot)] * (of.snapshot is not None)
            kinds = [["--method", method] * (method != "linear") for method in way.methods]
            lines += [shell.line([*words, *kind, *reading]) for kind in kinds]
    return "\n".join(lines)


def _walk(of: Model, path: ndarray, shells: list[float], draws: list[list[str]], way: Way) -> Walk:
    from vae import latents

    near: list[list[tuple[str, float]]] = []
    if maps.has_codes(of):
        known = maps.codes(of)
        rows, distances = latents.nearest(known.means, path, min(NEAR, len(known.texts)))
        near = [
            [(known.texts[row], far) for row, far in zip(*step, strict=True)]
            for step in zip(rows.tolist(), distances.tolist(), strict=True)
        ]
    return Walk(
        places=np.linspace(-way.extend, 1 + way.extend, way.steps).round(6).tolist(),
        codes=path,
        texts=[first for first, *_ in draws],
        shells=shells,
        nearest=[first for first, *_ in near],
        further=[others for _, *others in near],
        draws=draws if way.draws > 1 else [],
    )


def _known_row(of: Model, end: End) -> maps.Codes:
    """The map that an end is on; a `ValueError` if it has no such row."""
    known = maps.codes(of)
    if not 0 <= end.row < len(known.means):
        count = len(known.means)
        raise ValueError(f"There is no sentence {end.row} on the map of {of.name}: choose one from 0 to {count - 1}.")
    return known


def _route_python(of: Model, pairs: Sequence[Pair], way: Way) -> list[str]:
    """From loading a model to its sentences."""
    source = shell.source(of.source)
    lines = [f"space = vae.load({source!r}{'' if of.snapshot is None else f', snapshot={of.snapshot}'})"]
    if any(end.kind == "map" for pair in pairs for end in pair):
        lines.append(f"codes = read_latents(Run({source!r}))")
    if len(pairs) == 1:
        a, b = pairs[0]
        lines += [f"a = {_end_python(a, 0)}", f"b = {_end_python(b, 1)}"]
    else:
        lines += ["pairs = [", *(f"    ({_end_python(a, 0)}, {_end_python(b, 1)})," for a, b in pairs), "]"]
    several = " for a, b in pairs" * (len(pairs) > 1) + f" for method in {way.methods!r}" * (len(way.methods) > 1)
    method = "method" if len(way.methods) > 1 else repr(way.methods[0])
    path = f"space.interpolate(a, b, steps={way.steps}, method={method}, extend={way.extend:g})"
    lines.append(f"path = torch.cat([{path}{several}])" if several else f"path = {path}")
    arguments = ", ".join(f"{name}={value!r}" for name, value in way.how.arguments.items())
    codes = f"path.repeat_interleave({way.draws}, 0)" if way.draws > 1 else "path"
    return [*lines, f"for sentence in space.decode({codes}, {arguments}):", "    print(sentence)"]


def _end_python(end: End, side: int) -> str:
    """An end as an expression of `space` and, for a sentence of the map, `codes`."""
    if end.kind == "prior":
        return f"space.sample_prior(2, seed={end.seed})[{side}]"
    draw = f".rsample(torch.Generator().manual_seed({end.seed}))[0]"
    if end.kind == "sentence":
        return f"space.encode([{end.text.strip()!r}]){draw if end.drawn else '.mean[0]'}"
    if not end.drawn:
        return f"torch.tensor(codes.means[{end.row}])"
    rows = f"[{end.row} : {end.row + 1}]"
    return f"DiagonalGaussian(torch.tensor(codes.means{rows}), torch.tensor(codes.logvars{rows})){draw}"


def _ends_command(of: Model, a: End, b: End) -> list[str] | None:
    if "prior" in (a.kind, b.kind):
        other = ["--end-seed", str(b.seed)] * (b.seed != a.seed)
        return ["--prior", "--seed", str(a.seed), *other] if a.kind == b.kind else None
    return None if a.drawn or b.drawn else ["--from", input_text(of, a), "--to", input_text(of, b)]


def _reading_command(way: Way) -> list[str]:
    """How codes are read, in the options of the command line; nothing for what it does anyway."""
    how = way.how
    if how.method == "greedy":
        return []
    if how.method == "beam":
        return ["--decode", "beam", "--beams", str(how.beams)]
    words = ["--decode", "sample", "--temperature", str(how.temperature), "--top-p", str(how.top_p)]
    return [*words, "--words-seed", str(how.seed), *["--draws", str(way.draws)] * (way.draws > 1)]


def _drawn(mean: ndarray, logvar: ndarray, seed: int) -> Float[ndarray, " latent"]:
    torch = models.load_torch()
    from vae.posterior import DiagonalGaussian

    posterior = DiagonalGaussian(torch.tensor(mean)[None], torch.tensor(logvar)[None])
    return posterior.rsample(torch.Generator().manual_seed(seed))[0].numpy()
