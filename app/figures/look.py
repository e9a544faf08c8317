"""What every figure that stands still has in common: large words, the legend under it, no zoom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    common = {"tickfont": {"size": 14}, "tickformat": ",", "fixedrange": True}
    figure.update_xaxes(title={"text": x, "font": {"size": 15}}, **common)
    figure.update_yaxes(title={"text": y, "font": {"size": 15}}, **common)


def widths(lines: Sequence[Mapping[float, float]], high: float, thin: float = 2.5) -> list[float]:
    """How wide to draw lines, in their order, so that what lies on each other is seen: the first wide, the last thin.

    A line is its values by their place on the other axis, `high` is about what the axis shows. Two lines lie on each
    other where at half of the places that they share or more they are within a hundredth of it.
    """
    own: list[float] = []
    for number, line in enumerate(lines):
        over = sum(_on_each_other(line, later, 0.01 * high) for later in lines[number + 1 :])
        own.append(thin + 3.5 * min(over, 4))
    return own


def _on_each_other(one: Mapping[float, float], other: Mapping[float, float], near: float) -> bool:
    shared = one.keys() & other.keys()
    return bool(shared) and 2 * sum(abs(one[place] - other[place]) <= near for place in shared) >= len(shared)
