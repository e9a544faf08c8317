"""Paths between codes: their ends, their sentences, and the lines that make them again outside the app."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
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


def end_code(of: Model, end: End, side: Literal[0, 1]) -> Float[ndarray, " latent"]:
    """The code of an end. A is the first and B the second of two draws from the prior: `--prior` does the same."""
    if end.kind == "prior":
        return models.prior(of, 2, end.seed)[side]
    if end.kind == "sentence":
        if not end.text.strip():
            raise ValueError(f"End {'AB'[side]} is an empty sentence: type some words.")
        mean, logvar = models.encode(of, end.text)
    else:
        known = maps.codes(of)
        if not 0 <= end.row < len(known.means):
            count = len(known.means)
            raise ValueError(
                f"There is no sentence {end.row} on the map of {of.name}: choose one from 0 to {count - 1}."
            )
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
    start, end = end_code(of, a, 0), end_code(of, b, 1)
    torch = models.load_torch()
    from vae import explore, latents

    path = explore.interpolate(torch.tensor(start), torch.tensor(end), steps, method, extend)
    near: list[tuple[str, float]] = []
    if maps.has_codes(of):
        known = maps.codes(of)
        rows, distances = latents.nearest(known.means, path.numpy(), 1)
        near = [(known.texts[row], float(far)) for row, far in zip(rows[:, 0], distances[:, 0], strict=True)]
    return Walk(
        places=np.linspace(-extend, 1 + extend, steps).round(6).tolist(),
        codes=path.numpy(),
        texts=models.decode(of, path.numpy(), how),
        shells=explore.shell(path).tolist(),
        nearest=near,
    )


def word_changes(before: str, after: str) -> list[tuple[str, bool]]:
    """The words of a sentence, each with whether it is new against the one before."""
    models.load_torch()
    from vae import explore

    return explore.word_changes(before, after)


def walk_python(of: Model, a: End, b: End, *, steps: int, method: str, extend: float, how: Decoding) -> str:
    """The same path in Python, to be copied."""
    source = _source(of)
    lines = ["import vae", "", f"space = vae.load({source!r}{f', snapshot={of.snapshot}' if of.snapshot else ''})"]
    if "map" in (a.kind, b.kind):
        lines[0] = "import torch\nimport vae\nfrom vae.latents import read_latents\nfrom vae.runs import Run"
        lines.append(f"codes = read_latents(Run({source!r}))")
    elif any(end.drawn and end.kind != "prior" for end in (a, b)):
        lines[0] = "import torch\nimport vae"
    if any(end.drawn and end.kind == "map" for end in (a, b)):
        lines[0] += "\nfrom vae.posterior import DiagonalGaussian"
    lines += _end_python("a", a, 0) + _end_python("b", b, 1)
    lines.append(f"path = space.interpolate(a, b, steps={steps}, method={method!r}, extend={extend:g})")
    arguments = ", ".join(f"{name}={value!r}" for name, value in how.arguments.items())
    lines += [f"for sentence in space.decode(path, {arguments}):", "    print(sentence)"]
    return "\n".join(lines)


def walk_command(of: Model, a: End, b: End, *, steps: int, method: str, extend: float, how: Decoding) -> str | None:
    """The same path from a terminal; none where the command line has no words for it."""
    ends = {"prior": ["--prior", "--seed", str(a.seed)]}.get(a.kind, [])
    if "prior" in (a.kind, b.kind):
        if (a.kind, a.seed) != (b.kind, b.seed):
            return None
    elif a.drawn or b.drawn:
        return None
    else:
        known = maps.codes(of) if "map" in (a.kind, b.kind) else None
        texts = [known.texts[end.row] if known and end.kind == "map" else end.text.strip() for end in (a, b)]
        ends = ["--from", texts[0], "--to", texts[1]]
    if how.method != "greedy" or of.snapshot is not None:
        return None
    words = ["python", "-m", "vae", "interpolate", _source(of), *ends, "--steps", str(steps)]
    words += ["--method", method] * (method != "linear") + ["--extend", f"{extend:g}"] * (extend > 0)
    return shell.line(words)


def _source(of: Model) -> str:
    """The source of a model as it is typed at the top of the project."""
    path = Path(of.source)
    return str(shell.shown(path)) if path.exists() else of.source


def _end_python(name: str, end: End, side: int) -> list[str]:
    if end.kind == "prior":
        return [f"{name} = space.sample_prior(2, seed={end.seed})[{side}]"]
    if end.kind == "sentence":
        draw = f".rsample(torch.Generator().manual_seed({end.seed}))" if end.drawn else ".mean"
        return [f"{name} = space.encode([{end.text.strip()!r}]){draw}[0]"]
    rows = f"torch.tensor(codes.means[{end.row} : {end.row + 1}])"
    if not end.drawn:
        return [f"{name} = {rows}[0]"]
    spread = f"torch.tensor(codes.logvars[{end.row} : {end.row + 1}])"
    return [
        f"{name} = DiagonalGaussian({rows}, {spread})",
        f"{name} = {name}.rsample(torch.Generator().manual_seed({end.seed}))[0]",
    ]


def _drawn(mean: ndarray, logvar: ndarray, seed: int) -> Float[ndarray, " latent"]:
    torch = models.load_torch()
    from vae.posterior import DiagonalGaussian

    posterior = DiagonalGaussian(torch.tensor(mean)[None], torch.tensor(logvar)[None])
    return posterior.rsample(torch.Generator().manual_seed(seed))[0].numpy()
