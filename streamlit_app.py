"""The frame around every page: title, navigation, and one place where a problem that has a name is said in a sentence.

streamlit run streamlit_app.py
"""

from pathlib import Path

import streamlit as st

from app import backend, state

HERE = Path(__file__).resolve().parent

st.logo(str(HERE / "assets" / "logo.svg"), size="large")
st.html(HERE / "assets" / "frame.css")

watching = backend.read_only()
home = st.Page(
    "app/pages/home.py",
    title="Home",
    icon=":material/home:",
    default=True,
    help="What this is, the runs there are, and where to begin.",
)
train = st.Page(
    "app/pages/train.py",
    title="Train",
    icon=":material/model_training:",
    visibility="hidden" if watching else "visible",
    help="Choose a recipe, a text and a T5, and start a run.",
)
page = st.navigation(
    {
        "": [
            home,
            st.Page(
                "app/pages/learn.py",
                title="Learn",
                icon=":material/school:",
                help="Posterior collapse in about twenty minutes: chapters that ask for a prediction first, then show.",
            ),
            st.Page(
                "app/pages/glossary.py",
                title="Glossary",
                icon=":material/menu_book:",
                help="What every figure and word means, with its formula, and how to read it.",
            ),
        ],
        "Explore": [
            st.Page(
                "app/pages/plane.py",
                title="Plane",
                icon=":material/grid_on:",
                help="An exact plane through latent space, readable everywhere: hover for a sentence, click for its z.",
            ),
            st.Page(
                "app/pages/map.py",
                title="Map",
                icon=":material/scatter_plot:",
                help="The codes of a corpus in the plane: hover to read, choose points to walk between them.",
            ),
            st.Page(
                "app/pages/interpolate.py",
                title="Interpolate",
                icon=":material/linear_scale:",
                help="Walk from one code to another and read the sentences on the way.",
            ),
            st.Page(
                "app/pages/dimensions.py",
                title="Dimensions",
                icon=":material/tune:",
                help="A slider for each dimension of z: what it changes, and what the labels tell about it.",
            ),
            st.Page(
                "app/pages/arithmetic.py",
                title="Arithmetic",
                icon=":material/calculate:",
                help="A − B + C of three sentences, and the direction from some examples to others.",
            ),
        ],
        "Watch" if watching else "Train": [
            train,
            st.Page(
                "app/pages/runs.py",
                title="Runs",
                icon=":material/monitoring:",
                help="Watch runs train and compare their curves."
                if watching
                else "Watch runs train, compare their curves, stop, resume, rename or delete them.",
            ),
            st.Page(
                "app/pages/race.py",
                title="Race",
                icon=":material/flag:",
                help="Recipes side by side from one seed: live, or replayed, with the verdict on each as it is earned.",
            ),
        ],
        "Judge": [
            st.Page(
                "app/pages/evaluate.py",
                title="Evaluate",
                icon=":material/straighten:",
                help="What a latent space is worth: a verdict in words, and the figures for it, runs side by side.",
            ),
            st.Page(
                "app/pages/compare.py",
                title="Compare",
                icon=":material/compare_arrows:",
                help="All runs in one table, what differs between some of them, and sweeps over a few settings.",
            ),
        ],
    },
    position="top",
)
title = "Bottleneck" if page == home else f"{page.title} · Bottleneck"
st.set_page_config(page_title=title, page_icon=str(HERE / "assets" / "mark.svg"), layout="wide")

if watching and page == train:
    st.switch_page(home)  # which says why
if message := state.said():
    st.toast(message)
try:
    page.run()
except ValueError as error:
    st.error(str(error), icon=":material/error:")
finally:
    backend.pass_over_libraries()
backend.warm()
