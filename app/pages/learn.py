"""Learn: the lesson on posterior collapse, a chapter at a time: predict, do, see what is so, remember."""

from __future__ import annotations

import uuid
from typing import Literal
from urllib.parse import urlencode

import streamlit as st

from app import backend, state
from app.components.address import heed
from app.components.class_bars import class_bars
from app.components.into_view import into_view
from app.components.presenter_keys import presenter_keys
from app.components.train_first import train_link
from app.lesson.chapter import Chapter, Place, read_places, write_places
from app.lesson.chapters import CHAPTERS
from app.lesson.worksheet import worksheet

HIDEABLE = {
    "class": "how the class predicted",
    "chapters": "the list of chapters",
    "share": "this form and the worksheet",
}
"""What a lesson link can leave out, and its name in the form that makes one."""

LARGE = """<style>
html { font-size: max(24px, 2.2vw); --navigation: 0.5rem; }
header, footer { display: none !important; }
[data-testid="stColumn"]:has([data-testid="stVegaLiteChart"]) { min-width: 100%; }
</style>"""
"""The look of presenter mode: readable from the last row, on any projector; a figure has the whole width."""

EVERY = 2.0
"""Seconds between two looks at the predictions of the class."""


def places() -> list[Place]:
    """How far the reader is in each chapter, by the address."""
    return read_places(st.query_params.get(state.LEARN_PLACES, ""), CHAPTERS)


def arrive(place: Place) -> None:
    """Set how far the reader is in the open chapter, in the address."""
    known = places()
    known[number()] = place
    written = write_places(known)
    if written:
        st.query_params[state.LEARN_PLACES] = written
    else:
        st.query_params.pop(state.LEARN_PLACES, None)


def number() -> int:
    """The open chapter, counted from 0: what the address names, or the first."""
    slugs = [chapter.slug for chapter in CHAPTERS]
    asked = st.query_params.get(state.LEARN_CHAPTER, slugs[0])
    return slugs.index(asked) if asked in slugs else 0


def open_chapter(index: int) -> None:
    """Turn to another chapter, as far as the reader is in it."""
    st.query_params[state.LEARN_CHAPTER] = CHAPTERS[index].slug
    st.session_state[state.LEARN_COME_TO] = 0


def move(place: Place) -> None:
    """Go to another place in the chapter, and have what is there come into view."""
    arrive(place)
    st.session_state[state.LEARN_COME_TO] = place.shown


def turn(way: int) -> None:
    """What a key does: a step on or back in the chapter, and at its end or beginning to the next or the one before."""
    place, index = places()[number()], number()
    if way > 0 and place.shown == 2:
        open_chapter(min(index + 1, len(CHAPTERS) - 1))
    elif way < 0 and place == Place():
        open_chapter(max(index - 1, 0))
    else:
        move(place.on() if way > 0 else place.back())


def guessed() -> None:
    """A prediction was made: it counts for the class, and what to do comes into view."""
    chapter = CHAPTERS[number()]
    said = st.session_state[f"{state.LEARN_GUESS}_{chapter.slug}"]
    if said is None:
        arrive(Place())
        return
    voter = st.session_state.setdefault(state.LEARN_VOTER, uuid.uuid4().hex)
    backend.predict(chapter.slug, voter, chapter.options.index(said))
    arrive(Place(chapter.options.index(said), max(1, places()[number()].shown)))


def part(shown: int) -> str:
    """The key of a part of the open chapter: its head, what to do, what is so."""
    return f"learn_{CHAPTERS[number()].slug}_{shown}"


def width() -> Literal["stretch"] | int:
    """How wide text runs: as far as the eye likes, pixels, or in large type as far as it can."""
    return "stretch" if state.LEARN_PRESENT in st.query_params else 820


def contents(current: int, known: list[Place]) -> None:
    """The chapters as buttons: which is open, and which are done."""
    with st.container(horizontal=True, gap="small", key="learn_contents"):
        for index, chapter in enumerate(CHAPTERS):
            st.button(
                f"{index + 1}  {chapter.short}",
                key=f"learn_open_{chapter.slug}",
                icon=":material/check:" if known[index].shown == 2 else None,
                type="primary" if index == current else "tertiary",
                on_click=open_chapter,
                args=(index,),
            )


def ask(chapter: Chapter, place: Place) -> None:
    """The question, and the prediction once it is made."""
    question, said = f"**Predict.** {chapter.question}", None if place.guess is None else chapter.options[place.guess]
    if place.shown == 2:
        st.markdown(f"{question} *{said or 'No prediction'}.*", width=width())
        return
    key = f"{state.LEARN_GUESS}_{chapter.slug}"
    if st.session_state.get(key) != said:
        st.session_state[key] = said  # the address is what counts: a link, or a key, may have changed it
    st.radio(question, chapter.options, index=None, key=key, on_change=guessed)
    if place.shown == 0:
        st.button("Go on without predicting", type="tertiary", on_click=move, args=(Place().on(),))


def outcome(chapter: Chapter, place: Place) -> None:
    """What is so, with the sentence to remember."""
    truth = chapter.options[chapter.answer]
    if place.guess is None:
        st.info(f"It turns out: {truth}.", icon=":material/lightbulb:")
    elif place.guess == chapter.answer:
        st.success(f"As you predicted: {truth}.", icon=":material/check_circle:")
    else:
        st.warning(f"It turns out otherwise: {truth}.", icon=":material/lightbulb:")
    chapter.reveal()
    with st.container(border=True):
        st.markdown(f":material/bookmark: **Remember.** {chapter.remember}")


