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
from app.glossary import METRICS, PHASES, Metric

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


def rate_distortion(
    ends: pd.DataFrame, paths: pd.DataFrame, colours: Mapping[str, str], yardsticks: Mapping[str, float]
) -> PlotlyFigure:
    """KL (the rate) against rec (the distortion): one large point a run, its way there thin behind it.

    `ends` and `paths` have the columns run, kl_nats and rec_nats, `paths` also step and phase. On a thin line -ELBO =
    rec + KL is the same; `yardsticks` are costs of a sentence, by name, whose lines are marked. One nat is as long on
    either axis, so these lines run at 45 degrees. What is drawn beyond the view is there for who zooms out.
    """
    import plotly.graph_objects as go

    low, high = min(ends["rec_nats"]), max([*ends["rec_nats"], *yardsticks.values()])
    wide = max(ends["kl_nats"])
    slack = 0.12 * max(high - low, wide, METRICS["kl_nats"].reach)
    view = {"x": (-0.3 * slack, wide + 2 * slack), "y": (max(low - slack, -0.3 * slack), high + slack)}
    figure = go.Figure()
    lines = _round_values(view["y"][0] + view["x"][0], view["y"][1] + view["x"][1])
    step = lines[1] - lines[0]
    for nats in (*lines, *(lines[-1] + step * more for more in range(1, 30))):
        figure.add_scatter(x=[0, nats], y=[nats, 0], mode="lines", line={"color": palette.QUIET, "width": 0.6}, **_MUTE)
    taken = [
        *zip(ends["kl_nats"], ends["rec_nats"], strict=True),
        *zip(paths["kl_nats"], paths["rec_nats"], strict=True),
    ]
    name = "−ELBO "  # said once
    for nats in lines:
        if places := _along(nats, view):
            x, y = max(places, key=lambda place: _nearest(place, taken))
            figure.add_annotation(x=x, y=y, text=f"{name}{nats:g}", font={"color": palette.FAINT}, **_ON_LINE)
            name = ""
    for name, nats in yardsticks.items():
        line = {"color": colours[name], "width": 2, "dash": "dash"}
        figure.add_scatter(x=[0, nats], y=[nats, 0], mode="lines", line=line, **_MUTE)
    for run, colour in sorted(colours.items(), key=lambda pair: pair[0] in yardsticks):  # a yardstick lies on top
        way, end = paths[paths["run"] == run].iloc[:-1], ends[ends["run"] == run]  # its last check is near its end
        words = [f"step {step:,}, phase {phase} {PHASES.get(phase, '')}" for step, phase in _numbers(way)]
        way = pd.concat([way, end])
        figure.add_scatter(
            x=way["kl_nats"],
            y=way["rec_nats"],
            customdata=list(zip([run] * len(way), [*words, "measured"], way["kl_nats"] + way["rec_nats"], strict=True)),
            mode="lines+markers",
            line={"color": colour, "width": 1.2},
            marker={"size": 4},
            opacity=0.55,
            showlegend=False,
            hovertemplate=_PLACE,
        )
        figure.add_scatter(
            x=end["kl_nats"],
            y=end["rec_nats"],
            customdata=[(run, "measured", *(end["kl_nats"] + end["rec_nats"]))],
            mode="markers",
            marker={"color": colour, "line": {"color": "white", "width": 1.5}} | _POINTS[run in yardsticks],
            name=run,
            hovertemplate=_PLACE,
        )
    _still(figure, METRICS["kl_nats"].axis, METRICS["rec_nats"].axis, height=480)
    figure.update_xaxes(range=view["x"], constrain="range", constraintoward="left", fixedrange=False, zeroline=False)
    figure.update_yaxes(range=view["y"], scaleanchor="x", constraintoward="bottom", fixedrange=False, zeroline=False)
    return figure


def kl_parts(frame: pd.DataFrame) -> PlotlyFigure:
    """KL = MI + marginal KL, of each run: what is known to be information, what to be mismatch, and the rest between.

    `frame` has the columns run, kl_nats, mi_nats and marginal_kl_least_nats. Both parts are known from below, so what
    they leave is unknown; where noise makes them more than the KL, they are cut to it.
    """
    import plotly.graph_objects as go

    kl = frame["kl_nats"].clip(lower=0)
    information = frame["mi_nats"].clip(lower=0).clip(upper=kl)
    mismatch = frame["marginal_kl_least_nats"].clip(lower=0).clip(upper=kl - information)
    hatched = {"shape": "/", "fgcolor": palette.QUIET, "bgcolor": "rgba(0,0,0,0)", "size": 7}
    looks = {
        "information (MI, at least)": (information, {"color": palette.PALETTE[0]}),
        "not known which": (kl - information - mismatch, {"color": palette.QUIET, "pattern": hatched}),
        "mismatch with the prior (at least)": (mismatch, {"color": palette.PALETTE[3]}),
    }
    figure = go.Figure()
    for name, (nats, marker) in looks.items():
        figure.add_bar(
            y=frame["run"],
            x=nats,
            name=name,
            orientation="h",
            marker=marker,
            width=0.6,
            texttemplate="" if "pattern" in marker else "%{x:.1f}",
            textposition="inside",
            insidetextanchor="middle",
            insidetextfont={"color": "white"},
            hovertemplate="%{y}, " + name + ": %{x:,.3~r} nats<extra></extra>",
        )
    _still(figure, METRICS["kl_nats"].axis, "", height=190 + 44 * len(frame))
    figure.update_layout(barmode="stack", uniformtext={"minsize": 12, "mode": "hide"})
    figure.update_layout(legend={"traceorder": "normal", "entrywidth": 290})  # room for the words in any font
    figure.update_xaxes(range=[0, 1.05 * max(kl.max(), METRICS["kl_nats"].reach)])
    figure.update_yaxes(autorange="reversed")
    return figure


