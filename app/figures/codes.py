"""Figures of the codes of one run: the map, and what each label tells about each dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from app import palette
from app.figures.look import still

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure


def map_to_keep(frame: pd.DataFrame, title: str, axes: tuple[str, str]) -> PlotlyFigure:
    """A map to take along: columns x, y, text and group; a colour a group, the sentence on hover, legend to switch."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for index, (group, rows) in enumerate(frame.groupby("group", sort=True)):
        figure.add_scattergl(
            x=rows["x"],
            y=rows["y"],
            text=rows["text"].str.wrap(60).str.replace("\n", "<br>"),
            name=str(group),
            mode="markers",
            marker={"size": 6, "opacity": 0.75, "color": palette.PALETTE[index % len(palette.PALETTE)]},
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(title=title, template="plotly_white", legend_title_text="", dragmode="pan")
    figure.update_xaxes(title=axes[0], zeroline=False)
    figure.update_yaxes(title=axes[1], zeroline=False, scaleanchor="x")
    return figure


def associations(frame: pd.DataFrame, order: Sequence[int], hover: str, *, unit: str, top: float) -> PlotlyFigure:
    """What each label tells about each dimension, as a heat map: a row a label, the dimensions in the order given.

    `frame` has the columns label, dimension, value and, for the words under the pointer, limit; `hover` is those words
    with their figures: `%{z}` the value, `%{customdata}` the limit. `top` is the value of the full colour, and `unit`
    stands over the bar of colours.
    """
    import plotly.graph_objects as go

    labels = list(dict.fromkeys(frame["label"]))
    values = frame.pivot(index="label", columns="dimension", values="value").loc[labels, list(order)]
    limits = frame.pivot(index="label", columns="dimension", values="limit").loc[labels, list(order)]
    figure = go.Figure(
        go.Heatmap(
            x=[f"z{dimension}" for dimension in order],
            y=labels,
            z=values.to_numpy(),
            customdata=limits.to_numpy(),
            zmin=0,
            zmax=top,
            colorscale=[[0, "rgba(47, 127, 193, 0.03)"], [1, "rgba(47, 127, 193, 1)"]],  # over any ground
            xgap=1,
            ygap=1,
            colorbar={"thickness": 12, "outlinewidth": 0, "title": {"text": unit, "side": "top"}},
            hovertemplate=f"%{{y}} · %{{x}}<br>{hover}<extra></extra>",
        )
    )
    still(figure, "dimension of z, by KL", "", height=110 + 30 * len(labels))
    figure.update_xaxes(type="category", tickfont={"size": 11}, showgrid=False, zeroline=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, zeroline=False)
    return figure
