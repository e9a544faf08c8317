from app import charts


def test_dimensions_are_drawn_with_their_number():
    figure = charts.units([0.1, 2.0], "#111111")
    assert figure.data.to_dict("list") == {"dimension": [0, 1], "kl": [0.1, 2.0]}