def information(frame: pd.DataFrame, colours: Mapping[str, str]) -> PlotlyFigure:
    """MI by the number of sentences it is estimated on: lower bound, upper bound (dashed), and the ceiling ln N.

    `frame` has the columns run, sentences, mi_nats, mi_upper_nats and mi_ceiling_nats.
    """
    import plotly.graph_objects as go

    figure, hover = go.Figure(), "%{x:,} sentences: %{y:,.3~r} nats"
    for run, colour in colours.items():
        own = frame[frame["run"] == run].sort_values("sentences")
        looks = {
            "mi_nats": ("at least", {"color": colour, "width": 2.5}, "lines+markers", True),
            "mi_upper_nats": ("at most", {"color": colour, "width": 1.5, "dash": "dash"}, "lines", False),
        }
        for column, (bound, line, mode, legend) in looks.items():
            figure.add_scatter(
                x=own["sentences"],
                y=own[column].clip(lower=0),
                mode=mode,
                line=line,
                name=run,
                legendgroup=run,
                showlegend=legend,
                hovertemplate=f"{hover}<extra>{run}, {bound}</extra>",
            )
    ceiling = frame.drop_duplicates("sentences").sort_values("sentences")
    figure.add_scatter(  # last, for a line at its ceiling would hide it
        x=ceiling["sentences"],
        y=ceiling["mi_ceiling_nats"],
        mode="lines",
        line={"color": palette.QUIET, "dash": "dot", "width": 3},
        name="ceiling ln N",
        hovertemplate=f"{hover}<extra>ceiling ln N</extra>",
    )
    top = min(3 * frame["mi_ceiling_nats"].max(), max(frame["mi_upper_nats"].max(), frame["mi_ceiling_nats"].max()))
    _still(figure, "N, sentences", METRICS["mi_nats"].axis, height=380)
    figure.update_xaxes(type="log", dtick=2 * math.log10(2), tick0=math.log10(16), tickformat=",d")
    figure.update_yaxes(range=[-0.03 * top, 1.05 * top])
    return figure


def dimensions(
    values: Sequence[float], order: Sequence[int], colour: str, axis: str, *, line: float | None = None
) -> PlotlyFigure:
    """A figure of each dimension of z in the order given: bars, or with a `line` to be over, dots on a log scale."""
    import plotly.graph_objects as go

    floor = 1e-4  # what is less is drawn there; on hover stands how much it is
    look: dict[str, Any] = {
        "x": list(range(1, len(order) + 1)),
        "customdata": [(dimension, values[dimension]) for dimension in order],
        "hovertemplate": "z%{customdata[0]}: %{customdata[1]:,.3~r}<extra></extra>",
    }
    figure = go.Figure()
    _still(figure, "dimension of z, by KL", axis, height=300)
    figure.update_xaxes(range=[0.2, len(order) + 0.8])
    if line is None:
        shown = [values[dimension] for dimension in order]
        figure.add_bar(y=shown, marker={"color": colour}, **look)
        figure.update_yaxes(range=[0, 1.08 * max(0.1, *shown)])
    else:
        shown = [max(values[dimension], floor) for dimension in order]
        figure.add_scatter(y=shown, mode="markers", marker={"color": colour, "size": 9}, **look)
        figure.add_hline(y=line, line={"color": palette.QUIET, "dash": "dot", "width": 2})
        figure.add_annotation(x=len(order), y=math.log10(line), text=f"in use above {line:g}", **_OVER_LINE)
        ends = [math.log10(floor) - 0.15, math.log10(max(2, 2 * max(shown)))]
        figure.update_yaxes(type="log", dtick=1, tickformat="~g", range=ends)
    return figure


