"""Planes through a model's latent space, decoded cell by cell, and what lies on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import streamlit as st
from jaxtyping import Float, Int
from numpy import ndarray

from app.backend import maps, models, shell
from app.backend.maps import Codes
from app.backend.models import Model, Turns, mark
from app.backend.walks import Walk
from vae import planes
from vae.planes import ENCODED, SHARE, Plane, Region, Window

CELLS = 40
"""Cells along a side of a window, unless asked for others."""
NEAR = 5
"""How many of the sentences nearest to a pin are named."""
SPANNING = ("1", "2", "3")
"""What the three codes are called that a plane is laid through."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Which plane: the `principal` one, that of two `dimensions`, or one through three `sentences` or `samples`."""

    kind: Literal["principal", "dimensions", "sentences", "samples"] = "principal"
    pair: tuple[int, int] = (0, 1)
    """The two dimensions."""
    texts: tuple[str, ...] = ()
    """The three sentences; of `dimensions` the one through whose code it goes, none for z = 0."""
    seed: int = 0
    """Of the three samples."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Field:
    """A window of a plane, decoded greedily at the middle of every cell. Shared by all sessions: not to be changed."""

    window: Window
    texts: list[str]
    """The different sentences, the most frequent first."""
    cells: Int[ndarray, "n n"]
    """Of each cell, which of them it reads; rows from the bottom, columns from the left."""
    region: Int[ndarray, "n n"]
    """Of each cell, which of the regions it belongs to."""
    regions: list[Region]
    """Cells that hang together and read the same, the largest first; `value` is their sentence in `texts`."""
    shells: Float[ndarray, "n n"]
    """How far |z| is from that of prior samples, in their standard deviations."""
    nearest: Int[ndarray, "n n"] | None
    """The row of the nearest sentence of the run, in all dimensions; none for a model without sentences."""
    apart: Float[ndarray, "n n"] | None
    """How far away that is."""
    prior: tuple[float, float]
    """The middle of the prior on the plane."""
    aggregate: Float[ndarray, "n n"] | None
    """Density of the aggregate posterior over the level above which `SHARE` of it lies: there it is more than 1."""

    @property
    def holes(self) -> Int[ndarray, "n n"]:
        """1 where there is prior and no aggregate posterior, -1 where it is the other way, 0 elsewhere."""
        if self.aggregate is None:
            return np.zeros_like(self.cells)
        far = np.linalg.norm(self.window.places - self.prior, axis=1).reshape(self.cells.shape)
        found: ndarray = (far < planes.RADIUS).astype(int) - (self.aggregate > 1)
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Pin:
    """A place of a plane that is looked at closely."""

    place: tuple[float, float]
    code: Float[ndarray, " latent"]
    text: str
    shell: float
    near: list[tuple[str, float]]
    """The nearest sentences with their distances, nearest first; empty for a model without sentences."""

    @property
    def nearest(self) -> tuple[str, float] | None:
        """The nearest of all."""
        return self.near[0] if self.near else None


def plane_sentences(of: Model) -> Codes | None:
    """The sentences of a run as its model encodes them; none where there are none.

    The run keeps those of its last weights. For a snapshot the first 2,000 are encoded anew, once.
    """
    if (run := of.run) is None or not run.latents_path.is_file():
        return None
    known = maps.codes(of)
    return known if of.snapshot is None else _encoded(of, of.weights, mark(run.latents_path), known)


def dimension_kl(of: Model) -> Float[ndarray, " latent"] | None:
    """Mean KL of each dimension over the sentences, nats; none where there are none."""
    if (known := plane_sentences(of)) is None:
        return None
    from vae import latents

    per_dimension: ndarray = latents.kl_per_dim(known.means, known.logvars).mean(0)
    return per_dimension


def plane(of: Model, cut: Cut) -> Plane:
    """The plane that a cut means; a `ValueError` where there is none."""
    if cut.kind == "principal":
        if (known := plane_sentences(of)) is None:
            raise ValueError(f"{of.name} has no sentences, so it has no principal axes: choose two dimensions.")
        return planes.principal(known.means)
    if cut.kind == "dimensions":
        through = models.encode(of, cut.texts[0])[0] if cut.texts else None
        return planes.dimensions(*cut.pair, models.latent_size(of), through)
    return planes.through(*plane_spanning(of, cut), names=SPANNING)


def plane_spanning(of: Model, cut: Cut) -> list[Float[ndarray, " latent"]]:
    """The three codes that a plane is laid through; none for the other kinds."""
    if cut.kind == "samples":
        return list(models.prior(of, 3, cut.seed))
    if cut.kind == "sentences":
        for number, text in enumerate(cut.texts, 1):
            if not text.strip():
                raise ValueError(f"Sentence {number} of the plane is empty: type some words.")
        return [models.encode(of, text)[0] for text in cut.texts]
    return []


def plane_window(x: float, y: float, width: float, n: int = CELLS) -> Window:
    """The window nearest to the one asked for, whose cells have their middles at whole thousandths."""
    return planes.window(x, y, width, n)


def plane_whole(of: Model, surface: Plane, spans: Sequence[ndarray] = (), n: int = CELLS) -> Window:
    """The window that a plane is first seen through: nearly all sentences, the prior, and what spans the plane."""
    known = plane_sentences(of)
    return planes.whole(surface, None if known is None else known.means, spans, n)


def plane_field(of: Model, surface: Plane, part: Window) -> Field:
    """A window of a plane, decoded piece by piece; kept for its weights, plane and window."""
    marks = mark(of.run.latents_path) if of.run else (0, 0)
    content = surface.origin.tobytes() + surface.axes.tobytes()
    return _field(of, of.weights, marks, content, part, surface)


def plane_pins(of: Model, surface: Plane, places: Sequence[tuple[float, float]]) -> list[Pin]:
    """What is to be said about places of a plane."""
    if not places:
        return []
    codes = surface.code(np.array(places)).astype(np.float32)
    shells, near = _shells(codes), _near(of, codes, NEAR)
    return [
        Pin(
            place=places[row],
            code=codes[row],
            text=models.decode(of, codes[row : row + 1], alone=True)[0],
            shell=shells[row],
            near=near[row] if near else [],
        )
        for row in range(len(codes))
    ]


def plane_walk(of: Model, a: Pin, b: Pin, steps: int = 11) -> Walk:
    """The straight walk from one pin to another, which lies in their plane."""
    torch = models.load_torch()
    from vae import explore

    path = explore.interpolate(torch.tensor(a.code), torch.tensor(b.code), steps).numpy()
    return Walk(
        places=np.linspace(0, 1, steps).round(6).tolist(),
        codes=path,
        texts=models.decode(of, path),
        shells=_shells(path),
        nearest=[first for first, *_ in _near(of, path, 1)],
    )


def plane_python(of: Model, cut: Cut, part: Window, places: Sequence[tuple[float, float]], steps: int = 11) -> str:
    """The same in Python, to be copied: the sentences of the window, those of the pins, and the walk from A to B."""
    source = shell.source(of.source)
    weights = f", snapshot={of.snapshot}" if of.snapshot is not None else ""
    half = round(part.width / 2, 6)
    bounds = ", ".join(f"{value:g}" for value in (part.x - half, part.x + half, part.y - half, part.y + half))
    lines = ["from collections import Counter", "", "import torch", "import vae", "from vae import planes"]
    if cut.kind == "principal":
        lines += ["from vae.latents import read_latents", "from vae.runs import Run"]
    lines += ["", f"space = vae.load({source!r}{weights})", *_plane_python(of, cut, source)]
    lines += [
        "",
        f"places = planes.centres(({bounds}), {part.n}).round(3)",
        "said = space.decode(torch.tensor(plane.code(places), dtype=torch.float32))",
        "for sentence, cells in Counter(said).most_common():",
        "    print(cells, sentence)",
    ]
    if places:
        lines += [
            "",
            f"pins = torch.tensor(plane.code({[list(place) for place in places]}), dtype=torch.float32)",
            "for pin in pins:",
            "    print(*space.decode(pin[None]))",
        ]
    if len(places) > 1:
        lines += [f"for sentence in space.decode(space.interpolate(pins[0], pins[1], steps={steps})):"]
        lines += ["    print(sentence)"]
    return "\n".join(lines)


def plane_command(of: Model, cut: Cut, part: Window, places: Sequence[tuple[float, float]], steps: int = 11) -> str:
    """The same from a terminal: a line for the regions of the window, one for the pins and the walk from A to B."""
    words = ["python", "-m", "vae", "plane", shell.source(of.source), *_cut_words(cut)]
    words += ["--snapshot", str(of.snapshot)] * (of.snapshot is not None)
    seen = [f"{value:g}" for value in (part.x, part.y, round(part.width, 6))]
    lines = [[*words, "--cells", str(part.n), "--window", *seen]]
    if places:
        lines.append([*words, *(word for x, y in places for word in ("--at", f"{x:g}", f"{y:g}"))])
        lines[-1] += ["--steps", str(steps)] * (len(places) > 1)
    return "\n".join(shell.line(line) for line in lines)


def _cut_words(cut: Cut) -> list[str]:
    texts = [shell.value(text) for text in cut.texts]
    if cut.kind == "dimensions":
        return ["--dimensions", *map(str, cut.pair), *(["--through", *texts] if texts else [])]
    if cut.kind == "samples":
        return ["--draws", "--seed", str(cut.seed)]
    return ["--texts", *texts] if cut.kind == "sentences" else ["--principal"]


def _plane_python(of: Model, cut: Cut, source: str) -> list[str]:
    texts = [text.strip() for text in cut.texts]
    if cut.kind == "dimensions":
        through = f", space.encode([{texts[0]!r}]).mean[0].numpy()" if texts else ""
        return [f"plane = planes.dimensions({cut.pair[0]}, {cut.pair[1]}, space.latent_size{through})"]
    if cut.kind == "samples":
        return [f"plane = planes.through(*space.sample_prior(3, seed={cut.seed}).numpy())"]
    if cut.kind == "sentences":
        return [
            f"codes = [space.encode([text]).mean[0].numpy() for text in {texts!r}]",
            "plane = planes.through(*codes)",
        ]
    if of.snapshot is None:
        return [f"plane = planes.principal(read_latents(Run({source!r})).means)"]
    return [
        f"texts = read_latents(Run({source!r})).frame['text'].astype(str).tolist()[:{ENCODED}]",
        "plane = planes.principal(space.encode(texts).mean.numpy())",
    ]


def _shells(codes: Float[ndarray, "n latent"]) -> list[float]:
    torch = models.load_torch()
    from vae import explore

    return explore.shell(torch.tensor(codes)).tolist()


def _near(of: Model, codes: Float[ndarray, "n latent"], count: int) -> list[list[tuple[str, float]]]:
    from vae import latents

    if (known := plane_sentences(of)) is None:
        return []
    rows, distances = latents.nearest(known.means, codes, min(count, len(known.texts)))
    return [
        [(known.texts[row], far) for row, far in zip(*found, strict=True)]
        for found in zip(rows.tolist(), distances.tolist(), strict=True)
    ]


@st.cache_resource(max_entries=32, show_spinner=False)
def _field(
    of: Model, weights: tuple[int, int], marks: tuple[int, int], content: bytes, part: Window, _surface: Plane
) -> Field:
    from vae import latents

    shape = (part.n, part.n)
    codes = _surface.code(part.places).astype(np.float32)
    said = models.decode(of, codes)
    texts, cells = planes.ranked(said, part.n)
    region, regions = planes.regions(cells)
    found: dict[str, Any] = {"nearest": None, "apart": None, "aggregate": None}
    if (known := plane_sentences(of)) is not None:
        rows, distances = latents.nearest(known.means, codes, 1)
        density = planes.aggregate_density(_surface, part.places, known.means, known.logvars)
        level = _level(of, weights, marks, content, _surface)
        found = {
            "nearest": rows.reshape(shape),
            "apart": distances.reshape(shape),
            "aggregate": (density / level).reshape(shape),
        }
    return Field(
        window=part,
        texts=texts,
        cells=cells,
        region=region,
        regions=regions,
        shells=np.array(_shells(codes)).reshape(shape),
        prior=tuple(_surface.place(np.zeros((1, len(_surface.origin))))[0].tolist()),
        **found,
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _level(of: Model, weights: tuple[int, int], marks: tuple[int, int], content: bytes, _surface: Plane) -> float:
    """Of a plane, not of its windows: an outline must not change where one looks closely."""
    known = plane_sentences(of)
    assert known is not None, "its field has seen them"
    return planes.aggregate_level(_surface, known.means, known.logvars, SHARE)


@st.cache_resource(max_entries=8, show_spinner="Encoding the sentences with these weights …")
def _encoded(of: Model, weights: tuple[int, int], marks: tuple[int, int], _known: Codes) -> Codes:
    from vae import latents

    texts = _known.texts[:ENCODED]
    posterior = Turns(models.space(of)).encode(texts)
    means, logvars = posterior.mean.numpy(), posterior.logvar.numpy()
    return Codes(
        labels=_known.labels.iloc[:ENCODED],
        texts=texts,
        means=means,
        logvars=logvars,
        words=_known.words[:ENCODED],
        kl_nats=latents.kl_per_dim(means, logvars).sum(1),
    )
