"""The words of a sweep's report."""

from app.components.sweep_report import example


def test_how_labels_are_read_is_told_by_one_of_them():
    assert example(["max_0", "mean_0.4"], ["pooling", "noise"]) == (
        "A label names pooling and noise of a run, in this order: mean_0.4, for instance."
    )
    assert example(["z16", "z32"], ["latent size"]) == "A label, such as z32, is the latent size of a run."
