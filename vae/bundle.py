"""The runs that ship with Bottleneck: which they are, how each is made, and how a finished run is made small.

    python -m vae bundle --all     makes what is missing of the family: trains it, judges it, makes it small
    python -m vae bundle RUN       makes any finished run small, in place, to share it

Weights, codes and sentences on the map go to 16 bits, a few snapshots and checks stay, what only resuming needs goes,
and both maps are there. A run that has been bundled lists, opens, plays, decodes and evaluates like any other; it can
no longer be resumed. Without its weights it is a history with a report.

Nothing heavy is imported before something is made, so that whoever wants the table alone may read it.
"""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from vae import jobs, recipes, report, runs
from vae.config import Config, Data, read_json
from vae.runs import Run

SNAPSHOTS = 3
"""Snapshots that stay unless told otherwise."""
CHECKS = 16
"""Checks whose codes stay: the film moves on straight lines between them."""
CODED = 192
"""Sentences whose codes stay at each of them."""
BUDGET_MB = 36
"""What the family and the starter T5 may take together, in millions of bytes: everybody who clones downloads them."""
LARGEST_MB = 10
"""What one file of them may take."""
NOISE = ("phase1.token_deletion=0.15", "phase2.token_deletion=0.15")
"""Token deletion as in Park & Lee 2021 (section 2.2.3), in both phases."""
NO_FREE_BITS = ("phase2.free_bits_per_dimension=0",)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A run of the family, and what of it ships."""

    name: str
    recipe: str
    settings: tuple[str, ...] = ()
    """What differs from the recipe, as `--set` takes it."""
    snapshots: int = 0
    """Snapshots that stay."""
    weights: bool = True
    """Whether the model ships; without it neither do codes, maps and snapshots."""
    probes: bool = False
    """Whether the report has the probes of Li et al. 2019, with `PROBE_SEEDS` draws of each."""
    role: str = ""
    """Empty, or `runs.LESSON`: shown by a lesson and left out of lists."""

    @property
    def config(self) -> Config:
        """The configuration that the run is trained with."""
        return recipes.get(self.recipe).with_settings(self.settings)


def _switch(name: str, recipe: str, *settings: str) -> Member:
    return Member(name=f"captions-switch-{name}", recipe=recipe, settings=settings, weights=False, role=runs.LESSON)


PROBE_SEEDS = 3

FAMILY: tuple[Member, ...] = (
    # A snapshot costs as much as a model. The healthy run and the collapsed one are set side by side before, in the
    # middle of and after training, so they keep two each; of the run that collapses slowly, one from the middle tells.
    # The others are looked at as they end; how they came there, their codes, samples and figures say.
    Member(name="captions-two-phase", recipe="two-phase", snapshots=2, probes=True),
    Member(name="captions-autoencoder", recipe="autoencoder"),
    Member(name="captions-plain-vae", recipe="plain-vae", snapshots=2, probes=True),
    Member(name="captions-annealed-vae", recipe="annealed-vae", snapshots=1),
    Member(name="captions-free-bits-only", recipe="free-bits-only"),
    Member(name="captions-language-model", recipe="language-model"),
    Member(name="captions-as-released", recipe="as-released"),
    # Encoder warm-up, free bits and noise, each on or off: two-phase and free-bits-only are two corners of that cube,
    # and these are the other six, named after what is on.
    _switch("none", "free-bits-only", *NO_FREE_BITS),
    _switch("noise", "free-bits-only", *NO_FREE_BITS, NOISE[1]),
    _switch("free-bits-noise", "free-bits-only", NOISE[1]),
    _switch("warmup", "two-phase", *NO_FREE_BITS),
    _switch("warmup-noise", "two-phase", *NO_FREE_BITS, *NOISE),
    _switch("warmup-free-bits-noise", "two-phase", *NOISE),
)
"""What ships: all on `captions`, from one seed and the starter T5."""


@dataclass(frozen=True)
class Switches:
    """What guards a VAE against collapse in the two papers, on or off."""

    warmup: bool
    """An encoder warm-up before the whole model trains (phase 1)."""
    free_bits: bool
    noise: bool
    """Token deletion in the encoder's input."""

    @classmethod
    def of(cls, config: Config) -> Switches:
        """The switches as a configuration has them."""
        phase = config.phase2
        return cls(config.phase1.epochs > 0, phase.free_bits_per_dimension > 0, phase.token_deletion > 0)


def cube() -> dict[Switches, str]:
    """The run of the family for each setting of the three switches, everything else being as in `two-phase`."""
    corners = [each for each in FAMILY if each.role == runs.LESSON or each.recipe in ("two-phase", "free-bits-only")]
    return {Switches.of(each.config): each.name for each in corners}


def chosen(names: Sequence[str]) -> list[Member]:
    """The members of these names, in the order of the family; all, if none is named. An unknown one: `ValueError`."""
    known = [each.name for each in FAMILY]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{unknown[0]!r} does not ship with Bottleneck: choose among {', '.join(known)}.")
    return [each for each in FAMILY if not names or each.name in names]


