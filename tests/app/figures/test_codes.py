"""Figures of codes: what they show, read from their traces."""

import pandas as pd

from app import figures


def test_associations_stand_in_the_order_given_with_their_limits_on_hover():
    frame = pd.DataFrame(
        [("number", 0, 0.1, 0.01), ("number", 1, 0.8, 0.01), ("weather", 0, 0.3, 0.02), ("weather", 1, 0.2, 0.02)],
        columns=["label", "dimension", "value", "limit"],
    )
    heat = figures.associations(frame, [1, 0], "R² %{z:.3f}, by chance %{customdata:.3f}", unit="R²", top=1.0).data[0]
    assert heat.colorbar.title.text == "R²"
    assert list(heat.x) == ["z1", "z0"]
    assert list(heat.y) == ["number", "weather"]
    assert heat.z.tolist() == [[0.8, 0.1], [0.2, 0.3]]
    assert heat.customdata.tolist() == [[0.01, 0.01], [0.02, 0.02]]
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert "by chance" in heat.hovertemplate


def test_a_map_to_keep_shows_every_sentence_in_its_group():
    frame = pd.DataFrame(
        {"x": [0.0, 1.0, 2.0], "y": 0.0, "text": ["a", "b", "c d " * 30], "group": ["dog", "cat", "dog"]}
    )
    figure = figures.map_to_keep(frame, "Codes", ("PC 1", "PC 2"))
    assert [trace.name for trace in figure.data] == ["cat", "dog"]
    assert figure.data[1].text[0] == "a"
    assert "<br>" in figure.data[1].text[1]
