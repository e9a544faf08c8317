"""Directions between codes, and what they do to sentences: A - B + C, and the difference of two groups' means."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from app.backend import maps, models, shell
from app.backend.models import Model
from app.backend.readings import Board, Dial, load_python, read
from vae import traversals

WITNESSES = 5
"""How many further sentences a direction is tried on."""
LISTED = 200
"""Most sentences of a group that are typed."""
LONGEST_LINE = 8000
"""Most characters of a command: Windows takes 8,191."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Sentences that have something in common: `texts`, some `rows` of the map, or all whose `label` has a `value`."""

    texts: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    label: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Direction:
    """From the mean code of one group to that of another."""

    sizes: tuple[int, int]
    """How many sentences there are in each."""
    length: float


def examples(text: str) -> tuple[str, ...]:
    """The sentences of a list with one a line; none or too many are a `ValueError`."""
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not found:
        raise ValueError("A list of examples is empty: type at least one sentence, one a line.")
    if len(found) > LISTED:
        raise ValueError(f"A list has {len(found):,} sentences: give at most {LISTED}, one a line.")
    return found


def strengths(low: float, high: float, step: float) -> list[float]:
    """The values of a slider of strength, zero among them."""
    return traversals.even(low, high, step)


def label_values(of: Model, label: str) -> dict[str, int]:
    """The values of a label and how many sentences have each, the most frequent first."""
    return maps.codes(of).labels[label].value_counts().to_dict()


def group_codes(of: Model, group: Group) -> Float[ndarray, "n latent"]:
    """The mean codes of a group's sentences."""
    if group.rows:
        return maps.codes(of).means[list(group.rows)]
    if not group.label:
        return models.encode_all(of, group.texts)
    known = maps.codes(of)
    return known.means[(known.labels[group.label] == group.value).to_numpy()]


def direction(of: Model, start: Group, end: Group) -> Direction:
    """How large two groups are, and how far their means lie apart."""
    sides = [group_codes(of, group) for group in (start, end)]
    length = float(np.linalg.norm(sides[1].mean(0) - sides[0].mean(0)))
    return Direction(sizes=(len(sides[0]), len(sides[1])), length=length)


def witnesses(of: Model, seed: int) -> list[int]:
    """Rows of the map drawn by a seed: the sentences that a direction is tried on. None without a map."""
    if not maps.has_codes(of):
        return []
    count = len(maps.codes(of).texts)
    return random.Random(seed).sample(range(count), min(WITNESSES, count))


def analogy(of: Model, plus: str, minus: str, text: str, along: Sequence[float], strength: float) -> Board:
    """A - B + C of three sentences, `plus` - `minus` + `text`, at every strength, in one batch."""
    for name, words in (("A", plus), ("B", minus), ("C", text)):
        if not words.strip():
            raise ValueError(f"{name} is an empty sentence: type some words.")
    codes = models.encode_all(of, (plus, minus, text))
    return _board(of, codes[2:], codes[0], codes[1], along, strength)


def steered(
    of: Model, start: Group, end: Group, text: str, rows: Sequence[int], along: Sequence[float], strength: float
) -> Board:
    """A sentence, and those of the map in `rows`, moved by the difference of two groups' means; in one batch."""
    if not text.strip():
        raise ValueError("There is no sentence to change: type some words.")
    plus, minus = group_codes(of, end).mean(0), group_codes(of, start).mean(0)
    codes = models.encode_all(of, (text,))
    if rows:
        codes = np.concatenate([codes, maps.codes(of).means[list(rows)]])
    return _board(of, codes, plus, minus, along, strength)


def analogy_python(of: Model, plus: str, minus: str, text: str, along: Sequence[float]) -> str:
    """A - B + C in Python, to be copied: a line for each strength."""
    return "\n".join(
        [
            "import torch",
            "import vae",
            "from vae.explore import analogy",
            "",
            load_python(of),
            f"a, b, c = space.encode({[plus.strip(), minus.strip(), text.strip()]!r}).mean",
            f"strengths = {list(along)!r}",
            "codes = torch.stack([analogy(c, plus=a, minus=b, strength=strength) for strength in strengths])",
            "for strength, sentence in zip(strengths, space.decode(codes)):",
            '    print(f"{strength:+.2f}  {sentence}")',
        ]
    )


