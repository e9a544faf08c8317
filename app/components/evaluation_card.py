"""A run on the page Evaluate: the verdict on its report in words, or the way to one."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import backend, state
from app.components.attempt import attempt
from app.components.run_card import dot, verdict_badge
from app.components.sentences import escape
from app.glossary import METRICS, duration, help_of

CHOICES = (10, 100, 1000)
"""K, the samples of z from which the cost of a sentence is estimated."""
EVERY = 1.0
"""Seconds between two looks at a run that is being measured."""


def evaluation_card(entry: backend.Entry, colour: str) -> None:
    """The card, in the surrounding container."""
    with st.container(border=True, height="stretch", gap="small", key=f"evaluate_card_{entry.name}"):
        found, problem = None, ""
        try:
            found = backend.evaluation(entry.name)
        except ValueError as error:  # a damaged report
            problem = str(error)
        errand = backend.measuring(entry.name)
        if found:
            _verdict(found, colour)
        else:
            st.markdown(dot(entry.name, colour))
        if errand and not errand.problem:
            st.fragment(_progress, run_every=EVERY)(entry.name)
            return
        if errand:
            problem = f"It could not be measured. {errand.problem.removeprefix('error:').strip()}"
        if problem:
            st.error(escape(problem), icon=":material/error:")
        if not found:
            _way_to_one(entry, "" if problem else _REASON[backend.has_report(entry.name)])
        elif entry.has_model and not entry.active and not backend.read_only():
            with st.popover("Measure again", icon=":material/straighten:"):
                _measure(entry.name, "Measure it again")


def _verdict(found: backend.Evaluation, colour: str) -> None:
    report, verdict = found.report, found.verdict
    entry = backend.entry(found.name)
    if found.yardstick:
        st.markdown(f"{dot(found.name, colour)}  \n{verdict_badge('yardstick')}")
        cost = METRICS["nll_nats"].show(report.nll_nats)
        st.markdown("**A language model: the same decoder, with z fixed to zero.**")
        st.markdown(f"A sentence costs it {cost} nats. What the other runs gain from z is held against that.")
    else:
        st.markdown(f"{dot(found.name, colour)}  \n{verdict_badge(verdict.name)}")
        headline = backend.placed(verdict.headline, entry, found.step)
        st.markdown(f"**{escape(headline)}**")
        st.markdown("\n".join(f"- {escape(sentence)}" for sentence in verdict.evidence))
        first, *more = verdict.advice
        st.markdown(f":material/lightbulb: {escape(first)}")
        if more:
            with st.expander("What else to try", key=f"evaluate_advice_{found.name}"):
                st.markdown("\n".join(f"- {escape(advice)}" for advice in more))
    st.space("stretch")
    st.caption(f"{report.sentences:,} test sentences · K = {report.samples:,} · weights of step {found.step:,}")


_REASON = {False: "Not measured yet.", True: "It has been trained on since it was measured."}
"""Why there is no report, by whether there is one of earlier weights."""


def _way_to_one(entry: backend.Entry, reason: str) -> None:
    """What to do about a run that has no report of its present weights."""
    if entry.active:
        st.markdown("It is still in training" + ("." if backend.read_only() else ": measure it when that has ended."))
        st.page_link(
            "app/pages/runs.py",
            label="Watch it train",
            icon=":material/monitoring:",
            query_params={state.RUN: entry.name},
        )
    elif not entry.has_model and entry.state == "finished":
        st.markdown("Its weights were not kept, and without them it cannot be measured.")
    elif not entry.has_model:
        st.markdown("It has no weights to measure: its training ended before the first were kept.")
        st.page_link(
            "app/pages/runs.py",
            label="See why it ended" if backend.read_only() else "Resume it, or see why it ended",
            icon=":material/monitoring:",
            query_params={state.RUN: entry.name},
        )
    elif backend.read_only():
        st.markdown(reason)
    else:
        st.markdown(f"{reason} Measuring takes a minute or two for 2,000 short sentences, in the background.")
        _measure(entry.name, "Measure it")


def _measure(name: str, label: str) -> None:
    samples = st.segmented_control(
        "Samples of z, K",
        CHOICES,
        default=backend.SAMPLES,
        required=True,
        key=state.samples(name),
        format_func=lambda count: f"{count:,}",
        help=f"The time it takes grows with K. {help_of(METRICS['nll_nats'])}",
    )
    st.button(
        label,
        icon=":material/straighten:",
        type="primary",
        key=f"evaluate_measure_{name}",
        on_click=attempt,
        args=(partial(backend.measure, name, samples),),
    )


def _progress(name: str) -> None:
    """How far the measuring is; redraws the page when it has ended."""
    errand = backend.measuring(name)
    if errand is None or errand.problem:
        st.rerun()
    done, total = errand.progress or (0, 0)
    words = "Opening the model …"
    if done:
        left = errand.seconds / done * (total - done)
        words = f"Pass {done:,} of {total:,} over the sentences · about {duration(left)} left"
    st.progress(done / total if total else 0.0, text=words)
    st.button(
        "Stop",
        icon=":material/stop_circle:",
        key=f"evaluate_stop_{name}",
        on_click=backend.stop_measuring,
        args=(name,),
    )
