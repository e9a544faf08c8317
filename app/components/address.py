"""What the URL asks for. Bound widgets pass over what they cannot show; here it is said, once, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import streamlit as st

from app.components.sentences import escape


class Between(NamedTuple):
    """The numbers that a widget can show."""

    low: float
    high: float

    def __contains__(self, text: object) -> bool:
        try:
            return self.low <= float(str(text)) <= self.high
        except ValueError:
            return False


SWITCH = ("true", "false")
"""What a toggle has in the URL."""


def heed(known: Mapping[str, Sequence[str] | Between]) -> None:
    """Say which parameters of the URL ask for something that there is not. To be called before their widgets."""
    unknown = [
        f"{key}={text if len(text) <= 40 else text[:37] + '...'}"
        for key, allowed in known.items()
        for text in st.query_params.get_all(key)
        if text not in allowed
    ]
    if unknown:
        st.warning(
            f"The address asks for {escape(', '.join(unknown))}, which does not exist here: "
            "the usual value is shown instead.",
            icon=":material/search_off:",
        )
