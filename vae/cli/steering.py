"""Commands that steer codes: traverse, arithmetic, neighbours."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae.cli.reading import Reader, reader, stated
from vae.cli.shared import Answer, last_figures

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def traverse(options: argparse.Namespace) -> Answer:
    """Turn dimensions of one code: its sentence, the strip along a dimension, or the ends of all strips."""
    changes = dict(options.set)
    if options.dimension is None and options.steps is not None:
        raise ValueError("--steps has no effect without --dimension: leave it out, or name a dimension.")
    if options.dimension is None and changes and options.reach is not None:
        raise ValueError("--reach has no effect on one sentence: leave it out, or name a --dimension.")
    source = reader(options)
    from vae import traversals

    base = source.start(options)
    z = traversals.moved(base, changes)
    if options.dimension is not None:
        found = _strip(source, base, z, options)
    else:
        found = _sentence(source, z) if changes else _ends(source, z, options.reach)
    return Answer({"z": [traversals.short(value) for value in z], **found.document}, found.words)


def _sentence(source: Reader, z: Float[ndarray, " latent"]) -> Answer:
    (row,) = source.look(z[None])
    return Answer(row, stated(row))


def _strip(
    source: Reader, base: Float[ndarray, " latent"], z: Float[ndarray, " latent"], options: argparse.Namespace
) -> Answer:
    """The stops of one dimension: even ones, the present value and the one it starts from."""
    import torch

    from vae import explore, traversals

    dimension = options.dimension
    if dimension >= len(z):
        raise ValueError(f"There is no dimension {dimension} in a code of {len(z)}: choose one from 0 to {len(z) - 1}.")
    own = traversals.short(z[dimension])
    values = traversals.stops(
        options.reach or _reach(source)[dimension],
        own,
        traversals.short(base[dimension]),
        count=options.steps or traversals.VALUES,
    )
    texts = source.space.decode(explore.traverse(torch.tensor(z), dimension, values))
    said = list(zip(values, texts, strict=True))
    document = {"dimension": dimension, "strip": [{"value": value, "text": text} for value, text in said]}
    return Answer(document, "\n".join(f"{'>' if value == own else ' '} {value:+6.2f}  {text}" for value, text in said))


def _ends(source: Reader, z: Float[ndarray, " latent"], reach: float | None) -> Answer:
    """The sentence, and every dimension with the two ends of its strip, the dimension of the largest KL first."""
    import torch

    from vae import explore, traversals

    far = _reach(source) if reach is None else [reach] * len(z)
    order = traversals.by_kl(_kl(source), len(z))
    codes = [explore.traverse(torch.tensor(z), dimension, [-far[dimension], far[dimension]]) for dimension, _ in order]
    text, *texts = source.space.decode(torch.cat([torch.tensor(z[None]), *codes]))
    rows, words = [], [text]
    for (dimension, kl), low, high in zip(order, texts[::2], texts[1::2], strict=True):
        ends = [{"value": -far[dimension], "text": low}, {"value": far[dimension], "text": high}]
        rows.append({"dimension": dimension, "kl_nats": kl, "ends": ends})
        heads = (f"z{dimension}", "" if kl is None else f"KL {kl:.2f}")
        for head, end in zip(heads, ends, strict=True):
            words.append(f"{head:<8} {end['value']:+6.2f}  {end['text']}")
    return Answer({"text": text, "dimensions": rows}, "\n".join(words))


def _kl(source: Reader) -> list[float]:
    """The mean KL of each dimension, nats: of the newest check, else of the codes; empty where there is neither."""
    from vae import latents

    if source.run and source.snapshot is None:
        newest: list[float] = last_figures(source.run).get("kl_per_dim_nats") or []
        if len(newest) == source.space.latent_size:
            return newest
    if source.known is None:
        return []
    found: list[float] = latents.kl_per_dim(source.known.means, source.known.logvars).mean(0).tolist()
    return found


def _reach(source: Reader) -> list[float]:
    from vae import traversals

    if source.known is None:
        return [traversals.REACH] * source.space.latent_size
    return traversals.reach(source.known.means, source.known.logvars)


def arithmetic(options: argparse.Namespace) -> Answer:
    """Calculate with codes: A - B + C, or a sentence moved by the way from some examples to others."""
    three = (options.a, options.b, options.c)
    start, end = _side(options, "from"), _side(options, "to")
    moved = (start, end, options.add_to)
    given = [[each is not None for each in asked] for asked in (three, moved)]
    if sorted(map(sum, given)) != [0, 3]:
        raise ValueError(
            "Give three sentences, --a --b --c; or two groups of examples and a sentence, --from --to --add-to."
        )
    return _calculated(options, None if start is None or end is None else (start, end))


def _calculated(options: argparse.Namespace, groups: tuple[tuple[str, Any], tuple[str, Any]] | None) -> Answer:
    """The sentence at every strength."""
    source = reader(options)
    import torch

    from vae import explore

    document: dict[str, Any] = {}
    if groups is None:
        plus, minus, code = (torch.tensor(source.mean(text)) for text in (options.a, options.b, options.c))
    else:
        start, end = (torch.tensor(_codes(source, *side)) for side in groups)
        plus, minus, code = end.mean(0), start.mean(0), torch.tensor(source.mean(options.add_to))
        document = {"sizes": [len(start), len(end)], "length": float(explore.direction(start, end).norm())}
    along = options.strength or [1.0]
    codes = torch.stack([explore.analogy(code, plus=plus, minus=minus, strength=strength) for strength in along])
    rows = [{"strength": at} | row for at, row in zip(along, source.look(codes.numpy()), strict=True)]
    document["sentences"] = rows
    return Answer(document, "\n".join(f"{row['strength']:+.2f}  {row['text']}" for row in rows))


def _side(options: argparse.Namespace, side: str) -> tuple[str, Any] | None:
    """The examples of one side: how they are given, and what; none where they are not."""
    given = {kind: getattr(options, f"{side}_{kind}") for kind in ("file", "text", "label")}
    return next(((kind, value) for kind, value in given.items() if value is not None), None)


def _codes(source: Reader, kind: str, given: Any) -> Float[ndarray, "n latent"]:
    """The mean codes of a group of examples."""
    if kind == "label":
        return _labelled(source, *given)
    texts = [text.strip() for text in (_listed(Path(given)) if kind == "file" else given)]
    texts = [text for text in texts if text]
    if not texts:
        raise ValueError("A group of examples is empty: give at least one sentence.")
    codes: ndarray = source.space.encode(texts).mean.numpy()
    return codes


def _labelled(source: Reader, label: str, value: str) -> Float[ndarray, "n latent"]:
    """The codes of the run's sentences whose label has a value; those without one have `none`."""
    if source.known is None:
        raise ValueError(f"{source.name} has no encoded sentences, so no labels: give files of examples.")
    frame = source.known.frame.drop(columns="text")
    if label not in frame:
        raise ValueError(f"There is no label {label!r}: choose from {', '.join(frame) or 'none'}.")
    values = frame[label].astype("string").fillna("none").replace("", "none")
    rows = (values == value).to_numpy(bool)
    if not rows.any():
        known = ", ".join(values.value_counts().index[:12])
        raise ValueError(f"No sentence has {value!r} as its {label}: there are {known}.")
    codes: ndarray = source.known.means[rows]
    return codes


