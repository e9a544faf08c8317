"""A linear VAE whose dimensions die one by one, under a slider for the noise (assets/linear_vae.*)."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from app import backend
from app.components.assets import component

_LINEAR_VAE = component("linear_vae", "live.css", "slider.css")

TICKS = (0.1, 0.3, 1, 3, 10)
"""Where the axis of the noise has numbers."""


def linear_vae(data: backend.LinearVae, *, key: str) -> None:
    """Show the KL of each dimension at the noise of the slider, and over all noises."""
    _LINEAR_VAE(key=key, data=drawing(data))


def drawing(data: backend.LinearVae) -> dict[str, Any]:
    """What the browser needs: the dimensions, the stops of the slider with what each says, and both axes."""
    size = len(data.variances)
    top = math.ceil(2 * max(map(max, data.exact))) / 2
    drawn = {
        "dimensions": [{"variance": value, "shown": f"{value:g}"} for value in data.variances],
        "stops": [
            {
                "noise": noise,
                "shown": f"{noise:.2f}" if noise < 9.995 else f"{noise:.1f}",
                "count": f"{alive} of {size} dimensions alive",
                "trained": [round(kl, 4) for kl in trained],
                "exact": [round(kl, 4) for kl in exact],
                "said": [f"{kl:.2f}" if rank < alive else "dead" for rank, kl in enumerate(trained)],
            }
            for noise, alive, trained, exact in zip(data.noises, data.alive, data.trained, data.exact, strict=True)
        ],
        "ticks": [{"noise": tick, "shown": f"{tick:g}"} for tick in TICKS if data.noises[0] <= tick <= data.noises[-1]],
        "levels": [{"kl": level / 2, "shown": f"{level / 2:g}"} for level in range(round(2 * top) + 1)],
    }
    return drawn | {"id": hashlib.sha256(repr(drawn).encode()).hexdigest()[:16]}
