"""Where the time of a gesture goes, from the click to the painted answer: decoding, Python, Streamlit, the browser.

    python -m benchmarks.gesture [--repeats 20] [--picture docs/gesture.svg]

The page says when the gesture began, when its message left, and when the changed text was painted. The server says when
the script began, how long it waited for the model, and when it made and sent the message with the answer. Both look at
the clock of one machine, so a gesture is cut where the next one takes over, and its parts add up:

    browser     from the event to the message to the server; from the message with the answer to the paint
    Streamlit   from the message to the script; in the script, building elements; from the element to the socket
    Python      the rest of the script, up to the answer
    decoding    where the script waits for the model

What the script does after the answer is not waited for, and counts only as far as what comes of it keeps the browser
busy. In the script, Python and Streamlit are told apart by looking every millisecond whose code runs, which takes time
itself: `--plain` does not look, counts both as Python, and shows what the sum is without. Streamlit's front end, which
compares the page with the last one and draws the difference, is in the browser's part.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, TimeoutError, sync_playwright

from benchmarks.interact import EMPTY, FIND, ROOT, RUN, chromium, served, settle
from benchmarks.noted import NOTES, PLAIN
from benchmarks.timing import report
from vae import runs

PARTS = {"decoding": "#2F7FC1", "Python": "#CD8000", "Streamlit": "#12936A", "browser": "#9457C9"}
"""The parts of a gesture, and their colours, which can be told apart by every eye and on either ground."""
SOCKET = """
window.sent = [];
const Native = window.WebSocket;
window.WebSocket = class extends Native {
  send(content) {
    window.sent.push(performance.now());
    super.send(content);
  }
};
"""
WATCH = (
    """([kind, selector]) => {"""
    + FIND
    + """  let watched = find(document);
  const text = () => {
    if (!watched?.isConnected) watched = find(document);
    return watched?.textContent ?? "";
  };
  const before = text();
  window.sent.length = 0;
  window.gesture = null;
  window.addEventListener(kind, (event) => {
    const begun = event.timeStamp;
    const observer = new MutationObserver(() => {
      const now = text();
      if (!now || now === before) return;
      observer.disconnect();
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {  // comes after the frame has been drawn
        window.gesture = {
          origin: performance.timeOrigin, begun, painted: performance.now(), sent: [...window.sent],
        };
      };
      requestAnimationFrame(() => port2.postMessage(0));
    });
    observer.observe(watched.getRootNode(), { subtree: true, childList: true, characterData: true, attributes: true });
  }, { capture: true, once: true });
}"""
)


def parts(page: dict[str, Any], notes: Sequence[list[Any]], answer: str) -> dict[str, float]:
    """Seconds of each part of a gesture, from what the page and the server have noted.

    The `answer` is in the last message of that kind; where there is none, it was in the page.
    """
    found = dict.fromkeys(PARTS, 0.0)
    begun, painted = page["begun"] / 1e3, page["painted"] / 1e3
    sent = [when for what, *when in notes if what == "sent" and when[2].endswith(answer)]
    if not answer or not sent:
        return found | {"browser": painted - begun}
    origin = page["origin"] / 1e3
    told, (made, left, _) = page["sent"][0] / 1e3, sent[-1]
    started = next(when for what, when, *_ in notes if what == "begun")
    asked = [(when, min(end[0], made)) for what, when, *end in notes if what == "asked" and when < made]
    waited = sum(end - when for when, end in asked)
    looks = [
        what.removeprefix("seen ")
        for what, when, *_ in notes
        if what.startswith("seen") and started <= when <= made and not any(low <= when <= high for low, high in asked)
    ]
    theirs = looks.count("Streamlit") / max(1, len(looks))
    script = made - started - waited
    found["decoding"] = waited
    found["Python"] = script * (1 - theirs)
    found["Streamlit"] = script * theirs + (started - told - origin) + (left - made)
    found["browser"] = (told - begun) + (painted + origin - left)
    return found


def timed(
    page: Page, notes: Path, event: str, selector: str, answer: str, gesture: Callable[[], object], repeats: int
) -> list[dict[str, float]]:
    """The parts of each gesture; the first does not count, and one that leads to the same text is made anew."""
    found: list[dict[str, float]] = []
    for _ in range(4 * repeats):
        page.evaluate(WATCH, [event, selector])
        before = notes.stat().st_size
        gesture()
        with contextlib.suppress(TimeoutError):
            page.wait_for_function("window.gesture", timeout=4000)
        settle(page)
        if (seen := page.evaluate("window.gesture")) is not None:
            with notes.open(encoding="utf-8") as file:
                file.seek(before)
                found.append(parts(seen, [json.loads(line) for line in file], answer))
        if len(found) > repeats:
            return found[1:]
    raise SystemExit(f"{selector} did not change under {event}.")


def gestures(page: Page, notes: Path, empty: str, app: str, repeats: int) -> dict[str, list[dict[str, float]]]:
    """The gestures, and Streamlit's own round trip on a page with nothing on it."""
    found = {}

    def press(name: str) -> Callable[[], None]:
        return page.get_by_role("button", name=name).click

    page.goto(empty)
    line = '[data-testid="stMarkdown"] p'
    page.locator(line).wait_for()
    settle(page)
    found["a button on an empty page"] = timed(page, notes, "click", line, "markdown", press("press"), repeats)

    page.goto(f"{app}/interpolate?run={RUN}")
    page.locator(".strip .sentence").wait_for()
    settle(page)
    fresh = timed(page, notes, "click", ".strip .sentence", "path_strip", press("Two random codes"), repeats)
    found["a fresh path of 11 codes"] = fresh
    thumb = page.locator(".strip input[type=range]").first
    thumb.focus()
    slider = timed(page, notes, "keydown", ".strip .t", "", lambda: page.keyboard.press("ArrowRight"), min(9, repeats))

    page.goto(f"{app}/plane?run={RUN}")
    canvas = page.locator(".plane canvas")
    canvas.wait_for()
    settle(page)
    box = canvas.bounding_box()
    assert box is not None
    places = iter(np.random.default_rng(0).uniform(0.15, 0.85, (20 * repeats, 2)).tolist())

    def click() -> None:
        x, y = next(places)
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])

    for _ in range(3):  # A, B, C: from here on a click moves C
        click()
        settle(page)
    found["a click on the plane: 1 code"] = timed(
        page, notes, "pointerup", ".st-key-plane_card_C", "html", click, repeats
    )
    found["the slider of a path"] = slider
    return found