def the_class(chapter: Chapter, place: Place) -> None:
    """How all readers on this server predicted, as it comes in."""
    counts = backend.predicted(chapter.slug, len(chapter.options))
    if sum(counts) > 1 or state.LEARN_PRESENT in st.query_params:
        class_bars(chapter.options, counts, chapter.answer if place.shown == 2 else None)


def share(chapter: Chapter) -> None:
    """A link to this chapter as a class should see it."""
    with st.popover("Lesson link", icon=":material/link:"):
        st.markdown("Opens this chapter at its beginning. Send it to a class, or keep it for the next one.")
        present = st.toggle("Presenter mode: large type, turned with keys", key=state.LEARN_LINK_PRESENT)
        hidden = st.multiselect(
            "Leave out", list(HIDEABLE), format_func=HIDEABLE.__getitem__, key=state.LEARN_LINK_HIDE
        )
        asked = {state.LEARN_CHAPTER: chapter.slug}
        asked |= {state.LEARN_PRESENT: "yes"} if present else {}
        asked |= {state.LEARN_HIDE: ",".join(hidden)} if hidden else {}
        link = f"{(st.context.url or '').split('?')[0]}?{urlencode(asked)}"
        st.code(link, language=None, wrap_lines=True)
        st.link_button("Open it", link, icon=":material/open_in_new:")
        if not backend.read_only() and sum(backend.predicted(chapter.slug, len(chapter.options))):
            st.button(
                "Forget the predictions of this chapter", on_click=backend.forget_predictions, args=(chapter.slug,)
            )


def paper() -> None:
    """The lesson as a sheet to print, for a class or for its teacher."""
    with st.popover("Worksheet", icon=":material/print:"):
        st.markdown("Two pages to print, A4 or Letter: the questions, and room for what was seen.")
        answers = st.toggle("With the answers, for the teacher", key=state.LEARN_ANSWERS)
        name = "bottleneck-answers.html" if answers else "bottleneck-worksheet.html"
        content = worksheet(CHAPTERS, answers=answers)
        st.download_button(
            "Download", content, name, "text/html", icon=":material/download:", on_click="ignore", key="learn_paper"
        )


def controls(chapter: Chapter, index: int, place: Place) -> None:
    """Back and on."""
    with st.container(horizontal=True, gap="small"):
        if index or place != Place():
            st.button("Back", icon=":material/arrow_back:", on_click=turn, args=(-1,))
        if place.shown == 1:
            st.button("Show what is so", type="primary", icon=":material/visibility:", on_click=turn, args=(1,))
        if place.shown == 2 and index + 1 < len(CHAPTERS):
            st.button(
                f"Next: {CHAPTERS[index + 1].title}",
                type="primary",
                icon=":material/arrow_forward:",
                on_click=turn,
                args=(1,),
            )
    if place.shown == 2 and index + 1 == len(CHAPTERS):
        st.markdown(
            "**That is the lesson.** Can you say why a collapsed model writes the same sentence for every *z*? "
            "Chapter 4 knows. The pages under *Explore*, *Train* and *Judge* go on from here."
        )


presenting = state.LEARN_PRESENT in st.query_params
hidden = [part for part in st.query_params.get(state.LEARN_HIDE, "").split(",") if part]
heed({state.LEARN_CHAPTER: [chapter.slug for chapter in CHAPTERS]})
if presenting:
    st.html(LARGE)
    presenter_keys(turn)
known, index = places(), number()
chapter, place = CHAPTERS[index], known[index]
if "chapters" not in hidden:
    contents(index, known)
with st.container(key=part(0)):
    st.title(chapter.title, anchor=False)
minutes = "a minute" if chapter.minutes == 1 else f"{chapter.minutes} minutes"
st.html(f'<div style="opacity:0.7">Chapter {index + 1} of {len(CHAPTERS)} · about {minutes}</div>')
if chapter.missing:
    st.markdown(
        "This chapter needs a finished run of each of these recipes on the built-in captions; they take a few "
        "minutes each."
    )
    with st.container(horizontal=True):
        for recipe in chapter.missing:
            train_link(f"Train {recipe}", {state.TRAIN_RECIPE: recipe})
    st.stop()
if absent := backend.absent(chapter.runs):
    st.markdown("This chapter shows runs that ship with Bottleneck, and some are not here. This makes them:")
    st.code(f"python -m vae bundle --all --only {' '.join(absent)}", language="bash", wrap_lines=True)
    st.stop()
st.markdown(chapter.setting, width=width())
ask(chapter, place)
if "class" not in hidden and place.shown:
    st.fragment(the_class, run_every=EVERY if presenting and place.shown < 2 else None)(chapter, place)
if place.shown >= 1:
    with st.container(border=True, key=part(1)), st.spinner("The models are being read …"):
        chapter.act()
if place.shown == 2:
    with st.container(key=part(2)):
        outcome(chapter, place)
controls(chapter, index, place)
if "share" not in hidden:
    with st.container(horizontal=True, gap="small"):
        share(chapter)
        paper()
if (shown := st.session_state.pop(state.LEARN_COME_TO, None)) is not None:
    into_view(part(shown), (chapter.title, "What to do", "What is so")[shown], block="start")
