"""The command plane: an exact plane through latent space, read at places or cell by cell."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vae import tables
from vae.cli.reading import Reader, reader, stated
from vae.cli.shared import Answer

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from vae.planes import Plane, Window


def plane(options: argparse.Namespace) -> Answer:
    """Read a plane through latent space: the sentences at places of it, or its regions."""
    if options.through is not None and not options.dimensions:
        raise ValueError("--through has no effect without --dimensions: leave it out, or name two dimensions.")
    if options.seed is not None and not options.draws:
        raise ValueError("--seed has no effect without --draws: leave it out, or lay the plane through three draws.")
    if options.steps is not None and len(options.at) < 2:
        raise ValueError("--steps needs two places to walk between: give --at twice.")
    if options.at and (options.window or options.cells):
        raise ValueError("--window and --cells have no effect on --at: leave them out, or the places.")
    source = reader(options)
    surface, spans = _surface(options, source)
    if options.at:
        return _places(source, surface, options)
    return _grid(source, surface, _window(options, source, surface, spans), options.csv)


def _surface(options: argparse.Namespace, source: Reader) -> tuple[Plane, Sequence[Float[ndarray, " latent"]]]:
    """The plane that is asked for, and the codes that it is laid through."""
    from vae import planes

    if options.dimensions:
        through = None if options.through is None else source.mean(options.through)
        i, j = options.dimensions
        return planes.dimensions(i, j, source.space.latent_size, through), []
    if options.texts or options.draws:
        spans = [source.mean(text) for text in options.texts or ()]
        a, b, c = spans or source.space.sample_prior(3, options.seed or 0).numpy()
        return planes.through(a, b, c, names="123"), [a, b, c]
    if source.known is None:
        raise ValueError(f"{source.name} has no encoded sentences, so no principal axes: name two --dimensions.")
    return planes.principal(source.known.means), []


def _window(
    options: argparse.Namespace, source: Reader, surface: Plane, spans: Sequence[Float[ndarray, " latent"]]
) -> Window:
    """The part of the plane that is asked for; without that, the one which the page shows first."""
    from vae import planes

    n = options.cells or 9
    if not options.window:
        return planes.whole(surface, source.known.means if source.known else None, spans, n)
    x, y, width = options.window
    if not width > 0:
        raise ValueError(f"A window of the width {width:g} has no cells: give --window X Y WIDTH, the last above 0.")
    return planes.window(x, y, width, n)


def _places(source: Reader, surface: Plane, options: argparse.Namespace) -> Answer:
    """Each place is read alone: where a released defect is replayed, codes that are decoded together mix."""
    import numpy as np
    import torch

    codes = surface.code(np.array(options.at)).astype(np.float32)
    rows = [{"x": x, "y": y} | source.look(code[None])[0] for (x, y), code in zip(options.at, codes, strict=True)]
    if options.csv:
        return Answer(None, tables.comma_separated(rows).rstrip("\n"))
    document: dict[str, Any] = {"axes": list(surface.names), "at": rows}
    words = [f"({row['x']:g}, {row['y']:g})  {stated(row)}" for row in rows]
    if options.steps:
        path = source.space.interpolate(torch.tensor(codes[0]), torch.tensor(codes[1]), options.steps)
        places = np.linspace(0, 1, options.steps).round(6).tolist()
        said = list(zip(places, source.space.decode(path), strict=True))
        document["path"] = [{"t": t, "text": text} for t, text in said]
        words += [f"{t:6.2f}  {text}" for t, text in said]
    return Answer(document, "\n".join(words))


def _grid(source: Reader, surface: Plane, window: Window, csv: bool) -> Answer:
    """The sentence at the middle of every cell, and cells that hang together and read the same as regions."""
    import numpy as np
    import torch

    from vae import planes

    places = window.places.tolist()
    said = source.space.decode(torch.tensor(surface.code(window.places).astype(np.float32)))
    texts, cells = planes.ranked(said, window.n)
    region, found = planes.regions(cells)
    rows = [
        {"x": x, "y": y, "region": number, "text": text}
        for (x, y), number, text in zip(places, region.ravel().tolist(), said, strict=True)
    ]
    if csv:
        return Answer(None, tables.comma_separated(rows).rstrip("\n"))
    regions = []
    for each in found:
        x, y = places[each.row * window.n + each.column]
        share = each.size / window.n**2
        regions.append({"cells": each.size, "share": share, "x": x, "y": y, "text": texts[each.value]})
    document = {
        "axes": list(surface.names),
        "window": {"x": window.x, "y": window.y, "width": round(window.width, 6), "cells": window.n},
        "cells": rows,
        "regions": regions,
    }
    lines = [[f"{100 * each['share']:.1f} %", f"{each['x']:.3f}", f"{each['y']:.3f}", each["text"]] for each in regions]
    head = (
        f"{len(texts)} different sentences in {len(found)} regions of {window.n} by {window.n} cells, "
        f"{surface.names[0]} by {surface.names[1]}. Of each region its share, a place well inside, and its sentence:"
    )
    return Answer(document, "\n".join([head, tables.aligned(lines, right=(0, 1, 2))]))
