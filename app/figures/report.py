"""Figures of what an evaluation measures: where a run lies, what its KL is made of, and what its z is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from app import palette
from app.figures.look import OVER_LINE, still, widths
from app.glossary import METRICS, phase_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

_MUTE: Mapping[str, Any] = {"hoverinfo": "skip", "showlegend": False}
_ON_LINE: Mapping[str, Any] = {"showarrow": False, "xanchor": "left", "yanchor": "bottom"}
_PLACE = (
    "%{customdata[1]}<br>KL %{x:,.3~r} + rec %{y:,.3~r} = −ELBO %{customdata[2]:,.3~r} nats%{customdata[3]}"
    "<extra>%{customdata[0]}</extra>"
)
NEAR = 0.02
"""Two runs lie at one place of the plane if they are as near as this, as a share of either axis."""


def rate_distortion(
    ends: pd.DataFrame, paths: pd.DataFrame, colours: Mapping[str, str], yardsticks: Mapping[str, float]
) -> PlotlyFigure:
    """KL (the rate) against rec (the distortion): one large point a run, its way there thin behind it.

    `ends` and `paths` have the columns run, kl_nats and rec_nats, `paths` also step and phase. On a thin line -ELBO =
    rec + KL is the same; `yardsticks` are costs of a sentence, by name, whose lines are marked. The axes begin at zero
    and are as long as the points need: a way may come from beyond, where who zooms out sees it. Of runs at one place
    the first is the largest, so that each is a ring around the next.
    """
    import plotly.graph_objects as go

    wide, high = _reaches(ends)
    high = max([high, *yardsticks.values()])
    view = {"x": (-0.05 * wide, 1.1 * wide), "y": (-0.05 * high, 1.15 * high)}
    figure = go.Figure()
    lines = _round_values(0, view["y"][1] + view["x"][1], most=12)
    step = lines[1] - lines[0]
    for nats in (*lines[1:], *(lines[-1] + step * more for more in range(1, 30))):
        figure.add_scatter(x=[0, nats], y=[nats, 0], mode="lines", line={"color": palette.QUIET, "width": 0.6}, **_MUTE)
    taken = [
        *zip(ends["kl_nats"], ends["rec_nats"], strict=True),
        *zip(paths["kl_nats"], paths["rec_nats"], strict=True),
    ]
    name = "−ELBO "  # said once
    for nats in lines[1::2]:  # every second one: beside it is room for words, on a phone too
        if places := _along(nats, view):
            x, y = max(places, key=lambda place: _nearest(place, taken, view))
            text = f"{name}{nats:,g}"
            figure.add_annotation(x=x, y=y, text=text, font={"color": palette.FAINT}, **_ON_LINE)
            name = ""
    for name, nats in yardsticks.items():
        line = {"color": colours[name], "width": 2, "dash": "dash"}
        figure.add_scatter(x=[0, nats], y=[nats, 0], mode="lines", line=line, **_MUTE)
    order = sorted(colours, key=lambda run: run in yardsticks)  # a yardstick lies on top
    places = ends.set_index("run").loc[[run for run in order if run in set(ends["run"])]].reset_index()
    groups = {run: group for group in at_one_place(places) for run in group}
    beside = {run: ", ".join(other for other in group if other != run) for run, group in groups.items()}
    beside = {run: f"<br>also here: {others}" if others else "" for run, others in beside.items()}
    for run in order:
        colour = colours[run]
        way, end = paths[paths["run"] == run], ends[ends["run"] == run]
        phases = sorted(set(way["phase"]))
        way = way.iloc[:-1]  # its last check is near its end
        words = [f"step {step:,}, {phase_of(phase, phases)}" for step, phase in _numbers(way)]
        way = pd.concat([way, end])
        sums = way["kl_nats"] + way["rec_nats"]
        figure.add_scatter(
            x=way["kl_nats"],
            y=way["rec_nats"],
            customdata=[
                *((run, said, nats, "") for said, nats in zip(words, sums.iloc[:-1], strict=True)),
                (run, "measured", sums.iloc[-1], beside[run]),
            ],
            mode="lines+markers",
            line={"color": colour, "width": 1.2},
            marker={"size": 4},
            opacity=0.55,
            showlegend=False,
            hovertemplate=_PLACE,
        )
    for run in order:
        end, group = ends[ends["run"] == run], groups[run]
        figure.add_scatter(
            x=end["kl_nats"],
            y=end["rec_nats"],
            customdata=[(run, "measured", *(end["kl_nats"] + end["rec_nats"]), beside[run])],
            mode="markers",
            marker={
                "color": colours[run],
                "size": 14 + 10 * (len(group) - 1 - group.index(run)),
                "symbol": "diamond" if run in yardsticks else "circle",
                "line": {"color": "white", "width": 1.5},
            },
            name=run,
            hovertemplate=_PLACE,
        )
    still(figure, METRICS["kl_nats"].axis, METRICS["rec_nats"].axis, height=480)
    figure.update_layout(legend={"itemsizing": "constant"})
    figure.update_xaxes(range=view["x"], fixedrange=False, zeroline=False)
    figure.update_yaxes(range=view["y"], fixedrange=False, zeroline=False)
    return figure


def at_one_place(ends: pd.DataFrame) -> list[list[str]]:
    """The runs of `rate_distortion`, those together that lie on each other there, in their order."""
    scale = [NEAR * reach for reach in _reaches(ends)]
    groups: list[tuple[tuple[float, float], list[str]]] = []
    for run, *place in zip(ends["run"], ends["kl_nats"], ends["rec_nats"], strict=True):
        for (kl, rec), group in groups:
            if abs(place[0] - kl) <= scale[0] and abs(place[1] - rec) <= scale[1]:
                group.append(run)
                break
        else:
            groups.append(((place[0], place[1]), [run]))
    return [group for _, group in groups]


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
        "information (MI, at least)": (information, {"color": palette.PARTS[0]}, "white"),
        "not known which": (kl - information - mismatch, {"color": palette.QUIET, "pattern": hatched}, ""),
        "mismatch with the prior (at least)": (mismatch, {"color": palette.PARTS[1]}, "black"),
    }
    figure = go.Figure()
    for name, (nats, marker, ink) in looks.items():
        figure.add_bar(
            y=frame["run"],
            x=nats,
            name=name,
            orientation="h",
            marker=marker,
            width=0.6,
            texttemplate="%{x:.1f}" if ink else "",
            textposition="inside",
            insidetextanchor="middle",
            insidetextfont={"color": ink or None},
            hovertemplate="%{y}, " + name + ": %{x:,.3~r} nats<extra></extra>",
        )
    still(figure, METRICS["kl_nats"].axis, "", height=190 + 44 * len(frame))
    figure.update_layout(barmode="stack", uniformtext={"minsize": 12, "mode": "hide"})
    figure.update_layout(legend={"traceorder": "normal", "entrywidth": 290})  # room for the words in any font
    figure.update_xaxes(range=[0, 1.05 * max(kl.max(), METRICS["kl_nats"].reach)])
    figure.update_yaxes(autorange="reversed")
    return figure


def information(frame: pd.DataFrame, colours: Mapping[str, str]) -> PlotlyFigure:
    """MI by the number of sentences it is estimated on: lower bound, upper bound (dashed), and the ceiling ln N.

    `frame` has the columns run, sentences, mi_nats, mi_upper_nats and mi_ceiling_nats. Of lines on each other the first
    is wide.
    """
    import plotly.graph_objects as go

    figure, hover = go.Figure(), "%{x:,} sentences: %{y:,.3~r} nats"
    top = min(3 * frame["mi_ceiling_nats"].max(), max(frame["mi_upper_nats"].max(), frame["mi_ceiling_nats"].max()))
    wide = _widths(frame, colours, "sentences", "mi_nats", top)
    for run, colour in colours.items():
        own = frame[frame["run"] == run].sort_values("sentences")
        looks = {
            "mi_nats": ("at least", {"color": colour, "width": wide[run]}, "lines+markers", True),
            "mi_upper_nats": ("at most", {"color": colour, "width": 1.5, "dash": "dash"}, "lines", False),
        }
        for column, (bound, line, mode, legend) in looks.items():
            figure.add_scatter(
                x=own["sentences"],
                y=own[column].clip(lower=0),
                mode=mode,
                line=line,
                marker={"size": line["width"] + 3},
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
    still(figure, "N, sentences", METRICS["mi_nats"].axis, height=340 + 16 * len(colours))
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
    still(figure, "dimension of z, by KL", axis, height=300)
    figure.update_xaxes(range=[0.2, len(order) + 0.8])
    if line is None:
        shown = [values[dimension] for dimension in order]
        figure.add_bar(y=shown, marker={"color": colour}, **look)
        figure.update_yaxes(range=[0, 1.08 * max(0.1, *shown)])
    else:
        shown = [max(values[dimension], floor) for dimension in order]
        figure.add_scatter(y=shown, mode="markers", marker={"color": colour, "size": 9}, **look)
        figure.add_hline(y=line, line={"color": palette.QUIET, "dash": "dot", "width": 2})
        figure.add_annotation(x=len(order), y=math.log10(line), text=f"in use above {line:g}", **OVER_LINE)
        ends = [math.log10(floor) - 0.15, math.log10(max(2, 2 * max(shown)))]
        figure.update_yaxes(type="log", dtick=1, tickformat="~g", range=ends)
    return figure


def by_position(frame: pd.DataFrame, colours: Mapping[str, str]) -> PlotlyFigure:
    """What a token costs more under another sentence's z, by its place in the sentence.

    `frame` has the columns run, position, sentences, own_nats and delta_nll_nats. Of lines on each other the first is
    wide.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    low, high = (
        min(0.0, frame["delta_nll_nats"].min()),
        max(METRICS["delta_nll_nats"].reach / 4, frame["delta_nll_nats"].max()),
    )
    wide = _widths(frame, colours, "position", "delta_nll_nats", high)
    for run, colour in colours.items():
        own = frame[frame["run"] == run]
        figure.add_scatter(
            x=own["position"] + 1,
            y=own["delta_nll_nats"],
            customdata=own[["own_nats", "sentences"]],
            mode="lines+markers",
            line={"color": colour, "width": wide[run]},
            marker={"size": wide[run] + 3},
            name=run,
            showlegend=True,  # one run, too, is named
            hovertemplate="token %{x}: %{y:,.3~r} nats more with another z,<br>%{customdata[0]:,.3~r} nats with its own"
            " (%{customdata[1]:,} sentences)<extra>%{fullData.name}</extra>",
        )
    still(
        figure,
        "token of the sentence",
        f"{METRICS['delta_nll_nats'].symbol} (nats a token)",
        height=340 + 12 * len(colours),
    )
    figure.update_xaxes(range=[0.5, frame["position"].max() + 1.5])
    figure.update_yaxes(range=[low - 0.04 * (high - low), high + 0.06 * (high - low)])
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
    still(figure, "less ← cost with z (nats) → more", "", height=120 + 40 * len(frame))
    figure.update_xaxes(range=[low - 0.08 * (high - low), high + 0.08 * (high - low)], zeroline=False)
    figure.add_vline(x=0, line={"color": palette.QUIET, "width": 2})
    figure.update_yaxes(autorange="reversed", range=[-0.6, len(frame) - 0.4])
    return figure


