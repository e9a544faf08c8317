"""All benchmarks, one after the other, and one table of their ratios.

    python -m benchmarks [NAME ...] [--json FILE]

Each runs in a process of its own, checks first that both sides compute the same, and ends the whole if they do not.
Figures of a machine that does something else meanwhile are worth little: the ratios are medians of rounds in turn.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import RECORD
from vae import machine

ALL = {
    "decode": ["decode"],
    "decode steps": ["decode_steps"],
    "decode while a run trains": ["decode", "--while-training"],
    "train": ["train"],
    "lstm": ["lstm"],
    "metrics": ["metrics"],
    "projection": ["projection"],
    "evaluate": ["evaluate", "--samples", "20"],
    "growth": ["growth"],
    "first paint": ["first_paint"],
    "interact": ["interact"],
    "gesture": ["gesture"],
    "monitor": ["monitor"],
    "classroom": ["classroom"],
}
"""The command line of each, after `python -m benchmarks.`; `faults`, which kills processes for minutes, is left out."""


def table(entries: list[dict[str, Any]]) -> str:
    """A line for each ratio: its median, and the middle half of those of single rounds."""
    lines = []
    for entry in entries:
        spread = ""
        if len(entry["ratios"]) >= 4:
            low, _, high = statistics.quantiles(entry["ratios"], n=4)
            spread = f"{low:.2f} to {high:.2f}"
        what = f"{entry['side']} / {entry['against']}"
        lines.append(
            f"{entry['benchmark']:<12} {entry['title'][:58]:<58} {what[:52]:<52} {entry['ratio']:8.2f}   {spread}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)} (all)")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, too")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in ALL]:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose among {', '.join(ALL)}")
    entries: list[dict[str, Any]] = []
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.names or ALL:
            place = Path(scratch) / "found"
            print(f"\n=== {name}", flush=True)
            module, *arguments = ALL[name]
            command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
            if subprocess.run(command, env=os.environ | {RECORD: str(place)}, check=False).returncode:
                failed.append(name)
            if place.exists():
                lines = place.read_text(encoding="utf-8").splitlines()
                entries += [{"benchmark": name, **json.loads(line)} for line in lines]
                place.unlink()
    print(f"\n\n{table(entries)}")
    if options.json:
        found = {
            "date": datetime.date.today().isoformat(),
            "system": f"{platform.system()} {platform.machine()}",
            "cores": machine.cores(),
            "vector units": torch.backends.cpu.get_cpu_capability(),
            "torch": torch.__version__,
            "failed": failed,
            "ratios": entries,
        }
        Path(options.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
