"""Park & Lee 2021, as reported and corrected, beside own runs: what a figure means is seen best where it slipped."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import backend, charts, state
from app.components.address import heed
from app.components.report_table import as_read
from app.glossary import METRICS

OWN = (
    "rec_nats",
    "kl_nats",
    "neg_elbo_nats",
    "mi_nats",
    "mi_ceiling_nats",
    "active_units",
    "delta_nll_nats",
    "ppl_word",
)
"""The figures of own runs, in the order of the paper's columns; ΔNLL is the one that the paper lacks."""

_NATS = "%.2f"
_COLUMNS = {
    "row": st.column_config.TextColumn(
        "Row",
        pinned=True,
        help="What the row adds to the one above it: input noise (Denoise), a KL threshold of 3 nats a dimension of z "
        "(KLT), 12 layers instead of 6 (Deep).",
    ),
    "ppl": st.column_config.NumberColumn("PPL", format=_NATS, help="As printed: perplexity a token of T5."),
    "reported_nats": st.column_config.NumberColumn(
        "−ELBO, as reported", format=_NATS, help="The column −ELBO as printed. It holds rec − KL."
    ),
    "rec_nats": st.column_config.NumberColumn(
        "rec", format=_NATS, help=f"As reported + KL. {METRICS['rec_nats'].definition}"
    ),
    "kl_nats": st.column_config.NumberColumn("KL", format=_NATS, help=f"As printed. {METRICS['kl_nats'].definition}"),
    "corrected_nats": st.column_config.NumberColumn(
        "−ELBO, corrected", format=_NATS, help=f"rec + KL. {METRICS['neg_elbo_nats'].definition}"
    ),
    "tokens_reported": st.column_config.NumberColumn(
        "tokens, as reported",
        format=_NATS,
        help="Tokens of a sentence: −ELBO as reported / ln PPL. One test set has one number of them.",
    ),
    "tokens_corrected": st.column_config.NumberColumn(
        "tokens, corrected", format=_NATS, help="Tokens of a sentence: −ELBO corrected / ln PPL."
    ),
    "mi_nats": st.column_config.NumberColumn("MI", format=_NATS, help=f"As printed. {METRICS['mi_nats'].definition}"),
    "mi_bound_nats": st.column_config.NumberColumn(
        "ceiling of MI",
        format=_NATS,
        help="The smaller of KL, of which MI is a part, and ln 256: the paper's MI is estimated among 256 sentences.",
    ),
    "active_units": st.column_config.NumberColumn("AU", help=f"As printed. {METRICS['active_units'].definition}"),
}


def erratum(own: pd.DataFrame | None = None) -> None:
    """The section of a page. `own` has the columns run, sentences and `OWN`, one row an evaluated run."""
    st.header("A paper's table, as reported and corrected", anchor=False)
    st.markdown(
        "Bottleneck builds on [Park & Lee 2021](https://arxiv.org/abs/2108.02446). The method is good; one column of "
        "Tables 1 to 4 has an arithmetic slip: what is printed under −ELBO is rec − KL, and −ELBO is **rec + KL**. The "
        "tables print enough to put it right: rec = −ELBO as reported + KL.",
        width=820,
    )
    heed({state.ERRATUM_DATA: backend.ERRATUM_DATA})
    data = st.segmented_control(
        "Data set",
        backend.ERRATUM_DATA,
        default=backend.ERRATUM_DATA[0],
        required=True,
        key=state.ERRATUM_DATA,
        bind="query-params",
        width="content",
    )
    rows = backend.erratum_rows(data)
    st.vega_lite_chart(
        *charts.two_readings(rows), key="erratum_figure", alt=f"rec, KL and two readings of −ELBO on {data}, by row"
    )
    st.markdown(_reading(rows), width=820)
    st.dataframe(
        rows,
        hide_index=True,
        column_order=list(_COLUMNS),
        column_config=_COLUMNS,
        placeholder="–",
        key="erratum_table",
        alt=f"The rows of the paper on {data}, as reported and corrected",
    )
    st.caption(
        f"Park & Lee 2021, Table {rows['table'].iloc[0]}, nats a sentence. All four tables with the arithmetic: "
        "`python -m vae.erratum`, and `docs/erratum.md`. The [glossary](glossary) explains the figures."
    )
    if own is not None and len(own):
        _own(own)


def _reading(rows: pd.DataFrame) -> str:
    """What to see in the figure."""
    reported, corrected = rows["tokens_reported"], rows["tokens_corrected"]
    shallow = rows.iloc[:-1]
    points = [
        "**The grey bars are equally long** in the first three rows, while KL grows "
        f"from {shallow['kl_nats'].min():.1f} to {shallow['kl_nats'].max():.1f} nats: those decoders did not read z.",
        "**The printed PPL agrees with rec + KL**: the green marks stand at the ends of the bars. The tokens of a "
        f"sentence, −ELBO / ln PPL, are {corrected.mean():.1f} in every row as corrected, and {reported.min():.1f} to "
        f"{reported.max():.1f} as reported.",
    ]
    if rows["sign_lost"].any():
        points.append(
            f"**A sign is lost** in {_names(rows, 'sign_lost')}: KL is larger than rec there, so rec − KL is negative."
        )
    if rows["saturated"].any():
        points.append(f"**MI is near its ceiling** in {_names(rows, 'saturated')}: it means “at least this much”.")
    return "\n".join(f"- {point}" for point in points)


def _names(rows: pd.DataFrame, mark: str) -> str:
    return " and ".join(f"“{row}”" for row in rows.loc[rows[mark], "row"])


def _own(own: pd.DataFrame) -> None:
    st.markdown("**Your runs, in the same columns**")
    shown = ["run", "sentences", *OWN]
    st.dataframe(
        as_read(own[shown]),
        hide_index=True,
        column_config={
            "run": st.column_config.TextColumn("Run", pinned=True),
            "sentences": st.column_config.NumberColumn(
                "sentences", format="localized", help="How many sentences were evaluated."
            ),
            **{name: st.column_config.NumberColumn(METRICS[name].axis, help=METRICS[name].definition) for name in OWN},
        },
        placeholder="–",
        key="erratum_own",
        alt="Own runs in the columns of the paper, and ΔNLL",
    )
    st.caption(
        "ΔNLL is the column that the paper lacks: it asks the decoder. These are other sentences, and PPL is a word "
        "here and a token there, so compare how the columns hang together, not their sizes."
    )