def _reaches(ends: pd.DataFrame) -> tuple[float, float]:
    """The largest KL and rec, and no less than what an axis shows at least."""
    return max(METRICS["kl_nats"].reach, *ends["kl_nats"]), max(METRICS["rec_nats"].reach, *ends["rec_nats"])


def _widths(frame: pd.DataFrame, colours: Mapping[str, str], x: str, y: str, high: float) -> dict[str, float]:
    """How wide the line of each run is drawn; see `widths`."""
    lines = [frame[frame["run"] == run] for run in colours]
    return dict(zip(colours, widths([dict(zip(own[x], own[y], strict=True)) for own in lines], high), strict=True))


def _along(nats: float, view: Mapping[str, tuple[float, float]]) -> list[tuple[float, float]]:
    """Places for words on the line of one -ELBO, inside the view; none where too little of it is seen."""
    (left, right), (bottom, top) = view["x"], view["y"]
    start, end = max(left, 0, nats - top), min(right, nats - max(bottom, 0))
    if end - start < 0.15 * min(right - left, top - bottom):
        return []
    return [
        (start + share * (end - start), nats - start - share * (end - start)) for share in (0.2, 0.35, 0.5, 0.65, 0.8)
    ]


def _nearest(
    place: tuple[float, float], others: Sequence[tuple[float, float]], view: Mapping[str, tuple[float, float]]
) -> float:
    """How far it is from a place to the nearest other one, as a share of the view."""
    (left, right), (bottom, top) = view["x"], view["y"]
    return min(math.hypot((place[0] - x) / (right - left), (place[1] - y) / (top - bottom)) for x, y in others)


def _round_values(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers from low to high, evenly spaced: at least two, at most about `most`."""
    steps = (size * 10.0**power for power in range(-3, 7) for size in (1, 2, 5))
    step = next(step for step in steps if (high - low) / step <= most)
    first = math.ceil(low / step)
    return [step * number for number in range(first, max(math.floor(high / step), first + 1) + 1)]


def _numbers(way: pd.DataFrame) -> list[tuple[int, int]]:
    return [(int(step), int(phase)) for step, phase in zip(way["step"], way["phase"], strict=True)]