def middle(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each part over the middle half of the rounds by their sums: it is robust, and still adds up."""
    ranked = sorted(rounds, key=lambda each: sum(each.values()))
    kept = ranked[len(ranked) // 4 : max(len(ranked) // 4 + 1, 3 * len(ranked) // 4)]
    return {part: statistics.fmean(each[part] for each in kept) for part in PARTS}


def picture(found: dict[str, dict[str, float]]) -> str:
    """Bars of milliseconds, a gesture each, on a ground that follows the reader's theme."""
    left, top, width, row = 190, 44, 430, 38
    longest = max(sum(each.values()) for each in found.values()) * 1e3
    tick = next(step for step in (5, 10, 20, 25, 50, 100, 200, 500, 1000) if longest / step <= 7)
    end = tick * -(-longest // tick)
    scale, bottom = width / end, top + row * len(found)
    whole, high = left + width + 70, bottom + 46
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {high}" width="{whole}" height="{high}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img" aria-labelledby="what">',
        '<title id="what">Milliseconds from a gesture to its painted answer, by what they are spent on</title>',
        "<style>.ground { fill: #FDFCF9 } text { fill: #20252B } line { stroke: #DEDACF }"
        " @media (prefers-color-scheme: dark) {"
        " .ground { fill: #14181C } text { fill: #E9E7E1 } line { stroke: #343C44 } }</style>",
        f'<rect class="ground" width="{whole}" height="{high}" rx="8"/>',
    ]
    for number, (part, colour) in enumerate(PARTS.items()):
        x = left + 105 * number
        lines.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/>')
        lines.append(f'<text x="{x + 18}" y="24">{part}</text>')
    for number in range(round(end / tick) + 1):
        x = left + number * tick * scale
        lines.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{number * tick}</text>')
    lines.append(f'<text x="{left + width / 2}" y="{bottom + 36}" text-anchor="middle">milliseconds</text>')
    for number, (name, each) in enumerate(found.items()):
        y, x = top + row * number + 8, float(left)
        lines.append(f'<text x="{left - 10}" y="{y + 15}" text-anchor="end">{name}</text>')
        for part, colour in PARTS.items():
            long = each[part] * 1e3 * scale
            lines.append(f'<rect x="{x:.1f}" y="{y}" width="{long:.1f}" height="22" fill="{colour}"/>')
            x += long
        lines.append(f'<text x="{x + 6:.1f}" y="{y + 15}">{sum(each.values()) * 1e3:.0f} ms</text>')
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--plain", action="store_true", help="do not look into the script")
    parser.add_argument("--picture", metavar="FILE", help="draw the shares there, as SVG")
    options = parser.parse_args()
    if options.plain:
        os.environ[PLAIN] = "1"
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder, notes = Path(scratch) / "runs", Path(scratch) / "notes"
        shutil.copytree(ROOT / "checkpoints" / RUN, folder / RUN)
        shutil.copytree(runs.starter_path(), folder / "starter")
        script = Path(scratch) / "empty.py"
        script.write_text(EMPTY, encoding="utf-8")
        notes.touch()
        os.environ[NOTES] = str(notes)
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(60_000)
        page.add_init_script(SOCKET)
        program = "benchmarks.noted"
        with (
            served(ROOT / "streamlit_app.py", folder, program=program) as app,
            served(script, folder, program=program) as empty,
        ):
            rounds = gestures(page, notes, empty, app, options.repeats)
        browser.close()
    report("From a gesture to its painted answer", {k: [sum(each.values()) for each in v] for k, v in rounds.items()})
    found = {name: middle(each) for name, each in rounds.items()}
    print(f"\n  {'ms, the middle half of the rounds':<34}" + "".join(f"{part:>14}" for part in PARTS))
    for name, each in found.items():
        whole = sum(each.values())
        cells = (f"{1e3 * value:6.1f} {100 * value / whole:4.0f} %" for value in each.values())
        print(f"  {name:<34}" + "".join(f"{cell:>14}" for cell in cells))
    if options.picture:
        Path(options.picture).write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
