"""The lesson on paper: a question a chapter with boxes to tick, what to do, and lines for what was seen.

One HTML file that needs nothing else and prints on two pages of A4 or Letter, in colour or without: the terms of the
ELBO differ in their lines as well. The teacher's has the answers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from app import palette
from app.lesson.chapter import Chapter

TASKS: Mapping[str, str] = {
    "warm-up": "Turn up the noise, and watch the bars.",
    "space": "Walk from one sentence to the other.",
    "objective": "Move the price β, and see which model is the cheapest.",
    "collapse": "Play the race, slowly at first, and watch KL.",
    "telling": "Compare what went into both models with what came out.",
    "switches": "Switch one guard off, then others.",
    "losses": "Send a sentence of your own through the code.",
}
"""What to do in each chapter, in a line: on the page a chapter says it with its controls."""

LINES = 2
"""Ruled lines to write on."""

STYLE = f"""
@page {{ margin: 11mm 14mm; }}
:root {{ color-scheme: light; --rec: {palette.REC}; --kl: {palette.KL}; }}
* {{ box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
body {{ max-width: 182mm; margin: 0 auto; padding: 6mm 0; background: #fff; color: #111;
  font: 10.5pt/1.35 "Source Sans 3", "Segoe UI", "Helvetica Neue", Arial, sans-serif; }}
h1 {{ margin: 0; font: 600 17pt/1.2 Georgia, serif; }}
h2 {{ margin: 0; font: 600 12.5pt/1.3 Georgia, serif; }}
p, ul {{ margin: 1mm 0; }}
header {{ display: flex; justify-content: space-between; align-items: baseline; gap: 6mm; }}
.who {{ flex: 0 0 70mm; border-bottom: 0.3mm solid #111; }}
.elbo {{ display: flex; justify-content: center; align-items: flex-start; gap: 2.5mm; margin: 2mm 0; font-size: 12pt; }}
.elbo small {{ display: block; font-size: 9pt; text-align: center; }}
.term math {{ display: block math; margin: 0; padding: 0 1mm 0.6mm; border-bottom: 0.7mm solid var(--rec); }}
.kl math {{ border-bottom: 1.4mm double var(--kl); padding-bottom: 0; }}
.term small {{ color: #8f4708; }}
.kl small {{ color: #4a3fd0; }}
section {{ padding: 1.8mm 0; border-top: 0.3mm solid #999; break-inside: avoid; }}
h2 small {{ font: 9pt sans-serif; color: #444; }}
ul {{ display: flex; flex-wrap: wrap; gap: 0.5mm 7mm; padding: 0; list-style: none; }}
.box {{ display: inline-block; width: 3.6mm; height: 3.6mm; margin-right: 1.6mm; border: 0.35mm solid #111;
  font: 700 3.6mm/3mm sans-serif; text-align: center; vertical-align: -0.4mm; }}
dl {{ display: grid; grid-template-columns: 24mm 1fr; gap: 0 2mm; margin: 0; }}
dt {{ font-weight: 600; }}
dd {{ margin: 0; }}
.line {{ height: 6.6mm; border-bottom: 0.25mm solid #777; }}
dt.write {{ padding-top: 2.2mm; }}
.hint {{ color: #444; font-size: 9.5pt; }}
@media print {{ .hint {{ display: none; }} body {{ padding: 0; }} }}
@media screen and (max-width: 190mm) {{
  body {{ padding: 4mm; }}
  header, .elbo {{ flex-wrap: wrap; }}
  dl {{ grid-template-columns: 1fr; }}
}}
"""

Q = "<mi>q</mi><mo>(</mo><mi>z</mi><mo>|</mo><mi>x</mi><mo>)</mo>"
ELBO = (
    '<div class="elbo" role="math" aria-label="minus ELBO is rec, what is forgotten, plus beta times KL, what the code '
    'costs">'
    "<span><math><mo>−</mo><mi>ELBO</mi><mo>=</mo></math></span>"
    '<span class="term rec"><math><mrow><mo>−</mo>'
    f"<msub><mi>𝔼</mi><mrow>{Q}</mrow></msub><mi>log</mi><mi>p</mi><mo>(</mo><mi>x</mi><mo>|</mo><mi>z</mi><mo>)</mo>"
    "</mrow></math><small>rec: what is forgotten</small></span>"
    "<span><math><mo>+</mo><mi>β</mi></math></span>"
    f'<span class="term kl"><math><mrow><mi>KL</mi><mo>(</mo>{Q}<mo>‖</mo><mi>p</mi><mo>(</mo><mi>z</mi><mo>)</mo>'
    "<mo>)</mo></mrow></math><small>KL: what the code costs</small></span></div>"
)
"""The objective as MathML, which every browser draws: rec over a plain line, KL over a double one."""


def worksheet(chapters: Sequence[Chapter], *, answers: bool = False) -> str:
    """The whole file. With `answers` it is the teacher's: the boxes ticked, and what to remember."""
    title = "Posterior collapse: the answers" if answers else "Posterior collapse: a worksheet"
    who = "" if answers else '<div class="who">Name</div>'
    parts = [_part(number, each, answers) for number, each in enumerate(chapters, start=1)]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><header><h1>{title}</h1>{who}</header>\n"
        '<p class="hint">Print this page: it fits on two sheets.</p>\n'
        f"{ELBO}\n<main>{''.join(parts)}</main></body></html>\n"
    )


def _part(number: int, chapter: Chapter, answers: bool) -> str:
    """One chapter."""
    options = "".join(
        f'<li><span class="box">✓</span><b>{_prose(option)}</b></li>'
        if answers and index == chapter.answer
        else f'<li><span class="box"></span>{_prose(option)}</li>'
        for index, option in enumerate(chapter.options)
    )
    minutes = f" <small>about {chapter.minutes} min</small>" if answers else ""
    do = f"<dt>Do</dt><dd>{_prose(TASKS[chapter.slug])}</dd>" if chapter.slug in TASKS else ""
    lines = '<div class="line"></div>' * LINES
    seen = "" if answers else f'<dt class="write">I saw</dt><dd>{lines}</dd>'
    remember = f"<dd>{_prose(chapter.remember)}</dd>" if answers else f"<dd>{lines}</dd>"
    head = "<dt>" if answers else '<dt class="write">'
    return (
        f"<section><h2>{number}  {_prose(chapter.title)}{minutes}</h2>"
        f"<p>{_prose(chapter.question)}</p><ul>{options}</ul>"
        f"<dl>{do}{seen}{head}To remember</dt>{remember}</dl></section>\n"
    )


def _prose(text: str) -> str:
    """The little Markdown of a chapter as HTML: bold, italics, and all else as it stands."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text))
    return re.sub(r"\*(.+?)\*", r"<i>\1</i>", bold)
