"""Figures that a page draws by itself, in Vega-Lite: a data frame in, a figure out. No streamlit, no vae, no state.

As long as only the data change, Streamlit hands the new rows to the chart that is there, and nothing blinks: so the
look of a figure depends on nothing that changes while a run trains. The curves of training are `components.curves`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from app import palette


class Figure(NamedTuple):
    """A Vega-Lite chart: its rows, and its look, which is plain JSON."""

    data: pd.DataFrame
    spec: dict[str, Any]


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


def costs(frame: pd.DataFrame) -> Figure:
    """What a sentence costs each model: rec and the KL as it is priced, end to end, and their sum.

    `frame` has the columns model, rec_nats, kl_nats and total_nats.
    """
    data = frame.melt(["model", "total_nats"], ["rec_nats", "kl_nats"], "term", "nats")
    data["term"] = data["term"].map({"rec_nats": "rec", "kl_nats": "β × KL"})
    colour = {"domain": ["rec", "β × KL"], "range": [palette.REC, palette.KL]}
    y = {"field": "model", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 240}}
    nats = {"field": "nats", "type": "quantitative", "stack": "zero", "title": "nats a sentence"}
    tooltip = [y | {"title": "model"}, {"field": "term"}, nats | {"format": ".1f", "stack": None}]
    spec = {
        "height": {"step": 44},
        "mark": {"type": "bar"},
        "encoding": {
            "y": y,
            "x": nats | {"scale": {"domainMin": 0}, "axis": {"tickCount": 6}},
            "color": {"field": "term", "type": "nominal", "scale": colour, "title": None, "legend": {"orient": "top"}},
            "order": {"field": "term", "sort": "ascending"},
            "tooltip": tooltip,
        },
    }
    return Figure(data, spec)


def rate_and_distortion(
    frame: pd.DataFrame, weight: float, colours: Mapping[str, str], *, height: int = 340, words: int = 14
) -> Figure:
    """KL against rec, a point a model, and the line on which every place costs as much as the cheapest of them.

    `frame` has the columns model, label, kl_nats and rec_nats, and `weight` is the price of a nat of KL. `colours` are
    those of the models; of two that lie on each other the later one is the smaller. `words` is the size of the labels,
    pixels. They stand above their points, where the line never comes.
    """
    wide, high = 1.06 * frame["kl_nats"].max() + 1, 1.12 * frame["rec_nats"].max()
    least = (frame["rec_nats"] + weight * frame["kl_nats"]).min()
    labels = together(frame)
    points = frame.assign(kind="point", label=labels, size=[320 if label else 110 for label in labels])
    line = pd.DataFrame({"kind": "line", "kl_nats": [0.0, wide], "rec_nats": [least, least - weight * wide]})
    x = {"field": "kl_nats", "type": "quantitative", "title": "KL: what the code costs (nats)"}
    y = {"field": "rec_nats", "type": "quantitative", "title": "rec: what is forgotten (nats)"}
    place = {
        "x": x | {"scale": {"domain": [0, wide], "nice": False}, "axis": {"titleColor": palette.KL, "grid": False}},
        "y": y | {"scale": {"domain": [0, high]}, "axis": {"titleColor": palette.REC, "tickCount": 5, "grid": False}},
    }
    colour = {"field": "model", "type": "nominal", "legend": None}
    colour["scale"] = {"domain": list(colours), "range": list(colours.values())}
    numbers = [x | {"title": "KL", "format": ".2f"}, y | {"title": "rec", "format": ".2f"}]
    dots = {"color": colour, "size": {"field": "size", "type": "quantitative", "scale": None}}
    dots["tooltip"] = [{"field": "model"}, *numbers]
    far = f"datum.kl_nats > {wide / 2}"
    above = {"type": "text", "baseline": "bottom", "fontSize": words, "color": palette.FAINT}
    above |= {"align": {"expr": f"{far} ? 'right' : 'left'"}, "dx": {"expr": f"{far} ? 8 : 6"}}
    above |= {"dy": {"expr": f"{far} ? -26 : -8"}}
    stroke = {"type": "line", "clip": True, "color": palette.QUIET, "strokeWidth": 2}
    spec = {
        "height": height,
        "layer": [
            _layer("line", stroke, place),
            _layer("point", {"type": "point", "filled": True, "opacity": 1}, place | dots),
            _layer("point", above, place | {"text": {"field": "label", "type": "nominal"}}),
        ],
    }
    return Figure(pd.concat([points, line], ignore_index=True), spec)


def together(frame: pd.DataFrame, near: float = 0.03) -> list[str]:
    """The words beside each model's point: its label with those of the later ones that lie on it; none beside these.

    `near` is how far that may be, as a share of the largest KL and rec. `frame` is that of `rate_and_distortion`.
    """
    scale = near * frame[["kl_nats", "rec_nats"]].max()
    labels: list[str] = []
    said: set[int] = set()
    places = frame[["kl_nats", "rec_nats"]]
    for index, place in enumerate(places.to_numpy()):
        same = [n for n in range(len(frame)) if (abs(places.iloc[n] - place) <= scale).all() and n not in said]
        labels.append(" · ".join(frame["label"].iloc[same]) if index in same else "")
        said.update(same)
    return labels


def beside(frame: pd.DataFrame, axis: str, top: float, colours: Mapping[str, str], *, height: int = 190) -> Figure:
    """A figure over training, up to `top`: the first of two lines, and dashed on it the second, to be held against.

    `frame` has the columns run, line, step and value; `colours` are those of the two lines, by name, in this order.
    """
    first, second = colours
    colour = {"domain": list(colours), "range": list(colours.values())}
    y = {"field": "value", "type": "quantitative", "title": axis}
    spec = {
        "height": height,
        "mark": {"type": "line", "clip": True, "tooltip": True},
        "encoding": {
            "x": {
                "field": "step",
                "type": "quantitative",
                "title": "step",
                "scale": {"nice": False},
                "axis": {"tickCount": 5, "grid": False},
            },
            "y": y | {"scale": {"domain": [0, top]}, "axis": {"tickCount": 4}},
            "color": {"field": "line", "type": "nominal", "scale": colour, "legend": None},
            "strokeDash": {"condition": {"test": f"datum.line == '{second}'", "value": [5, 4]}, "value": [1, 0]},
            "strokeWidth": {"condition": {"test": f"datum.line == '{first}'", "value": 4}, "value": 2.5},
            "tooltip": [
                {"field": "run"},
                {"field": "step", "type": "quantitative", "format": ","},
                y | {"format": ".2f"},
            ],
        },
    }
    return Figure(frame.reset_index(drop=True), spec)


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


def _layer(kind: str, mark: dict[str, Any], encoding: dict[str, Any], *transforms: dict[str, Any]) -> dict[str, Any]:
    """A layer that draws the rows of one kind."""
    return {"transform": [{"filter": f"datum.kind == '{kind}'"}, *transforms], "mark": mark, "encoding": encoding}
