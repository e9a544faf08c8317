"""What every figure that stands still has in common: large words, the legend under it, no zoom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app import palette

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

OVER_LINE: Mapping[str, Any] = {
    "showarrow": False,
    "xanchor": "right",
    "yanchor": "bottom",
    "font": {"color": palette.FAINT},
}


def still(figure: PlotlyFigure, x: str, y: str, *, height: int) -> None:
    """The look of a figure that stands still: words large enough for the last row, the legend under it, no zoom."""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 8, "t": 44, "b": 8},
        font={"size": 14},
        dragmode=False,
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "font": {"size": 14}},
    )
    figure.update_xaxes(title={"text": x, "font": {"size": 15}}, tickfont={"size": 14}, fixedrange=True)
    figure.update_yaxes(title={"text": y, "font": {"size": 15}}, tickfont={"size": 14}, fixedrange=True)
