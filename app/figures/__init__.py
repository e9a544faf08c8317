"""Figures that leave the app as files, or stand still, in Plotly: a data frame in, a figure out.

No streamlit, no vae, no state. What is secondary is drawn in `palette.QUIET`: one figure serves light and dark.
"""

from app.figures.codes import associations, map_to_keep
from app.figures.report import at_one_place, by_position, dimensions, gaps, information, kl_parts, rate_distortion
from app.figures.sweep import DASHES, Look, by_axis, over_steps

__all__ = [
    "DASHES",
    "Look",
    "associations",
    "at_one_place",
    "by_axis",
    "by_position",
    "dimensions",
    "gaps",
    "information",
    "kl_parts",
    "map_to_keep",
    "over_steps",
    "rate_distortion",
]
