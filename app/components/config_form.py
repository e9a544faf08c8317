"""The form of a configuration, made from its fields: a widget for each, with the sentence that explains it.

Values live in session state under `state.knob(section, field)` and survive a change of page. Out of bounds is not
cut off in the browser: `vae.config` answers it with a sentence, and the field keeps what was typed.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import backend, state

BASIC = {
    "model": {"latent_size": "Size of the code z"},
    "train": {"seed": "Seed of training"},
    "phase1": {"epochs": "Epochs", "token_deletion": "Noise"},
    "phase2": {
        "epochs": "Epochs",
        "token_deletion": "Noise",
        "free_bits_per_dimension": "Free bits a dimension",
        "kl_weight": "KL weight",
    },
}
"""The fields that most people change, with their labels; each stands at the top and not in its section."""

LABELS = {("data", "seed"): "Seed of the text"}
"""Further fields whose name alone would not say enough."""

ELSEWHERE = (("data", "corpus"), ("model", "base"))
"""Fields that have a part of the page to themselves."""

HEADINGS = {
    "data": "Text",
    "model": "Model",
    "pretrain": "Phase 0",
    "lstm": "LSTM",
    "phase1": "Phase 1",
    "phase2": "Phase 2",
    "train": "Training and reports",
}


def fill(settings: backend.Config, *, keep_text: bool = False) -> None:
    """Put a configuration into the form; if wished, without touching the text that was chosen."""
    st.session_state[state.TRAIN_FILLED] = settings.recipe
    for section in backend.SECTIONS:
        for name, knob in backend.knobs(section).items():
            value = getattr(getattr(settings, section), name)
            if knob.kind == "float" and value is not None:
                value = float(value)
            st.session_state[state.knob(section, name)] = list(value) if knob.kind == "parts" else value
    if not keep_text:
        kind, _, rest = settings.data.corpus.partition(":")
        st.session_state[state.TRAIN_TEXT] = {"file": "path", "hub": "hub"}.get(kind, "captions")
        st.session_state[state.TRAIN_HUB if kind == "hub" else state.TRAIN_PATH] = rest
    bundled = settings.model.base in ("starter", "fresh")
    st.session_state[state.TRAIN_BASE] = settings.model.base if bundled else "other"
    st.session_state[state.TRAIN_BASE_ID] = "" if bundled else settings.model.base


def basics(section: str) -> None:
    """The fields of a section that most people change."""
    for name, label in BASIC[section].items():
        field(section, name, label)


def is_lstm() -> bool:
    """Whether the form describes an LSTM, which starts from no base."""
    return st.session_state.get(state.knob("model", "backbone")) == "lstm"


def others(fresh: bool) -> None:
    """All other fields, a section a tab; phase 0 and the LSTM's sizes only where there is one."""
    idle = {"pretrain": is_lstm() or not fresh, "lstm": not is_lstm()}
    shown = [section for section in backend.SECTIONS if not idle.get(section)]
    for section, tab in zip(shown, st.tabs([HEADINGS[section] for section in shown]), strict=True):
        with tab, st.grid(3, min_column_width=230):
            for name in backend.knobs(section):
                if name not in BASIC.get(section, {}) and (section, name) not in ELSEWHERE:
                    field(section, name)


def values() -> dict[str, dict[str, Any]]:
    """What the form says, by section."""
    return {
        section: {name: st.session_state.get(state.knob(section, name)) for name in backend.knobs(section)}
        for section in backend.SECTIONS
    }


def in_words(problem: str) -> str:
    """A sentence about a field, with the field's label before its name in the files."""
    for section in backend.SECTIONS:
        for name in backend.knobs(section):
            path = f"{section}.{name}"
            if problem.startswith((f"{path}=", f"{path} ")):
                label = BASIC.get(section, {}).get(name) or _label(section, name)
                where = f"{HEADINGS[section]}, " if section.startswith("phase") else ""
                return f"{where}{label}: {problem}"
    return problem


def _label(section: str, name: str) -> str:
    return LABELS.get((section, name)) or name.replace("_", " ").capitalize().replace("Kl ", "KL ")


def field(section: str, name: str, label: str | None = None) -> None:
    """The widget of one field."""
    knob = backend.knobs(section)[name]
    label = label or _label(section, name)
    help_text = f"{knob.help}\n\n`{section}.{name}`"
    common: dict[str, Any] = {"key": state.knob(section, name), "help": help_text, "persist_state": "session"}
    if knob.kind == "int":
        placeholder = "all there are" if knob.optional else None
        st.number_input(label, value=None if knob.optional else "min", step=1, placeholder=placeholder, **common)
    elif knob.kind == "float":
        st.number_input(label, step=_step(float(knob.default)), format="%g", **common)
    elif knob.kind == "choice":
        st.segmented_control(label, knob.choices, required=True, **common)
    elif knob.kind == "parts":
        st.pills(label, knob.choices, selection_mode="multi", **common)
    else:
        st.text_input(label, **common)


def _step(default: float) -> float:
    """A step of the plus and minus buttons that fits the size of the number."""
    if default >= 1 or default == 0:
        return 0.5 if default else 0.05
    return float(f"{default / 2:.0e}")
