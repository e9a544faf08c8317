"""Colours of runs: few, told apart by colour-blind readers, and seen on light and dark ground: 3:1 on either.

A run keeps its colour on every page and from day to day; which run has which is kept by the backend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

PALETTE: tuple[str, ...] = (
    "#2F7FC1",  # blue
    "#CD8000",  # orange
    "#12936A",  # green
    "#D2502B",  # vermilion
    "#C17D9F",  # pink
    "#A69047",  # sand
    "#9457C9",  # violet
    "#8E7565",  # taupe
)

QUIET = "#8A8F96"
"""Lines that should be seen second, on either ground: ceilings, ends of phases."""

REC, KL = "#BE6414", "#5B5CF5"
"""The two terms of the ELBO, wherever both are shown: in a formula, beside each other in a figure, in words. KL is in a
blue that no run has: bars of terms stand beside points of runs."""

PARTS = ("#61676E", "#90959B")
"""What a whole is made of, in a figure among others whose colours are runs: two greys that no run has."""

FAINT = "#797D83"
"""Words inside a figure, as legible on the light ground as on the dark one: no colour is more so on both."""

TERMS_OF_THE_ELBO: Mapping[str, str] = {"rec": "orange", "kl": "violet"}
"""The two terms in formulas and in what is said about them: colours of the theme, which knows its ground."""


def allot(names: Iterable[str], kept: Mapping[str, int]) -> dict[str, int]:
    """The palette's index of every name: what it had before, else the least used one. Names that are gone are dropped.

    A colour is given out again only when every other is in use at least as often.
    """
    wanted = list(names)
    allotted = {name: kept[name] for name in wanted if kept.get(name) in range(len(PALETTE))}
    used = Counter(allotted.values())
    for name in wanted:
        if name not in allotted:
            allotted[name] = min(range(len(PALETTE)), key=lambda index: (used[index], index))
            used[allotted[name]] += 1
    return allotted
