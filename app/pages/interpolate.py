"""Interpolate: which run it would be about. The page itself is still to come."""

import streamlit as st

from app import backend
from app.components.run_picker import run_picker

st.title("Interpolate", anchor=False)
chosen = run_picker([entry.name for entry in backend.entries() if entry.has_model])
if chosen is None:
    st.markdown("There is no finished model yet: train one first.")
    st.page_link("app/pages/train.py", label="Train a model", icon=":material/model_training:")
else:
    st.markdown("This page is not written yet.")
