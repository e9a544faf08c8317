"""Figures of many runs side by side: over the steps of training, and by what was varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from app import palette
from app.figures.look import OVER_LINE, still, widths
from app.glossary import Metric

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

DASHES = ("solid", "dash", "dot", "dashdot")
"""Kinds of line, for when there are more lines than colours."""


class Look(NamedTuple):
    """How the line of a run looks, and what it is called."""

    label: str
    colour: str
    dash: str = "solid"


def over_steps(
    frame: pd.DataFrame, metric: Metric, looks: Mapping[str, Look], *, ends: Sequence[int] = (), top: float = 0.0
) -> PlotlyFigure:
    """A figure of many runs over the steps of training, as in Figures 2 and 3 of Park & Lee 2021.

    `frame` has the columns run, step and the metric's name; for MI also the ceiling, drawn dotted. `ends` are steps at
    which a phase ends in every run; `top` is what the axis shows at least. Of lines on each other the first is wide.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    own = frame.dropna(subset=[metric.name])
    lines = {run: own[own["run"] == run] for run in looks}
    reach = max(top, metric.reach, own[metric.name].max() if len(own) else 0)
    wide = widths([dict(zip(rows["step"], rows[metric.name], strict=True)) for rows in lines.values()], reach, thin=2)
    for (run, look), width in zip(looks.items(), wide, strict=True):
        rows = lines[run]
        figure.add_scatter(
            x=rows["step"],
            y=rows[metric.name],
            mode="lines+markers",
            marker={"size": width + 3},
            line={"color": look.colour, "dash": look.dash, "width": width},
            name=look.label,
            showlegend=True,
            hovertemplate="step %{x:,}: %{y:,.3~r}<extra>%{fullData.name}</extra>",
        )
    ceiling = _ceiling(figure, own, metric)
    for step in ends:
        figure.add_vline(x=step, line={"color": palette.QUIET, "width": 1})
    high = max(reach, ceiling)
    still(figure, "step", metric.axis, height=400 + 9 * len(looks))
    figure.update_layout(title={"text": f"{metric.title} · {metric.symbol}", "font": {"size": 16}}, uirevision="same")
    figure.update_yaxes(range=[min(0, own[metric.name].min() if len(own) else 0) - 0.03 * high, 1.06 * high])
    return figure


def by_axis(frame: pd.DataFrame, metric: Metric, axis: str, values: Sequence[str]) -> PlotlyFigure:
    """The newest value of a figure by what was varied: `values` of the `axis` in their order, a line a combination.

    `frame` has the columns value, group (the combination of everything else that was varied), label and the metric's
    name; for MI also the ceiling, drawn dotted. What has no value yet leaves a gap.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, (group, rows) in enumerate(frame.groupby("group", sort=False)):
        placed = rows.set_index("value").reindex(list(values))
        figure.add_scatter(
            x=list(values),
            y=placed[metric.name],
            customdata=placed["label"],
            mode="lines+markers",
            marker={"size": 8},
            line={
                "color": palette.PALETTE[number % len(palette.PALETTE)],
                "dash": DASHES[number // len(palette.PALETTE) % len(DASHES)],
                "width": 2,
            },
            name=str(group),
            showlegend=bool(group),
            hovertemplate="%{customdata}: %{y:,.3~r}<extra></extra>",
        )
    own = frame[metric.name].dropna()
    high = max(_ceiling(figure, frame, metric), metric.reach, own.max() if len(own) else 0)
    still(figure, axis, metric.axis, height=380)
    figure.update_layout(title={"text": f"{metric.title} · {metric.symbol}", "font": {"size": 16}}, uirevision="same")
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=list(values))
    figure.update_yaxes(range=[min(0, own.min() if len(own) else 0) - 0.03 * high, 1.06 * high])
    return figure


def _ceiling(figure: PlotlyFigure, frame: pd.DataFrame, metric: Metric) -> float:
    """Draw what MI cannot exceed, where that is known, and return it; 0 for any other figure."""
    known = frame["mi_ceiling_nats"].dropna() if metric.name == "mi_nats" and "mi_ceiling_nats" in frame else []
    if not len(known):
        return 0.0
    ceiling = float(max(known))
    figure.add_hline(y=ceiling, line={"color": palette.QUIET, "dash": "dot", "width": 2})
    figure.add_annotation(xref="paper", x=1, y=ceiling, text="ceiling ln N", **OVER_LINE)
    return ceiling