def associations(frame: pd.DataFrame, order: Sequence[int], hover: str, *, top: float) -> PlotlyFigure:
    """What each label tells about each dimension, as a heat map: a row a label, the dimensions in the order given.

    `frame` has the columns label, dimension, value and, for the words under the pointer, limit; `hover` is those words
    with their figures: `%{z}` the value, `%{customdata}` the limit. `top` is the value of the full colour.
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
            colorbar={"thickness": 12, "outlinewidth": 0},
            hovertemplate=f"%{{y}} · %{{x}}<br>{hover}<extra></extra>",
        )
    )
    _still(figure, "dimension of z, by KL", "", height=110 + 30 * len(labels))
    figure.update_xaxes(type="category", tickfont={"size": 11}, showgrid=False, zeroline=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, zeroline=False)
    return figure


def by_position(frame: pd.DataFrame, colours: Mapping[str, str]) -> PlotlyFigure:
    """What a token costs more under another sentence's z, by its place in the sentence.

    `frame` has the columns run, position, sentences, own_nats and delta_nll_nats.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for run, colour in colours.items():
        own = frame[frame["run"] == run]
        figure.add_scatter(
            x=own["position"] + 1,
            y=own["delta_nll_nats"],
            customdata=own[["own_nats", "sentences"]],
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            name=run,
            hovertemplate="token %{x}: %{y:,.3~r} nats more with another z,<br>%{customdata[0]:,.3~r} nats with its own"
            " (%{customdata[1]:,} sentences)<extra>%{fullData.name}</extra>",
        )
    _still(figure, "token of the sentence", f"{METRICS['delta_nll_nats'].symbol} (nats a token)", height=360)
    figure.update_xaxes(range=[0.5, frame["position"].max() + 1.5])
    return figure


def gaps(frame: pd.DataFrame, colours: Mapping[str, str]) -> PlotlyFigure:
    """A difference for each run, as a dot with its interval; zero is marked.

    `frame` has the columns run, nats, low and high.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(
            x=frame["nats"],
            y=frame["run"],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": frame["high"] - frame["nats"],
                "arrayminus": frame["nats"] - frame["low"],
                "color": palette.QUIET,
                "thickness": 2.5,
                "width": 7,
            },
            customdata=frame[["low", "high"]],
            mode="markers",
            marker={"color": [colours[run] for run in frame["run"]], "size": 14},
            hovertemplate="%{y}: %{x:+,.3~r} nats (95 %: %{customdata[0]:+,.3~r} to %{customdata[1]:+,.3~r})"
            "<extra></extra>",
        )
    )
    low, high = min(frame["low"].min(), -0.5), max(frame["high"].max(), 0.5)
    _still(figure, "less ← cost with z (nats) → more", "", height=120 + 40 * len(frame))
    figure.update_xaxes(range=[low - 0.08 * (high - low), high + 0.08 * (high - low)], zeroline=False)
    figure.add_vline(x=0, line={"color": palette.QUIET, "width": 2})
    figure.update_yaxes(autorange="reversed", range=[-0.6, len(frame) - 0.4])
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


_POINTS: Mapping[bool, Any] = {False: {"size": 17}, True: {"size": 12, "symbol": "diamond"}}
"""The point of a run and of a yardstick, which may cover it."""
_MUTE: Mapping[str, Any] = {"hoverinfo": "skip", "showlegend": False}
_ON_LINE: Mapping[str, Any] = {"showarrow": False, "textangle": 45, "yshift": 8, "xshift": 6}
_OVER_LINE: Mapping[str, Any] = {
    "showarrow": False,
    "xanchor": "right",
    "yanchor": "bottom",
    "font": {"color": palette.FAINT},
}
_PLACE = (
    "%{customdata[1]}<br>KL %{x:,.3~r} + rec %{y:,.3~r} = −ELBO %{customdata[2]:,.3~r} nats"
    "<extra>%{customdata[0]}</extra>"
)


def _still(figure: PlotlyFigure, x: str, y: str, *, height: int) -> None:
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


def _along(nats: float, view: Mapping[str, tuple[float, float]]) -> list[tuple[float, float]]:
    """Places for words on the line of one -ELBO, inside the view; none where too little of it is seen."""
    (left, right), (bottom, top) = view["x"], view["y"]
    start, end = max(left, 0, nats - top), min(right, nats - bottom)
    if end - start < 0.15 * min(right - left, top - bottom):
        return []
    return [
        (start + share * (end - start), nats - start - share * (end - start)) for share in (0.2, 0.35, 0.5, 0.65, 0.8)
    ]


def _nearest(place: tuple[float, float], others: Sequence[tuple[float, float]]) -> float:
    """How far it is from a place to the nearest other one."""
    return min(math.dist(place, other) for other in others)


def _round_values(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers from low to high, evenly spaced: at least two, at most about `most`."""
    steps = (size * 10.0**power for power in range(-3, 7) for size in (1, 2, 5))
    step = next(step for step in steps if (high - low) / step <= most)
    first = math.ceil(low / step)
    return [step * number for number in range(first, max(math.floor(high / step), first + 1) + 1)]


def _numbers(way: pd.DataFrame) -> list[tuple[int, int]]:
    return [(int(step), int(phase)) for step, phase in zip(way["step"], way["phase"], strict=True)]
