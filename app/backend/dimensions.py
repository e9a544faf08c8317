"""One code and the dimensions of z: which matter, what each changes, and what the labels tell about them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import streamlit as st
from jaxtyping import Float
from numpy import ndarray

from app.backend import history, maps, models, shell
from app.backend.models import Model, mark
from app.backend.readings import Board, Dial, Start, load_python, read, start_python
from vae import runs, traversals
from vae.traversals import FARTHEST, moved, short, stops

if TYPE_CHECKING:
    import pandas as pd

COUNTED = 2000
"""Most sentences that mutual information is estimated from: its cost grows faster than their number."""

_CHANGE = re.compile(r"(\d{1,6}):(-?\d{1,6}(?:\.\d{1,12})?(?:e-?\d{1,2})?)")


def dimensions_by_kl(of: Model) -> list[tuple[int, float | None]]:
    """Every dimension with its mean KL in nats, the most used first.

    From the newest check of the run, else from the codes of its sentences; without either, unknown and as they come.
    """
    size = models.latent_size(of)
    checks = history.kl_per_dimension(of.name) if of.run is not None and not of.name.startswith("~") else {}
    kl = checks[max(checks)] if checks else []
    if len(kl) != size and maps.has_codes(of):
        from vae import latents

        known = maps.codes(of)
        kl = latents.kl_per_dim(known.means, known.logvars).mean(0).tolist()
    return traversals.by_kl(kl, size)


def strips(of: Model, base: Float[ndarray, " latent"], changes: Mapping[int, float], shown: Sequence[int]) -> Board:
    """The present code and what each of some dimensions would make of it, all decoded in one batch."""
    torch = models.load_torch()
    from vae import explore

    z = moved(base, changes)
    spread = _reach(of)
    codes, dials = [z[None], base[None].astype(np.float32)], []
    count = 2
    for dimension in shown:
        own, was = short(z[dimension]), short(base[dimension])
        values = stops(spread[dimension], own, was)
        others = [value for value in values if value != own]
        codes.append(explore.traverse(torch.tensor(z), dimension, others).numpy())
        rows = iter(range(count, count := count + len(others)))
        dials.append(
            Dial(
                name=f"z{dimension}",
                values=values,
                rows=[0 if value == own else next(rows) for value in values],
                own=values.index(own),
                base=values.index(was),
            )
        )
    return Board(reading=read(of, np.concatenate(codes)), own=0, base=1, dials=dials, followers=[])


def parse_changes(text: str, size: int) -> dict[int, float]:
    """`3:1.25,7:-0.5` as dimensions and their values; anything else is a `ValueError`."""
    changes: dict[int, float] = {}
    for part in filter(None, text.split(",")):
        found = _CHANGE.fullmatch(part)
        if found is None or not abs(float(found[2])) <= FARTHEST:
            shown = part if len(part) <= 40 else part[:37] + "..."
            raise ValueError(f"{shown!r} is no dimension with a value from -100 to 100, such as 3:1.25.")
        changes[_dimension(found[1], size)] = short(float(found[2]))
    return changes


def parse_dimensions(text: str, size: int) -> set[int]:
    """`3,7` as dimensions; anything else is a `ValueError`."""
    return {_dimension(part, size) for part in text.split(",") if part}


def write_changes(
    changes: Mapping[int, float], base: Float[ndarray, " latent"] | None = None, locked: Collection[int] = ()
) -> str:
    """The changes as `parse_changes` reads them. What is as in the base is left out, unless it is locked to stay so."""
    return ",".join(
        f"{dimension}:{_digits(value)}"
        for dimension, value in sorted(changes.items())
        if base is None or dimension in locked or short(value) != short(base[dimension])
    )


def write_code(z: Float[ndarray, " latent"]) -> str:
    """A code as JSON, in the fewest digits that give it back exactly."""
    return f"[{', '.join(str(np.float32(value)) for value in z)}]"


def parse_code(text: str, size: int) -> dict[int, float]:
    """A code from JSON, by dimension; whatever is not a list of as many numbers is a `ValueError`."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list):
        raise ValueError(f"That is no code: paste a JSON list of {size} numbers, such as [0.5, -1.2, ...].")
    if len(values) != size:
        raise ValueError(f"That code has {len(values)} numbers, but z has {size} dimensions: paste one of this model.")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= FARTHEST:
            shown = json.dumps(value)
            shown = shown if len(shown) <= 40 else shown[:37] + "..."
            raise ValueError(f"{shown} is no value of a dimension: give numbers from -100 to 100.")
    return {dimension: short(float(value)) for dimension, value in enumerate(values)}


