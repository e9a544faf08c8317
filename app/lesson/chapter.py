"""What a chapter is, and the place that a reader has come to in the lesson, as the link keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app import backend


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One idea: a question to predict, a thing to do, what comes out, and what to remember."""

    slug: str
    """Its name in links."""
    title: str
    short: str
    """Its name in the list of chapters, so that all seven fit on a line."""
    minutes: int
    setting: str
    """What is to be known before the question, as Markdown."""
    question: str
    options: tuple[str, ...]
    answer: int
    """The index of the option that turns out to be so."""
    act: Callable[[], None]
    """Draws what the reader does or watches."""
    reveal: Callable[[], None]
    """Draws what came of it, with the figures of the runs themselves."""
    remember: str
    """One sentence to take home, as Markdown."""
    recipes: tuple[str, ...] = ()
    """Recipes of which a finished run has to be there."""
    runs: tuple[str, ...] = ()
    """Runs of the family that ships, by name, that have to be there."""

    @property
    def missing(self) -> list[str]:
        """Those recipes of which no finished run is there."""
        return [recipe for recipe in self.recipes if not there(recipe)]


@dataclass(frozen=True)
class Place:
    """How far a reader is in one chapter: what was predicted, if anything, and how much is shown."""

    guess: int | None = None
    shown: int = 0
    """0: the question. 1: what to do, too. 2: all."""

    @property
    def letter(self) -> str:
        """The place as one letter of a link: `-` before the question, `b` for its second option, `B` when all is shown.

        Who went on without predicting has `.`, and `,` when all is shown.
        """
        if self.guess is None:
            return "-.,"[self.shown]
        letter = chr(ord("a") + self.guess)
        return letter.upper() if self.shown == 2 else letter

    @classmethod
    def of(cls, letter: str, options: int) -> Place:
        """The inverse of `letter`; what means nothing is the beginning."""
        if letter in "-.," and letter:
            return cls(None, "-.,".index(letter))
        guess = ord(letter.lower()) - ord("a") if letter.isascii() and letter.isalpha() else -1
        return cls(guess, 1 + letter.isupper()) if 0 <= guess < options else cls()

    def on(self) -> Place:
        """One step further."""
        return replace(self, shown=min(2, self.shown + 1))

    def back(self) -> Place:
        """One step back; the prediction is taken back with the question."""
        return Place() if self.shown < 2 else replace(self, shown=1)


def read_places(text: str, chapters: Sequence[Chapter]) -> list[Place]:
    """The places in all chapters that a link tells of: a letter each; the beginning where it says nothing."""
    letters = text.ljust(len(chapters), "-")
    return [Place.of(letter, len(each.options)) for letter, each in zip(letters, chapters, strict=False)]


def write_places(places: Sequence[Place]) -> str:
    """The places in all chapters for a link; empty while nothing has begun."""
    return "".join(place.letter for place in places).rstrip("-")


def run_of(recipe: str) -> str:
    """The finished run of a recipe that the lesson shows: the bundled one, else the newest. None is a `ValueError`."""
    found = _run_of(recipe)
    if found is None:
        raise ValueError(f"This chapter needs a finished run of the recipe {recipe!r}: train one on the page Train.")
    return found


def there(recipe: str) -> bool:
    """Whether there is such a run."""
    return _run_of(recipe) is not None


def _run_of(recipe: str) -> str | None:
    able = [each for each in backend.entries() if each.recipe == recipe and each.state == "finished" and each.has_model]
    return next((each.name for each in sorted(able, key=lambda each: not each.bundled)), None)
