"""Words of a typed sentence that a model does not know, to be said wherever its code is looked at."""

from __future__ import annotations

import streamlit as st

from app import backend
from app.components.sentences import escape

NAMED = 8
"""Most words that are named."""


def unread(model: backend.Model, *texts: str) -> None:
    """Say which words of these sentences are <unk> to a model, and which are in none of the sentences of its map."""
    unknown = backend.unknown_words(model, texts)
    if unknown:
        st.caption(f":material/help: {_listed(unknown)} not in the model's vocabulary: it reads \\<unk\\> instead.")
    unseen = [word for word in backend.unseen_words(model, texts) if word not in unknown]
    if unseen:
        st.caption(
            f":material/help: {_listed(unseen)} in none of the {len(backend.known_texts(model)):,} sentences of the "
            "map: the model has seldom or never read such words, and rebuilds what it knows instead."
        )


def _listed(words: list[str]) -> str:
    """The words with their verb."""
    named = [f"“{escape(word)}”" for word in words[:NAMED]]
    more = len(words) - len(named)
    if more:
        named.append(f"{more} more")
    if len(named) == 1:
        return f"{named[0]} is"
    return f"{', '.join(named[:-1])} and {named[-1]} are"