def dimensions_python(of: Model, start: Start, changes: Mapping[int, float], along: Dial) -> str:
    """The present code, its sentence and the strip of one dimension in Python, to be copied."""
    dimension = int(along.name[1:])
    lines = ["import torch"] * (start.kind == "zero")
    lines += ["import vae", "from vae.explore import traverse", "", load_python(of)]
    copied = ".clone()" if start.kind == "sentence" and changes else ""  # what an encoder returns cannot be written to
    lines += [f"z = {start_python(start)}{copied}"]
    lines += [f"z[{dimension}] = {value!r}" for dimension, value in sorted(changes.items())]
    lines += ["print(space.decode(z[None])[0])", ""]
    lines += [f"values = {along.values!r}", f"for sentence in space.decode(traverse(z, {dimension}, values)):"]
    return "\n".join([*lines, "    print(sentence)"])


def dimensions_command(of: Model, start: Start, changes: Mapping[int, float], along: Dial) -> str:
    """The present code, and the strip of one dimension, from a terminal: a line each."""
    words = ["python", "-m", "vae", "traverse", shell.source(of.source), *_start_words(start)]
    words += [f"--set={dimension}={_digits(value)}" for dimension, value in sorted(changes.items())]
    words += ["--snapshot", str(of.snapshot)] * (of.snapshot is not None)
    return "\n".join(shell.line(words + more) for more in ([], ["--dimension", along.name[1:]])[not changes :])


def _start_words(start: Start) -> list[str]:
    if start.kind == "sentence":
        return ["--text", shell.value(start.text)]
    return ["--zero"] if start.kind == "zero" else ["--seed", str(start.seed)]


def association(of: Model, figure: Literal["r2", "mi_nats"]) -> pd.DataFrame:
    """What each label of a run's sentences tells about each dimension: `vae.probes` on all means.

    A row for each label and dimension, with the columns label, dimension, value and limit: for `mi_nats` the entropy of
    the label, for `r2` what a label that tells nothing scores on average. Empty for a corpus without labels.
    """
    run = of.run
    assert run is not None, "only runs have codes with labels"
    return _association(str(run.path), mark(run.latents_path), figure)


def association_python(of: Model) -> str:
    """The same in Python, to be copied."""
    return "\n".join(
        [
            "from vae.latents import read_latents",
            "from vae.probes import association",
            "from vae.runs import Run",
            "",
            f"codes = read_latents(Run({shell.source(of.source)!r}))",
            'found = association(codes.means, codes.frame.drop(columns="text"))',
            "for label, r2, mi in zip(found.labels, found.r2, found.mi_nats):",
            '    print(f"{label}: R2 at most {r2.max():.2f}, in z{r2.argmax()}; MI at most {mi.max():.2f} nats, '
            'in z{mi.argmax()}")',
        ]
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _association(path: str, mark: tuple[int, int], figure: Literal["r2", "mi_nats"]) -> pd.DataFrame:
    import pandas as pd

    from vae import latents, probes

    known = latents.read_latents(runs.Run(path))
    labels = known.frame.drop(columns="text").astype("string").fillna("none").replace("", "none")
    means = known.means
    if figure == "mi_nats" and len(means) > COUNTED:
        rows = np.random.default_rng(0).choice(len(means), COUNTED, replace=False)
        means, labels = means[rows], labels.iloc[rows]
    found = []
    for label in labels:
        groups = probes.numbered(labels[label].tolist())
        if figure == "r2":
            values, limit = probes.correlation_ratio(means, groups), probes.correlation_ratio_by_chance(groups)
        else:
            values, limit = probes.mutual_information(means, groups), probes.entropy(groups)
        found += [(str(label), dimension, value, limit) for dimension, value in enumerate(values.tolist())]
    return pd.DataFrame(found, columns=["label", "dimension", "value", "limit"])


def _reach(of: Model) -> list[float]:
    """How far each dimension is traversed."""
    size = models.latent_size(of)
    if not maps.has_codes(of) or maps.codes(of).means.shape[1] != size:
        return [traversals.REACH] * size
    known = maps.codes(of)
    return traversals.reach(known.means, known.logvars)


def _digits(value: float) -> str:
    """As few digits as name the value, without a needless .0."""
    return str(np.float32(value)).removesuffix(".0")


def _dimension(text: str, size: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) < size):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise ValueError(f"There is no dimension {shown!r} in a code of {size}: choose from 0 to {size - 1}.")
    return int(text)