def make(run: Run, member: Member, say: Callable[[str], None]) -> bool:
    """Do what is left to do until a run is the member of the family, and return whether there was anything to do.

    `say` takes a sentence before and after each step. A folder that holds something else is a `ValueError`; whoever
    stops the training raises `KeyboardInterrupt`, and the next call goes on.
    """
    if not run.exists:
        Run.create(run.path, member.config)
    elif run.config != member.config:
        changes = ", ".join(run.config.changes(member.config)) or f"recipe={run.config.recipe}"
        raise ValueError(f"{run.path} is another run ({changes}): move it away, or choose another folder with --out.")
    if run.bundled and not member.weights and not _is_judged(run, member):
        raise ValueError(f"{run.name} has no weights left to be judged by: delete {run.path} to make it anew.")
    train, judge = partial(_train, run), partial(_judge, run, member)
    small = partial(bundle, run, member.snapshots, weights=member.weights, role=member.role)
    left = {
        "trained": run.status.state != "finished",
        "made small": not run.bundled,
        "judged": not _is_judged(run, member),
    }
    steps: list[tuple[str, Callable[[], None]]] = [("trained", train), ("made small", small), ("judged", judge)]
    if not member.weights:  # which judging needs
        steps = [("trained", train), ("judged", judge), ("made small", small)]
    todo = [(does, act) for does, act in steps if left[does]]
    for does, act in todo:
        say(f"{run.name} is being {does}.")
        begun = time.monotonic()
        act()
        say(f"{run.name} is {does}: {time.monotonic() - begun:.0f} s.")
    return bool(todo)


def megabytes(run: Run) -> float:
    """What a run takes on the disk, in millions of bytes."""
    return sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file()) / 1e6


def bundle(run: Run, snapshots: int = SNAPSHOTS, *, weights: bool = True, role: str = "") -> None:
    """Turn a finished run into a bundled one, in place. A run that is not finished is a `ValueError`.

    So many snapshots stay, evenly chosen from the first on; a single one is from the middle, because before training
    all runs are alike. Without `weights` none stay, nor anything that was made with them but figures and sentences.
    """
    status = run.status
    if status.state != "finished":
        raise ValueError(f"{run.name} is {status.state}: only a finished run can be bundled.")
    _thin_snapshots(run, snapshots if weights else 0)
    if weights:
        _halve(run)
    else:
        for folder in (run.model_path, run.codes_path, run.projections_path):
            shutil.rmtree(folder, ignore_errors=True)
        run.latents_path.unlink(missing_ok=True)
    _thin_codes(run)
    shutil.rmtree(run.state_path, ignore_errors=True)
    run.write_status(runs.Status(**{**vars(status), "pid": None, "process_started": None}))
    runs.write_json(run.path / "env.json", run.env | {"bundled": True} | ({"role": role} if role else {}))


def _thin_snapshots(run: Run, count: int) -> None:
    kept = list(run.snapshots().values())
    count = min(count, len(kept))
    stay = {kept[len(kept) // 2]} if count == 1 else {kept[i * len(kept) // count] for i in range(count)}
    for folder in kept:
        if folder not in stay:
            shutil.rmtree(folder)
    if not count:
        shutil.rmtree(run.path / "snapshots", ignore_errors=True)


def _halve(run: Run) -> None:
    """The weights in 16 bits, and the codes and maps that belong to the rounded ones."""
    import numpy as np

    from vae import checkpoints, latents, projection, space
    from vae.model import TextVAE

    model: TextVAE = TextVAE.from_pretrained(run.model_path)
    checkpoints.save_model(model, run.model_path, half=True)
    frame = latents.encode_frame(space.load(run.path), latents.read_latents(run).frame)
    numbers = [column for column in frame if latents.CODE_COLUMN.fullmatch(str(column))]
    frame[numbers] = frame[numbers].astype(np.float16).astype(np.float32)
    words = [column for column in frame if column not in numbers]
    content = io.BytesIO()
    frame.to_parquet(content, index=False, compression="zstd", use_byte_stream_split=numbers, use_dictionary=words)
    runs.write_bytes(run.latents_path, content.getvalue())
    for method in projection.METHODS:
        projection.project(run, method)


def _thin_codes(run: Run) -> None:
    """Fewer checks, the first and the last among them, and fewer sentences at each; none where z says nothing."""
    kept = list(run.codes().values())
    if run.config.model.latent == "zero":  # its codes are nothing but zeros
        shutil.rmtree(run.codes_path, ignore_errors=True)
        return
    if not kept:
        return
    from safetensors.numpy import load_file, save

    count = min(CHECKS, len(kept))
    stay = {kept[round(i * (len(kept) - 1) / max(1, count - 1))] for i in range(count)}
    for path in kept:
        if path in stay:
            runs.write_bytes(path, save({name: codes[:CODED].copy() for name, codes in load_file(path).items()}))
        else:
            path.unlink()
    texts = run.codes_path / "texts.json"
    columns = read_json(texts)
    runs.write_json(texts, {name: values[:CODED] for name, values in columns.items()})


def _train(run: Run) -> None:
    from vae import trainer

    jobs.claim(run)
    try:
        status = trainer.train(run)
    except BaseException as error:
        jobs.release(run, error)
        raise
    if status.state != "finished":
        raise KeyboardInterrupt(status.message)


def _is_judged(run: Run, member: Member) -> bool:
    found = report.load(run)
    return found is not None and (found.probes is not None or not member.probes)


def _judge(run: Run, member: Member) -> None:
    """The report of the test sentences, as `python -m vae evaluate RUN` makes it, and the probes."""
    from vae import corpora, evaluate, probing, space

    data: Data = run.config.data
    sizes = {f"{split}_sentences": getattr(data, f"{split}_sentences") for split in ("train", "valid", "test")}
    corpus = corpora.load(data.corpus, seed=data.seed, text_column=data.text_column, **sizes)
    model, step = space.load(run.path), run.status.step
    if report.load(run) is None:
        found = evaluate.evaluate(model, corpus.test, objective=run.config.phase2)
        report.save(run, "test", step, found)
    if member.probes:
        report.save_probes(run, "test", step, probing.probe(model, corpus, seeds=PROBE_SEEDS))