def _listed(path: Path) -> list[str]:
    """The sentences of a file."""
    from vae.corpora import files

    if not path.is_file():
        raise ValueError(f"{path} is not a file: check the path.")
    if path.suffix.lower() not in files.READERS:
        raise ValueError(f"{path.name} ends in {path.suffix!r}: known endings are {' '.join(files.READERS)}.")
    table = dict(files.read_table(path))
    if "text" not in table:
        raise ValueError(
            f"{path.name} has no column 'text': it has {', '.join(map(str, table))}; rename the one with the sentences."
        )
    return [str(text) for text in table["text"] if text is not None]


def neighbours(options: argparse.Namespace) -> Answer:
    """List the sentences of a run whose codes lie nearest to a code."""
    source = reader(options)
    if source.known is None:
        raise ValueError(f"{source.name} has no encoded sentences to search: they are written when training ends.")
    from vae import latents

    count = min(options.k, len(source.known.means))
    indices, distances = latents.nearest(source.known.means, source.start(options)[None], count)
    texts = source.texts
    rows = [
        {"row": row, "distance": round(far, 4), "text": texts[row]}
        for row, far in zip(indices[0].tolist(), distances[0].tolist(), strict=True)
    ]
    return Answer({"neighbours": rows}, "\n".join(f"{row['distance']:6.2f}  {row['text']}" for row in rows))
