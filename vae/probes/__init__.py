"""What codes are worth to somebody who reads them: pure functions of arrays and texts, no torch.

    factors.py      what a label tells about one dimension of z
    words.py        sentences as words: edit distance, the nearest of many, words swapped; smoothness
    labels.py       a label read from whole codes: from few examples, or from none
    published.py    what Li et al. 2019 print of their own models

`vae.probing` puts them to a model and its corpus.
"""

from vae.probes.factors import (
    Association,
    association,
    correlation_ratio,
    correlation_ratio_by_chance,
    entropy,
    mutual_information,
    numbered,
)
from vae.probes.labels import bag_of_words, cluster_labels, linear_accuracy, mixture_clusters
from vae.probes.words import PAIRS, correlation, edit_distances, nearest_distances, smoothness, swapped

__all__ = [
    "PAIRS",
    "Association",
    "association",
    "bag_of_words",
    "cluster_labels",
    "correlation",
    "correlation_ratio",
    "correlation_ratio_by_chance",
    "edit_distances",
    "entropy",
    "linear_accuracy",
    "mixture_clusters",
    "mutual_information",
    "nearest_distances",
    "numbered",
    "smoothness",
    "swapped",
]
