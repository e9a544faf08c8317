"""UMAP of a run's codes in a fresh process, as the app fits it: ours against UMAP with its own search for neighbours.

    python -m benchmarks.projection [--codes 10000] [--repeats 3]

A fresh process compiles what it needs, and for a map that is fitted once that counts. Of a code's neighbours among the
codes, both maps must have kept about as many.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np

from benchmarks.timing import report

LATENT = 32
NEIGHBOURS = 15

FIT = """
import sys
import numpy as np
from sklearn.neighbors import NearestNeighbors
from vae import projection

codes = np.random.default_rng(0).standard_normal(({n}, {latent})).astype(np.float32)
projection.EXACT = {exact}
places = projection._fit_umap(codes, seed=0).coordinates
some = np.arange(0, len(codes), max(1, len(codes) // 500))
near = [NearestNeighbors(n_neighbors={k} + 1).fit(x).kneighbors(x[some])[1][:, 1:] for x in (codes, places)]
print(np.mean([len(set(a) & set(b)) / {k} for a, b in zip(*near)]))
"""


def fit(codes: int, exact: int) -> tuple[float, float]:
    """Seconds of a process that fits a map, and the share of a code's neighbours that the map keeps."""
    program = FIT.format(n=codes, latent=LATENT, k=NEIGHBOURS, exact=exact)
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The map was not fitted: {done.stderr}")
    return time.perf_counter() - begun, float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    sides = {"ours": options.codes, "UMAP's own search": 0}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    kept: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.repeats):
        for name, exact in sides.items():
            took, share = fit(options.codes, exact)
            seconds[name].append(took)
            kept[name].append(share)
    ours, theirs = (float(np.mean(kept[name])) for name in sides)
    if ours < 0.9 * theirs:
        raise SystemExit(f"Our map keeps {ours:.1%} of a code's neighbours and UMAP's own {theirs:.1%}: it is worse.")
    print(f"Neighbours that the map keeps: ours {ours:.1%}, UMAP's own search {theirs:.1%}.")
    report(f"UMAP of {options.codes:,} codes of {LATENT}, in a fresh process", seconds, "s", 1)


if __name__ == "__main__":
    main()
