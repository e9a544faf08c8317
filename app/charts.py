"""Figures: a data frame in, a Plotly figure out. No streamlit, no vae, no state.

Every figure that is redrawn while a run trains carries a fixed `uirevision`, so that a zoom survives the redrawing.
Grounds are transparent and what is secondary is drawn in `palette.QUIET`: one figure serves light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from app import palette
from app.glossary import PHASES, Metric

POINTS = 1500
"""Most points of one line; longer histories are thinned evenly."""


def curve(
    frame: pd.DataFrame,
    metric: Metric,
    colours: Mapping[str, str],
    *,
    boundaries: Sequence[tuple[int, int, int]] = (),
    ceiling: str | None = None,
    top: float | None = None,
    height: int = 260,
) -> go.Figure:
    """One figure over the steps of training, for one run or several.

    `frame` has the columns run, step, split and the metric's name. What was measured on held-out sentences is drawn
    as a line with points; what was logged while training as a faint line under it, or as the line where there is no
    other. `boundaries` are (phase, first step, last step) of the phases to be marked; `ceiling` is the column that
    the figure cannot exceed, drawn dotted; `top` a fixed upper end of the axis.
    """
    figure = go.Figure()
    for run, colour in colours.items():
        rows = frame[frame["run"] == run] if metric.name in frame else frame.iloc[:0]
        measured = {split: _line(rows, split, metric.name) for split in ("train", "valid")}
        if not measured["valid"].empty and not measured["train"].empty:
            figure.add_trace(_trace(measured["train"], metric, run, colour, faint=True))
        kind = "valid" if not measured["valid"].empty else "train"
        if not measured[kind].empty:
            figure.add_trace(_trace(measured[kind], metric, run, colour, points=kind == "valid"))
        if ceiling and ceiling in rows:
            limit = _line(rows, "valid", ceiling)
            if not limit.empty:
                figure.add_trace(_ceiling(limit))
    _layout(figure, metric, height)
    if top is not None:
        figure.update_yaxes(range=[-0.04 * top, 1.08 * top])
    else:
        figure.update_yaxes(rangemode="tozero")
    _mark_phases(figure, boundaries)
    return figure


def phases(frame: pd.DataFrame) -> list[tuple[int, int, int]]:
    """The phases that a run has been in: (phase, first step, last step), in order, each beginning where one ended."""
    if frame.empty:
        return []
    last = frame.groupby("phase")["step"].max().sort_index()
    ends = [int(step) for step in last]
    starts = [0, *ends[:-1]]
    return [(int(phase), start, end) for phase, start, end in zip(last.index, starts, ends, strict=True)]


def units(kl_per_dimension: Sequence[float], colour: str, *, height: int = 220) -> go.Figure:
    """How much each dimension of z is used: its mean KL, in nats, the most used first."""
    ordered = sorted(enumerate(kl_per_dimension), key=lambda pair: -pair[1])
    figure = go.Figure(
        go.Bar(
            x=[str(rank + 1) for rank in range(len(ordered))],
            y=[value for _, value in ordered],
            marker_color=colour,
            customdata=[index for index, _ in ordered],
            hovertemplate="dimension %{customdata}: %{y:.2f} nats<extra></extra>",
        )
    )
    figure.update_layout(height=height, margin=_MARGIN, bargap=0.25, uirevision="units", showlegend=False)
    figure.update_xaxes(title="dimensions of z, most used first", showticklabels=False, fixedrange=True)
    figure.update_yaxes(title="KL (nats)", rangemode="tozero", fixedrange=True)
    return figure


_MARGIN = {"l": 56, "r": 12, "t": 26, "b": 44}


def _line(rows: pd.DataFrame, split: str, column: str) -> pd.DataFrame:
    rows = rows.loc[rows["split"] == split, ["step", column]].dropna()
    return rows.iloc[:: 1 + len(rows) // POINTS]


def _trace(
    rows: pd.DataFrame,
    metric: Metric,
    run: str,
    colour: str,
    *,
    faint: bool = False,
    points: bool = False,
) -> go.Scatter:
    unit = f" {metric.unit}" if metric.unit else ""
    source = " while training" if faint else ""
    return go.Scatter(
        x=rows["step"].astype(int).tolist(),
        y=rows[metric.name].tolist(),
        name=run,
        showlegend=False,
        mode="lines+markers" if points else "lines",
        line={"color": colour, "width": 1 if faint else 2.5},
        marker={"color": colour, "size": 5},
        opacity=0.35 if faint else 1.0,
        hoverinfo="skip" if faint else None,
        hovertemplate=None if faint else f"step %{{x:,}}: %{{y:.{max(metric.digits, 1)}f}}{unit}{source}",
    )


def _ceiling(rows: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=rows["step"].astype(int).tolist(),
        y=rows.iloc[:, 1].tolist(),
        name="ceiling",
        showlegend=False,
        mode="lines",
        line={"color": palette.QUIET, "width": 1.5, "dash": "dot"},
        hovertemplate="ceiling: %{y:.2f} nats<extra></extra>",
    )


def _layout(figure: go.Figure, metric: Metric, height: int) -> None:
    figure.update_layout(
        height=height,
        margin=_MARGIN,
        uirevision="curves",
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode="zoom",
    )
    figure.update_xaxes(title="step", rangemode="tozero", showgrid=False, zeroline=False)
    figure.update_yaxes(title=metric.axis, zeroline=False)


def _mark_phases(figure: go.Figure, boundaries: Sequence[tuple[int, int, int]]) -> None:
    """A quiet line where a phase ends, and the name of every phase above its stretch."""
    if not boundaries:
        return
    whole = max(end for _, _, end in boundaries) or 1
    for phase, start, end in boundaries:
        if start:
            figure.add_shape(
                type="line", x0=start, x1=start, y0=0, y1=1, yref="paper", line={"color": palette.QUIET, "width": 1.5}
            )
        share = (end - start) / whole
        figure.add_annotation(
            x=(start + end) / 2,
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            text=f"{phase} {PHASES.get(phase, '')}".strip() if share > 0.3 else str(phase),
            font={"size": 12, "color": "#85898F"},
        )
