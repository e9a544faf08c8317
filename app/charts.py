"""Figures: a data frame in, a figure out. No streamlit, no vae, no state.

Curves are Vega-Lite charts, because they are redrawn while one looks at them: as long as only the data change,
Streamlit hands the new rows to the chart that is there, nothing blinks and a zoom stays. (A Plotly or an ECharts chart
is put up again, or loses its zoom, whenever its data change.) So the look of a curve depends on nothing that changes
while a run trains. What stands still, or leaves the app as a file, is a Plotly figure. What is secondary is drawn in
`palette.QUIET`: one figure serves light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from app import palette
from app.glossary import PHASES, Metric

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

POINTS = 400
"""Most points of one line; longer histories are thinned evenly, and keep their last point."""

KL_FLOOR = 0.003
"""The least KL of a dimension, nats, that a logarithmic scale tells apart."""

CHOSEN = "chosen"
"""The name of the selection that a click on a point makes."""


class Figure(NamedTuple):
    """A Vega-Lite chart: its rows, and its look, which is plain JSON."""

    data: pd.DataFrame
    spec: dict[str, Any]


Phases = Sequence[tuple[int, int, int]]
"""(phase, first step, last step) of each phase of a run, in order."""


def curve(
    frame: pd.DataFrame,
    metric: Metric,
    colours: Mapping[str, str],
    *,
    boundaries: Phases = (),
    ceiling: str | None = None,
    top: float | None = None,
    chosen: int | None = None,
    height: int = 250,
) -> Figure:
    """One figure over the steps of training, for one run or several.

    `frame` has the columns run, step, split and the metric's name. What was measured on held-out sentences is drawn
    as a line with points; what was logged while training as a faint line under it, or as the line where there is no
    other. `boundaries` are the phases to be marked; `ceiling` is the column that the figure cannot exceed, drawn
    dotted; `top` a fixed upper end of the axis; `chosen` a step to be marked. A click on a point selects its step
    under the name `CHOSEN`.
    """
    rows: list[pd.DataFrame] = []
    for run in colours:
        own = frame[frame["run"] == run]
        checks, steps = _line(own, "valid", metric.name), _line(own, "train", metric.name)
        rows.append((checks if len(checks) else steps).assign(run=run, kind="measured"))
        rows.append(steps.assign(run=run, kind="training") if len(checks) else steps)
        if ceiling:
            rows.append(_line(own, "valid", ceiling).assign(run=run, kind="ceiling"))
    last = max((int(part["step"].max()) for part in rows if len(part)), default=0)
    data = pd.concat([_marks(boundaries, chosen, metric.reach, last), *(part for part in rows if len(part))])
    data["value"] = data["value"].astype(float)
    for column in ("run", "kind", "label"):
        data[column] = data[column].astype(object).where(data[column].notna(), "") if column in data else ""
    return Figure(data.reset_index(drop=True), _look(metric, colours, top) | {"height": height})


def phases(frame: pd.DataFrame) -> list[tuple[int, int, int]]:
    """The phases that a run has been in: (phase, first step, last step), in order, each beginning where one ended."""
    ends = frame.dropna(subset=["phase", "step"]).groupby("phase")["step"].max().sort_index()
    starts = [0, *ends.astype(int)][: len(ends)]
    return [(int(phase), int(start), int(end)) for (phase, end), start in zip(ends.items(), starts, strict=True)]


def units(kl_per_dimension: Sequence[float], colour: str, *, height: int = 220) -> Figure:
    """How much each dimension of z is used: its mean KL, in nats, the most used first."""
    data = pd.DataFrame({"dimension": range(len(kl_per_dimension)), "kl": kl_per_dimension})
    x = {"field": "dimension", "type": "ordinal", "sort": "-y", "title": "dimension of z, most used first"}
    y = {"field": "kl", "type": "quantitative", "title": "KL (nats)"}
    spec = {
        "height": height,
        "mark": {"type": "bar", "color": colour},
        "encoding": {
            "x": x | {"axis": {"labelAngle": 0, "labelOverlap": True}},
            "y": y | {"axis": {"tickCount": 4}},
            "tooltip": [{"field": "dimension", "type": "ordinal"}, y | {"format": ".2f"}],
        },
    }
    return Figure(data, spec)


def two_readings(frame: pd.DataFrame, *, height: int = 320) -> Figure:
    """A printed -ELBO against its parts: for each row rec and KL end to end, what was reported, and what PPL implies.

    `frame` has the columns row, rec_nats, kl_nats, reported_nats and implied_nats, its rows from top to bottom.
    """
    rec, kl = frame["rec_nats"], frame["kl_nats"]
    parts = {  # where each begins and ends, and how large it is
        "rec": (0.0, rec, rec),
        "KL": (rec, rec + kl, kl),
        "−ELBO as reported": (0.0, frame["reported_nats"], frame["reported_nats"]),
        "−ELBO by PPL": (0.0, frame["implied_nats"], frame["implied_nats"]),
    }
    data = pd.concat(
        [
            pd.DataFrame({"row": frame["row"], "kind": kind, "start": start, "end": end, "nats": nats})
            for kind, (start, end, nats) in parts.items()
        ],
        ignore_index=True,
    )
    upright = "M-0.12,-1H0.12V1H-0.12Z"
    colours = [palette.QUIET, palette.PALETTE[0], palette.PALETTE[3], palette.PALETTE[2]]
    kind = {"field": "kind", "type": "nominal"}
    kind["legend"] = {"title": None, "orient": "top", "columns": 2, "labelLimit": 0, "symbolOpacity": 1}
    encoding = {
        "y": {
            "field": "row",
            "type": "nominal",
            "sort": list(frame["row"]),
            "title": None,
            "axis": {"labelFontSize": 13},
        },
        "x": {"field": "end", "type": "quantitative", "title": "nats a sentence", "axis": {"tickCount": 5}},
        "color": kind | {"scale": {"domain": list(parts), "range": colours}},
        "tooltip": [
            {"field": "row", "type": "nominal"},
            {"field": "kind", "type": "nominal", "title": "figure"},
            {"field": "nats", "type": "quantitative", "format": ",.2f"},
        ],
    }
    shape = kind | {"scale": {"domain": list(parts), "range": ["square", "square", "diamond", upright]}}
    point = {"type": "point", "filled": True, "opacity": 1}
    bar = {"type": "bar", "height": {"band": 0.5}}
    spec = {
        "height": height,
        "layer": [
            _layer("rec", bar, encoding | {"x2": {"field": "start"}}),
            _layer("KL", bar, encoding | {"x2": {"field": "start"}}),
            _layer("−ELBO by PPL", point | {"size": 800}, encoding | {"shape": shape}),
            _layer("−ELBO as reported", point | {"size": 150}, encoding | {"shape": shape}),
        ],
    }
    return Figure(data, spec)


def units_over_training(steps: Sequence[int], kl_per_dimension: Sequence[Sequence[float]]) -> PlotlyFigure:
    """The mean KL of each dimension of z (a row, the finally most used on top) at each check, on a logarithmic scale.

    A collapse is seen at once: every row goes dark, and in which order.
    """
    import plotly.graph_objects as go

    values = pd.DataFrame([list(row) for row in kl_per_dimension], index=list(steps)).T  # dimension x step
    values = values.loc[values.iloc[:, -1].sort_values().index]
    nats = values.clip(lower=KL_FLOOR)
    ticks = [0.01, 0.1, 1, 10]
    heat = go.Heatmap(
        x=[f"{step:,}" for step in values.columns],
        y=[f"z{dimension}" for dimension in values.index],
        z=nats.map(math.log10).to_numpy(),
        customdata=values.to_numpy(),
        zmin=math.log10(KL_FLOOR),
        zmax=1,
        colorscale="Cividis",
        colorbar={"title": "KL (nats)", "tickvals": [math.log10(tick) for tick in ticks], "ticktext": ticks},
        hovertemplate="step %{x}, %{y}: KL %{customdata:.2f} nats<extra></extra>",
    )
    figure = go.Figure(heat)
    figure.update_layout(height=420, margin={"l": 10, "r": 10, "t": 10, "b": 10}, xaxis_title="step")
    figure.update_xaxes(type="category", nticks=8)
    figure.update_yaxes(title="dimension of z, most used on top", showticklabels=False)
    return figure


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


_ZOOM = {
    "name": "zoom",
    "bind": "scales",
    "select": {
        "type": "interval",
        "encodings": ["x"],
        "zoom": "wheel![event.ctrlKey || event.metaKey]",  # a pinch on a touchpad arrives as a wheel with ctrl
        "translate": "[mousedown, window:mouseup] > window:mousemove!",  # a finger keeps scrolling the page
    },
}
_CLICK = {
    "name": CHOSEN,
    "select": {"type": "point", "fields": ["step"], "on": "click", "clear": False, "toggle": False},
}
_STEP = {
    "field": "step",
    "type": "quantitative",
    "title": "step",
    "scale": {"nice": False, "padding": 5},
    "axis": {"grid": False, "format": ",d", "tickMinStep": 1, "tickCount": 5, "titleFontSize": 12},
}


def _look(metric: Metric, colours: Mapping[str, str], top: float | None) -> dict[str, Any]:
    """The layers of a curve, from back to front. Nothing in here may change while a run trains."""
    value: dict[str, Any] = {"field": "value", "type": "quantitative", "title": metric.axis}
    value["axis"] = {"tickCount": 5, "titleFontSize": 12}
    if top is not None:
        value["scale"] = {"domain": [-0.02 * top, 1.04 * top], "nice": False}
        value["axis"]["values"] = [0, top / 4, top / 2, 3 * top / 4, top]
    colour = {"field": "run", "type": "nominal", "legend": None}
    colour["scale"] = {"domain": list(colours), "range": list(colours.values())}
    line, lines = {"x": _STEP, "y": value}, {"x": _STEP, "y": value, "color": colour}
    tooltip = [
        {"field": "run", "type": "nominal"},
        {"field": "step", "type": "quantitative", "format": ",d"},
        {"field": "value", "type": "quantitative", "title": metric.axis, "format": _number_format(metric)},
    ]
    quiet = {"color": palette.QUIET, "strokeWidth": 1.5, "clip": True}
    words = {"type": "text", "color": palette.FAINT, "baseline": "bottom", "fontSize": 11, "clip": False}
    labels = {"x": _STEP, "y": {"value": -5}, "text": {"field": "label"}}
    return {
        "padding": {"top": 20, "left": 0, "right": 4, "bottom": 0},
        "layer": [
            _layer("reach", {"type": "point", "opacity": 0}, line),
            _layer("boundary", {"type": "rule", **quiet}, {"x": _STEP}),
            _layer("label", words, labels, {"filter": {"param": "zoom"}}),
            _layer("chosen", {"type": "rule", **quiet, "strokeDash": [4, 3]}, {"x": _STEP}),
            _layer("ceiling", {"type": "line", **quiet, "strokeDash": [2, 3]}, line | {"detail": {"field": "run"}}),
            _layer("training", {"type": "line", "strokeWidth": 1, "opacity": 0.35, "clip": True}, lines),
            _layer("measured", {"type": "line", "strokeWidth": 2.5, "clip": True}, lines) | {"params": [_ZOOM]},
            _layer("measured", {"type": "point", "filled": True, "size": 28, "opacity": 1, "clip": True}, lines),
            _layer(
                "measured",  # what the pointer meets: larger than the points that are seen
                {"type": "point", "filled": True, "size": 260, "opacity": 0, "clip": True, "cursor": "pointer"},
                line | {"tooltip": tooltip},
            )
            | {"params": [_CLICK]},
        ],
    }


def _layer(kind: str, mark: dict[str, Any], encoding: dict[str, Any], *transforms: dict[str, Any]) -> dict[str, Any]:
    """A layer that draws the rows of one kind."""
    return {"transform": [{"filter": f"datum.kind == '{kind}'"}, *transforms], "mark": mark, "encoding": encoding}


def _number_format(metric: Metric) -> str:
    return f",.{metric.digits}f" if metric.digits <= 3 else ".2~e"


def _line(rows: pd.DataFrame, split: str, column: str) -> pd.DataFrame:
    """The values of a column by step, thinned; of several at one step the last."""
    if column not in rows:
        return pd.DataFrame({"step": pd.Series(dtype=float), "value": pd.Series(dtype=float)})
    line = rows.loc[rows["split"] == split, ["step", column]].dropna().drop_duplicates("step", keep="last")
    stride = 1 + len(line) // POINTS
    return line.iloc[::-1].iloc[::stride].iloc[::-1].rename(columns={column: "value"})


def _marks(boundaries: Phases, chosen: int | None, reach: float, last: int) -> pd.DataFrame:
    """The rows for the ends of phases, their names, the chosen step, and for how far the axis reaches at least."""
    whole = max(last, *(end for _, _, end in boundaries), 1)
    rows: list[dict[str, object]] = [{"step": 0, "value": reach, "kind": "reach"}]
    for phase, start, end in boundaries:
        if start:
            rows.append({"step": start, "kind": "boundary"})
        share = (end - start) / whole
        if share > 0.06:  # as much as there is room for
            words = f"{phase} {PHASES.get(phase, '')}".strip() if share > 0.33 else str(phase)
            rows.append({"step": (start + end) / 2, "kind": "label", "label": words})
    if chosen is not None:
        rows.append({"step": chosen, "kind": "chosen"})
    return pd.DataFrame(rows, columns=["step", "value", "run", "kind", "label"])
