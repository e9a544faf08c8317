"""Does one server serve a class? Read-only sessions follow the lesson while a run trains, against one session alone.

    python -m benchmarks.classroom [--sessions 30] [--minutes 0.6] [--cold]

The app is served on this computer, read-only, from a copy of the bundled runs, in which a real run trains as a
teacher's own server would have it. One in five sessions watches that run; the others open a chapter of Learn each,
predict, do what there is to do, have shown what is so, and turn to the next chapter, with pauses between. Before and
after the class, a single session does the same. `--cold` lets the class be the first on a fresh server. Seconds are
those from a gesture to the end of its script, as `visitor` sees them: no browser draws. With the usual options it takes
about two minutes. First it is checked that nothing failed and nothing was lost; if not, the exit code is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import logging
import math
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from websockets.exceptions import WebSocketException

from benchmarks.interact import ROOT, served
from benchmarks.timing import record
from benchmarks.visitor import Visitor, visit
from vae import jobs, recipes, runs
from vae.runs import Run

logging.getLogger("streamlit.runtime.caching").setLevel(logging.ERROR)  # the pages are imported, not served, here
from app import backend  # noqa: E402
from app.backend import permission  # noqa: E402
from app.components.training_monitor import EVERY  # noqa: E402
from app.lesson.chapters import CHAPTERS  # noqa: E402
from app.lesson.switches import GUARDS  # noqa: E402

ALONE = 6.0
"""Seconds for which training is watched with nobody else there, before and after."""
ARRIVAL = 3.0
"""Seconds within which a class opens its links."""
THOUGHT = (1.5, 4.5)
"""Seconds that a student takes before the next gesture."""
HASTE = (0.1, 0.2)
"""The same of the single session, which has less time."""
LONGEST = 25.0
"""Seconds after which the single session opens no other chapter."""
WATCHERS = 5
"""One session in so many watches the run."""
LOOKS = 4
"""Redraws of the live page that the single session waits for."""
PRICES = ("0.2", "0.5", "0.8", "1.5", "4")
WORDS = (
    ("a man", "two women", "an old woman", "three children", "a boy in a red shirt", "some people", "a dog", "nobody"),
    ("is sleeping", "is not running", "are playing", "is reading a book", "is eating", "is waiting", "are dancing"),
    ("in the park", "on the beach", "by the fire", "near the station", "in the rain", "at a table", "under a tree"),
)


@dataclass
class Class:
    """What some sessions did and saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of every gesture, by its kind."""
    problems: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    sent: int = 0
    answered: int = 0
    seen: list[list[tuple[float, float, int]]] = field(default_factory=list)
    """By watcher: when each redraw was asked for, when it was there, and the step that it showed."""

    def leave(self, visitor: Visitor) -> None:
        """A session has come to its end."""
        self.problems += visitor.problems
        self.sent, self.answered = self.sent + visitor.sent, self.answered + visitor.answered


@dataclass
class Trainer:
    """The run that trains, as its files tell of it."""

    run: Run
    written: list[tuple[float, int]] = field(default_factory=list)
    """When the run was first seen to have come to a step, and the step."""

    @property
    def step(self) -> int:
        """The last step that is known of."""
        return self.written[-1][1] if self.written else 0

    async def follow(self) -> None:
        """Look again and again."""
        while True:
            step = self.run.status.step
            if step > self.step:
                self.written.append((time.monotonic(), step))
            await asyncio.sleep(0.1)

    @contextlib.asynccontextmanager
    async def pace(self, into: list[float]) -> AsyncIterator[None]:
        """Collect the steps a second that the run itself measures meanwhile; checks and saving are not in them."""
        offset = self.run.metrics_path.stat().st_size
        yield
        events, _ = runs.read_lines(self.run.metrics_path, offset)
        batch = self.run.config.train.batch_size
        into += [event["sentences_per_second"] / batch for event in events if event.get("split") == "train"]


@contextlib.asynccontextmanager
async def session(found: Class, address: str, page: str, query: str) -> AsyncIterator[Visitor]:
    """A visitor whose end is noted, a bad one too."""
    try:
        async with visit(address, page, query) as visitor:
            try:
                yield visitor
            finally:
                found.leave(visitor)
    except (OSError, LookupError, ValueError, WebSocketException) as error:
        found.unfinished.append(f"{page}?{query}: {type(error).__name__} {error}")


async def chapter(visitor: Visitor, found: Class, rng: random.Random, pause: tuple[float, float], index: int) -> None:
    """One chapter from its question to what is so; it has been opened."""
    chosen = CHAPTERS[index]

    async def after(kind: str, gesture: object) -> None:
        found.seconds[kind].append(await gesture)  # type: ignore[misc]
        await asyncio.sleep(rng.uniform(*pause))

    await asyncio.sleep(rng.uniform(*pause))
    await after("predict", visitor.choose(rng.choice(chosen.options)))
    if chosen.slug == "space":
        walk = visitor.data("bottleneck_path_strip")["id"]
        for step in rng.sample(range(1, 17), 3):
            await after("walk", visitor.report("bottleneck_path_strip", {"position": {"id": walk, "step": step}}))
    if chosen.slug == "objective":
        for price in rng.sample(PRICES, 3):
            await after("price", visitor.slide("Price of a nat of KL, β", price))
    if chosen.slug == "switches":
        for on in (False, True):
            await after("switch", visitor.switch(GUARDS["warmup"][0], on))
    if chosen.slug == "losses":
        for _ in range(3):
            await after("sentence", visitor.write("Your sentence", next(SENTENCES)))
    await after("reveal", visitor.press("Show what is so"))
    if not (visitor.asked("learned") or "")[index : index + 1].isupper():
        raise LookupError(f"The chapter did not come to its end: {visitor.query}")


def sentences() -> Iterator[str]:
    """Sentences that nobody has sent before, so that none is known already."""
    known = list(itertools.product(*WORDS))
    random.Random(0).shuffle(known)
    for number in itertools.count():
        yield f"{' '.join(known[number % len(known)])} {'and sings ' * (number // len(known))}."


SENTENCES = sentences()


def whole() -> list[int]:
    """The chapters that have all the runs they need; first those in which the server has most to do."""
    there = [index for index, each in enumerate(CHAPTERS) if not each.missing and not backend.absent(each.runs)]
    return sorted(there, key=lambda index: CHAPTERS[index].slug not in ("space", "losses", "objective", "switches"))


async def student(found: Class, address: str, first: int, seed: int, until: float, pause: tuple[float, float]) -> None:
    """A chapter, and the next ones, until the time is up; never less than the one that was opened."""
    rng = random.Random(seed)
    async with session(found, address, "learn", f"chapter={CHAPTERS[first].slug}") as visitor:
        found.seconds["open"].append(await visitor.look())
        chapters = whole()
        for number in range(len(chapters)):
            index = chapters[(chapters.index(first) + number) % len(chapters)]
            if number:
                found.seconds["turn"].append(await visitor.press(f"{index + 1}  {CHAPTERS[index].short}"))
            await chapter(visitor, found, rng, pause, index)
            if time.monotonic() > until:
                break
        await asyncio.sleep(max(0.0, until - time.monotonic()))  # the page stays open


async def watcher(found: Class, address: str, run: Run, until: float, least: int = LOOKS) -> None:
    """The live page, redrawn as often as it asks for it."""
    seen: list[tuple[float, float, int]] = []
    found.seen.append(seen)
    async with session(found, address, "runs", f"run={run.name}") as visitor:
        found.seconds["open live page"].append(await visitor.look())
        while time.monotonic() < until or len(seen) < least:
            (interval,) = visitor.intervals.values()
            await asyncio.sleep(max(0.0, interval - (found.seconds["redraw"][-1] if seen else 0.0)))
            asked = time.monotonic()
            found.seconds["redraw"].append(await visitor.refresh())
            bar = next(visitor.of_kind("progress")).text
            seen.append((asked, time.monotonic(), int(bar.split()[1].replace(",", "")) if "step" in bar else 0))


async def single(found: Class, address: str, run: Run | None) -> None:
    """Every chapter in a session of its own, then the live page, if a run is named; one thing after the other.

    On a machine that has much else to do some chapters are left out, so that it comes to an end.
    """
    end = time.monotonic() + LONGEST
    for index in whole():
        if time.monotonic() < end:
            await student(found, address, index, index, time.monotonic(), HASTE)
    if run:
        await watcher(found, address, run, time.monotonic())


async def everybody(found: Class, address: str, run: Run, sessions: int, seconds: float) -> None:
    """The class, all of it there until the time is up."""
    end, chapters = time.monotonic() + seconds, whole()

    async def member(number: int) -> None:
        await asyncio.sleep(random.Random(number).uniform(0, ARRIVAL))
        if number % WATCHERS == WATCHERS - 1:
            await watcher(found, address, run, end)
        else:
            await student(found, address, chapters[number % len(chapters)], number, end, THOUGHT)

    await asyncio.gather(*(member(number) for number in range(sessions)))


@dataclass
class Process:
    """The server, as the system sees it."""

    server: psutil.Process
    trainer: psutil.Process

    @property
    def megabytes(self) -> float:
        """Memory that the server and its children hold."""
        family = [self.server, *self.server.children(recursive=True)]
        return sum(member.memory_info().rss for member in family) / 1e6

    async def weigh(self, into: dict[str, float], name: str) -> None:
        """Keep the most memory that the server ever holds."""
        while True:
            into[name] = max(into.get(name, 0.0), self.megabytes)
            await asyncio.sleep(0.5)

    @contextlib.contextmanager
    def load(self, into: Counter[str]) -> Iterator[None]:
        """Add the seconds of processor time that are spent meanwhile, by whom, and those on the clock."""
        before = self._seconds()
        yield
        into.update({name: now - before[name] for name, now in self._seconds().items()})

    def _seconds(self) -> dict[str, float]:
        whole = psutil.cpu_times()
        busy = sum(getattr(whole, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
        each = {"server": self.server, "trainer": self.trainer, "visitors": psutil.Process()}
        own = {name: sum(process.cpu_times()[:2]) for name, process in each.items()}
        return own | {"others": busy - sum(own.values()), "clock": time.monotonic()}


@dataclass
class Findings:
    """What a whole measurement has found."""

    single: Class = field(default_factory=Class)
    many: Class = field(default_factory=Class)
    megabytes: dict[str, float] = field(default_factory=dict)
    pace: dict[str, list[float]] = field(default_factory=lambda: {"alone": [], "single": [], "many": []})
    """Steps a second of the run, as it says itself, with nobody there, with one session, and with the class."""
    load: dict[str, Counter[str]] = field(default_factory=lambda: {"single": Counter(), "many": Counter()})
    """Seconds of processor time with one session and with the class."""
    first: Class = field(default_factory=Class)
    """The first session of all on a fresh server; empty where the class was the first."""


async def measure(options: argparse.Namespace, address: str, run: Run) -> tuple[Findings, Trainer]:
    """Nobody, one, all, one, nobody; the run trains from the beginning to the end."""
    found, trainer = Findings(), Trainer(run)
    (server,) = (each for each in psutil.Process().children() if "streamlit" in " ".join(each.cmdline()))
    process = Process(server, server)
    found.megabytes["no session yet"] = process.megabytes
    jobs.start(run)
    if not options.cold:
        await single(found.first, address, None)
    while run.status.step < 20:
        await asyncio.sleep(0.2)
        if jobs.reconcile(run).state not in runs.ACTIVE:
            raise SystemExit(f"The run does not train: {run.status.message}")
    process.trainer = psutil.Process(run.status.pid)
    following = asyncio.create_task(trainer.follow())

    async def alone() -> None:
        async with trainer.pace(found.pace["single"]):
            with process.load(found.load["single"]):
                await single(found.single, address, run)

    async with trainer.pace(found.pace["alone"]):
        await asyncio.sleep(ALONE)
    if not options.cold:
        await alone()
        found.megabytes["one session"] = process.megabytes
    async with trainer.pace(found.pace["many"]):
        with process.load(found.load["many"]):
            weighing = asyncio.create_task(process.weigh(found.megabytes, f"{options.sessions} sessions, at most"))
            await everybody(found.many, address, run, options.sessions, 60 * options.minutes)
            weighing.cancel()
    await alone()
    async with trainer.pace(found.pace["alone"]):
        await asyncio.sleep(ALONE)
    following.cancel()
    return found, trainer


def lags(trainer: Trainer, seen: Sequence[tuple[float, float, int]]) -> list[float]:
    """Seconds from each step that the run came to until a watcher saw it, or a later one.

    Steps that came after the last redraw was asked for are left out, and so are those before the first.
    """
    found = []
    for written, step in trainer.written:
        if seen[0][0] <= written <= seen[-1][0]:
            found.append(next((there for _, there, shown in seen if shown >= step), math.inf) - written)
    return found


def checks(found: Findings, trainer: Trainer, log: str) -> list[tuple[bool, str]]:
    """What must be so, each with whether it is."""
    both = (found.first, found.single, found.many)
    problems = [words for each in both for words in each.problems]
    problems += [line for line in log.splitlines() if line.startswith("Traceback") or " ERROR " in line]
    unfinished = [words for each in both for words in each.unfinished]
    sent, answered = sum(each.sent for each in both), sum(each.answered for each in both)
    watched = [seen for each in both for seen in each.seen if seen]
    fallen = sum(after[2] < before[2] for seen in watched for before, after in itertools.pairwise(seen))
    behind = 0
    for asked, _, shown in itertools.chain.from_iterable(watched):
        known = [step for written, step in trainer.written if written < asked]
        behind += bool(known) and shown < known[-1]
    late = max((lag for seen in watched for lag in lags(trainer, seen)), default=math.inf)
    return [
        (not problems, f"No exception or error in any session or in the log of the server: {problems[:3] or 'none'}"),
        (not unfinished, f"Every session came to its end: {unfinished[:3] or 'all'}"),
        (sent == answered, f"Every message was answered by a script that ran to its end: {answered:,} of {sent:,}"),
        (fallen == 0, f"The step on the live page never fell: {fallen} times in {sum(map(len, watched))} redraws"),
        (behind == 0, f"A redraw showed the step that was known when it was asked for: {behind} did not"),
        (late <= 2 * EVERY, f"A step was seen at the latest {late:.1f} s after it was written (at most {2 * EVERY:g})"),
    ]


def show(found: Findings, sessions: int) -> None:
    """The figures, as tables."""
    print(f"\nSeconds from a gesture to the end of its script, one session and {sessions}")
    head = "".join(f"{name:>8}" for name in ("n", "median", "p90", "p99", "max"))
    print(f"  {'':<16}{head}   {head}   median, p90")
    for kind in sorted({*found.single.seconds, *found.many.seconds}):
        one, all_ = found.single.seconds[kind], found.many.seconds[kind]
        if one and all_:
            ratios = " ".join(f"x{_share(all_, share) / _share(one, share):<6.1f}" for share in (0.5, 0.9))
            print(f"  {kind:<16}{_row(one)}   {_row(all_)}   {ratios}")
            record(f"{kind} in a class of {sessions}", "all", all_, "one session", one)
    if found.first.seconds:
        slowest = max((max(each), kind) for kind, each in found.first.seconds.items() if each)
        print(f"  The first session of all waited longest for {slowest[1]!r}: {slowest[0]:.1f} s")
    print("\nMemory of the server")
    for words, megabytes in found.megabytes.items():
        print(f"  {words:<32}{megabytes:8.0f} MB")
    print("\nTraining, steps a second (median of what the run says itself)")
    alone = statistics.median(found.pace["alone"])
    for words, pace in zip(("nobody there", "one session", f"{sessions} sessions"), found.pace.values(), strict=True):
        if pace:
            print(
                f"  {words:<16}{statistics.median(pace):8.1f}   x{statistics.median(pace) / alone:.2f}   n {len(pace)}"
            )
    print("\nThe server's processor time a gesture, and cores in use")
    for words, which, load in (("one session", found.single, "single"), (f"{sessions} sessions", found.many, "many")):
        spent = dict(found.load[load])
        clock, gestures = spent.pop("clock"), sum(map(len, which.seconds.values()))
        cores = ", ".join(f"{name} {seconds / clock:.2f}" for name, seconds in spent.items())
        print(f"  {words:<16}{1e3 * spent['server'] / gestures:6.0f} ms   {cores} of {os.cpu_count()}")


def _share(values: Sequence[float], share: float) -> float:
    """The value that a share of all does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _row(values: Sequence[float]) -> str:
    figures = "".join(f"{_share(values, share):8.2f}" for share in (0.5, 0.9, 0.99, 1.0))
    return f"{len(values):8}{figures}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=0.6, help="how long the class stays")
    parser.add_argument("--cold", action="store_true", help="let the class be the first on a fresh server")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Asked to end."))  # by way of `finally`: nothing trains on
    with tempfile.TemporaryDirectory() as scratch:
        folder, log = Path(scratch) / "runs", Path(scratch) / "server.log"
        shutil.copytree(ROOT / "checkpoints", folder)
        run = Run.create(folder / "class", recipes.get("plain-vae").with_settings(["phase2.epochs=1000"]))
        os.environ |= {permission.VARIABLE: "1", "BOTTLENECK_RUNS": str(folder)}
        try:
            with served(ROOT / "streamlit_app.py", folder, log) as address:
                found, trainer = asyncio.run(measure(options, address, run))
        finally:
            end(run)
        held = checks(found, trainer, log.read_text("utf-8", errors="replace"))
        for good, words in held:
            print(f"{'ok    ' if good else 'FAILED'}  {words}")
        show(found, options.sessions)
    sys.exit(not all(good for good, _ in held))


def end(run: Run) -> None:
    """Have the run save and stop, and its process gone."""
    status = run.status
    if status.pid is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(status.pid)
        jobs.stop(run)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(20)
        process.kill()


if __name__ == "__main__":
    main()