def steered_python(of: Model, start: Group, end: Group, text: str, along: Sequence[float]) -> str:
    """One sentence moved by the difference of two groups' means in Python, to be copied."""
    of_map = bool(start.label or end.label or start.rows or end.rows)
    body = [load_python(of)]
    if of_map:
        body.append(f"codes = read_latents(Run({shell.source(of.source)!r}))")
    body += [f"start = {_group_python(start)}", f"end = {_group_python(end)}"]
    return "\n".join(
        [
            "import torch",
            "import vae",
            "from vae.explore import direction",
            *["from vae.latents import read_latents", "from vae.runs import Run"] * of_map,
            "",
            *body,
            f"z = space.encode([{text.strip()!r}]).mean",
            f"strengths = {list(along)!r}",
            "codes = z + torch.tensor(strengths)[:, None] * direction(start, end)",
            "for strength, sentence in zip(strengths, space.decode(codes)):",
            '    print(f"{strength:+.2f}  {sentence}")',
        ]
    )


def analogy_command(of: Model, plus: str, minus: str, text: str, along: Sequence[float]) -> str:
    """A - B + C from a terminal: a line for each strength."""
    words = ["--a", shell.value(plus), "--b", shell.value(minus), "--c", shell.value(text)]
    return _command(of, words, along)


def steered_command(of: Model, start: Group, end: Group, text: str, along: Sequence[float]) -> str | None:
    """One sentence moved by the difference of two groups' means from a terminal; none where that is no line to type.

    A terminal knows sentences of the map by their labels, not by their rows, and typed ones only while they are few.
    """
    if start.rows or end.rows:
        return None
    words = [*_group_words("from", start), *_group_words("to", end), "--add-to", shell.value(text)]
    line = _command(of, words, along)
    return line if len(line) <= LONGEST_LINE else None


def _command(of: Model, words: Sequence[str], along: Sequence[float]) -> str:
    """The line of the command `arithmetic`."""
    low, high, step = along[0], along[-1], round(along[1] - along[0], 6)
    assert traversals.even(low, high, step) == list(along), "strengths are those of a slider"
    return shell.line(
        ["python", "-m", "vae", "arithmetic", shell.source(of.source), *words, f"--strength={low:g}:{high:g}:{step:g}"]
    )


def _group_words(side: str, group: Group) -> list[str]:
    if group.label:
        return [f"--{side}-label={group.label}={group.value}"]
    return [word for text in group.texts for word in (f"--{side}-text", shell.value(text))]


def _group_python(group: Group) -> str:
    if group.rows:
        return f"torch.tensor(codes.means[{list(group.rows)!r}])"
    if not group.label:
        return f"space.encode({list(group.texts)!r}).mean"
    column = f'codes.frame[{group.label!r}].astype("string")'
    if group.value == "none":
        column += '.fillna("none").replace("", "none")'
    return f"torch.tensor(codes.means[({column} == {group.value!r}).fillna(False).to_numpy(bool)])"


def _board(
    of: Model,
    codes: Float[ndarray, "sentences latent"],
    plus: Float[ndarray, " latent"],
    minus: Float[ndarray, " latent"],
    along: Sequence[float],
    strength: float,
) -> Board:
    """Codes at every strength of plus - minus: the first under the slider, the others following it."""
    torch = models.load_torch()
    from vae import explore

    ends = {"plus": torch.tensor(plus), "minus": torch.tensor(minus)}
    moved = torch.stack(
        [explore.analogy(torch.tensor(codes), strength=value, **ends) for value in along], 1
    )  # (sentences, n, latent)
    n = len(along)
    own = min(range(n), key=lambda place: abs(along[place] - strength))
    rows = [list(range(n * sentence, n * (sentence + 1))) for sentence in range(len(codes))]
    dial = Dial(name="strength", values=list(along), rows=rows[0], own=own, base=list(along).index(0.0))
    return Board(
        reading=read(of, moved.flatten(0, 1).numpy()), own=own, base=dial.base, dials=[dial], followers=rows[1:]
    )
