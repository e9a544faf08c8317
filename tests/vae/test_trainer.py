"""Training: what a run writes, that stopping and dying leave no trace in its figures, and what each phase trains."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file

import vae
from vae import base, batching, checkpoints, evaluate, jobs, latents, projection, recorder, runs, schedules, trainer
from vae.config import Config, Data, Model, Phase
from vae.model import TextVAE, blank_model
from vae.objectives import charged_kl
from vae.runs import Run
from vae.schedules import check_every, checks, plan, snapshot_steps, stage_kl_weight, stage_learning_rate

MakeConfig = Callable[..., Config]
MakeRun = Callable[..., Run]

CLOCK = ("sentences_per_second", "tokens_per_second", "peak_share", "time_s", "memory_mb", "gpu_memory_mb")
"""The figures that two equal runs do not share."""


@pytest.fixture
def make_run(tmp_path: Path, corpus_file: Path, make_config: MakeConfig) -> MakeRun:
    """A queued run of the tiny configuration: `make_run(name="run", **sections)`."""

    def make(name: str = "run", **sections: Any) -> Run:
        return Run.create(tmp_path / name, make_config(f"file:{corpus_file}", **sections))

    return make


@pytest.fixture
def vae_base(tmp_path_factory: pytest.TempPathFactory, make_t5: Callable[..., Any], tokenizer: Any) -> Path:
    """A T5 folder to start from, its head untied, so that every part of the model has parameters."""
    folder = tmp_path_factory.mktemp("base")
    make_t5(head=True, tie_word_embeddings=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train(run: Run) -> runs.Status:
    return trainer.train(run, progress=False)


def stop_after(monkeypatch: pytest.MonkeyPatch, run: Run, step: int) -> None:
    """Put the stop file there while the step runs that makes `step` steps done."""
    rate = trainer.stage_learning_rate

    def watch(config: Config, stage: Any, before: int) -> float:
        if before == step - 1:
            run.stop_path.touch()
        return rate(config, stage, before)

    monkeypatch.setattr(trainer, "stage_learning_rate", watch)


def timeless(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in event.items() if key not in CLOCK} for event in events]


def same_outcome(run: Run, other: Run) -> None:
    """All that two runs leave behind is equal to the last bit, but for the clock."""
    assert timeless(run.metrics()) == timeless(other.metrics())
    assert run.samples() == other.samples()
    files = sorted(path.relative_to(other.path) for path in other.path.rglob("*.safetensors"))
    assert sorted(path.relative_to(run.path) for path in run.path.rglob("*.safetensors")) == files
    for file in files:
        ours, theirs = load_file(run.path / file), load_file(other.path / file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), file
    assert np.array_equal(latents.read_latents(run).means, latents.read_latents(other).means)
    assert (run.status.state, run.status.step) == (other.status.state, other.status.step)


# --------------------------------------------------------------------------------------------------- what a run writes


def test_a_finished_run_says_so(trained_run: Run) -> None:
    status = trained_run.status
    assert (status.state, status.phase, status.step, status.total_steps) == ("finished", 2, 28, 28)
    assert (status.eta_s, status.message) == (0.0, "")
    assert status.heartbeat == pytest.approx(time.time(), abs=600)
    assert jobs.reconcile(trained_run) == status
    env = trained_run.env
    assert (env["precision"], env["device"], env["threads"], env["processes"], env["seed"]) == ("fp32", "cpu", 1, 1, 0)
    assert {"python", "torch", "transformers", "accelerate", "system"} <= env.keys()


def test_the_log_says_what_trains_and_what_is_frozen(trained_run: Run) -> None:
    log = trained_run.log_path.read_text(encoding="utf-8")
    assert "Phase 1 trains encoder (4,240), posterior (204); frozen: embeddings (5,120), decoder" in log
    assert "Phase 2 trains embeddings (5,120), encoder (4,240)" in log
    assert "frozen: nothing" in log
    assert log.rstrip().endswith("Finished.")


def test_events_come_when_they_are_due(trained_run: Run) -> None:
    config, events = trained_run.config, trained_run.metrics()
    stages = plan(config, len(pd.read_parquet(trained_run.corpus_path / "train.parquet")))
    assert [(stage.phase, stage.first, stage.last) for stage in stages] == [(0, 0, 7), (1, 7, 14), (2, 14, 28)]
    found = {split: [(e["phase"], e["step"]) for e in events if e["split"] == split] for split in ("train", "valid")}
    logs, checks = [], [(0, 0)]
    for stage in stages:
        steps = range(stage.first + 1, stage.last + 1)
        logs += [(stage.phase, step) for step in steps if step % 3 == 0 or step == stage.last]
        if stage.phase == 1:
            checks.append((1, stage.first))
        checks += [
            (stage.phase, step) for step in steps if step % check_every(config, stage) == 0 or step == stage.last
        ]
    assert found == {"train": logs, "valid": checks}
    assert list(trained_run.snapshots()) == sorted(snapshot_steps(config, stages))
    assert [(event["phase"], event["step"]) for event in trained_run.samples()] == [c for c in checks if c[0] > 0]


VALID = {"step", "phase", "split", "epoch", "learning_rate", "time_s"}
TRAIN = VALID | {"sentences_per_second", "tokens_per_second", "peak_share", "memory_mb"}
TERMS = {"rec_nats", "kl_nats", "kl_charged_nats", "neg_elbo_nats", "kl_weight"}
FIGURES = {
    *("mi_nats", "mi_upper_nats", "mi_ceiling_nats", "marginal_kl_nats", "marginal_kl_least_nats", "active_units"),
    *("delta_nll_nats", "delta_zero_nats", "ppl_word", "kl_per_dim_nats", "sentences"),
}


def test_events_carry_the_names_of_the_contract_and_add_up(trained_run: Run) -> None:
    config = trained_run.config
    stages = {stage.phase: stage for stage in plan(config, 100)}
    for event in trained_run.metrics():
        stage, train_event = stages[event["phase"]], event["split"] == "train"
        names = TRAIN if train_event else VALID
        if event["phase"] == 0:
            assert event.keys() == names | {"denoising_nats"}
            assert 0 < event["denoising_nats"] < 10
        else:
            assert event.keys() == names | TERMS | (set() if train_event else FIGURES)
            assert event["neg_elbo_nats"] == event["rec_nats"] + event["kl_nats"]
            assert event["kl_charged_nats"] >= event["kl_nats"] - 1e-6
            assert event["kl_weight"] == stage_kl_weight(stage, event["step"] - train_event)
            if not train_event:
                assert sum(event["kl_per_dim_nats"]) == pytest.approx(event["kl_nats"], abs=1e-4)
                assert event["mi_ceiling_nats"] == pytest.approx(math.log(event["sentences"]))
        assert event["epoch"] == pytest.approx((event["step"] - stage.first) / 7, abs=1e-4)
        assert event["learning_rate"] == stage_learning_rate(config, stage, event["step"] - train_event)
    assert {event["kl_weight"] for event in trained_run.metrics() if event["phase"] == 1} == {0.0}


def test_the_training_event_is_the_mean_over_its_sentences(trained_run: Run, make_run: MakeRun) -> None:
    """Logged every step, the means of the steps weighted by their sentences are the means of the windows."""
    run = make_run(train=replace(trained_run.config.train, log_every=1))
    train(run)
    each = [event for event in run.metrics() if event["split"] == "train"]
    sizes = {}
    for stage in plan(run.config, 100):
        tokens = batching.tokenize(base.tokenizer(run.model_path), _train_texts(run), run.config.data.max_tokens)
        sizes |= {
            (stage.phase, step + 1): len(rows)
            for step, rows in trainer._batches(stage, tokens, run.config, stage.first)
        }
    windows = [event for event in trained_run.metrics() if event["split"] == "train" and event["phase"] > 0]
    begun = 7
    for window in windows:
        members = [event for event in each if begun < event["step"] <= window["step"] and event["phase"] > 0]
        count = sum(sizes[event["phase"], event["step"]] for event in members)
        for name in ("rec_nats", "kl_nats", "kl_charged_nats"):
            total = sum(event[name] * sizes[event["phase"], event["step"]] for event in members)
            assert window[name] == pytest.approx(total / count, rel=1e-5)
        begun = window["step"]


def _train_texts(run: Run) -> list[str]:
    return pd.read_parquet(run.corpus_path / "train.parquet")["text"].tolist()


def test_the_last_check_is_an_evaluation_of_the_model_that_is_kept(trained_run: Run) -> None:
    """One unit, one definition: what training reported is what `evaluate` finds on the same sentences."""
    space, event = vae.load(trained_run.path), trained_run.metrics()[-1]
    texts = pd.read_parquet(trained_run.corpus_path / "valid.parquet")["text"]
    watched = recorder.Watched(space.tokenizer, trainer._corpus(trained_run, trained_run.config), trained_run.config)
    assert set(watched.texts) <= set(texts)
    assert len(watched.texts) == min(len(texts), 16)
    report = evaluate.evaluate(space, pd.DataFrame({"text": watched.texts}), samples=1).to_dict()
    for name in ("rec_nats", "kl_nats", "neg_elbo_nats", "mi_nats", "mi_ceiling_nats", "delta_nll_nats"):
        assert event[name] == pytest.approx(report[name], rel=1e-4, abs=1e-4), name
    assert event["active_units"] == report["active_units"]
    assert event["sentences"] == report["sentences"]


def test_with_z_fixed_to_zero_it_is_a_language_model(make_run: MakeRun) -> None:
    """KL and every delta are 0 to the last digit, -ELBO is the NLL whatever K, and the decoder still learns."""
    frozen = ("encoder", "posterior", "projection")
    run = make_run(
        model=Model(base="fresh", latent_size=6, latent="zero"),
        phase1=Phase(),
        phase2=Phase(epochs=2, learning_rate=3e-3, frozen=frozen),
    )
    train(run)
    checks = [event for event in run.metrics() if event["phase"] == 2 and event["split"] == "valid"]
    assert checks[-1]["rec_nats"] < checks[0]["rec_nats"] - 1
    for event in checks:
        assert (event["kl_nats"], event["mi_nats"], event["active_units"], event["delta_nll_nats"]) == (0, 0, 0, 0)
    space = vae.load(run.path)
    assert not space.model.projection.weight.any()
    report = evaluate.evaluate(space, trainer._corpus(run, run.config).test, samples=10)
    bounds = [row["nll_nats"] for row in report.nll_by_samples]
    assert bounds == pytest.approx([report.neg_elbo_nats] * 2, rel=1e-6)
    assert report.distinct_prior == 1
    assert (run.path / "latents.parquet").is_file()  # it opens on every page


def test_the_replay_of_the_released_memory_trains(make_run: MakeRun) -> None:
    run = make_run(model=Model(base="fresh", latent_size=6, backbone="t5-as-released"))
    assert train(run).state == "finished"
    assert type(vae.load(run.path).model.backbone).kind == "t5-as-released"
    resumed = blank_model(run.model_path)
    assert type(resumed.backbone).kind == "t5-as-released"


def test_the_samples_are_the_models_own(trained_run: Run) -> None:
    space, event = vae.load(trained_run.path), trained_run.samples()[-1]
    assert {len(e["prior"]) for e in trained_run.samples()} == {8}
    assert event["prior"] == space.decode(space.sample_prior(8, seed=0))
    texts = [pair["text"] for pair in event["reconstructions"]]
    assert len(texts) == 8
    assert set(texts) <= set(pd.read_parquet(trained_run.corpus_path / "valid.parquet")["text"])
    assert [pair["decoded"] for pair in event["reconstructions"]] == space.decode(space.encode(texts).mean)


def test_the_codes_of_the_test_split_and_their_plane_are_there(trained_run: Run) -> None:
    read = latents.read_latents(trained_run)
    test = pd.read_parquet(trained_run.corpus_path / "test.parquet")
    assert read.frame["text"].tolist() == test["text"].tolist()
    assert read.frame["subject"].tolist() == test["subject"].tolist()
    q = vae.load(trained_run.path).encode(test["text"].tolist())
    np.testing.assert_allclose(read.means, q.mean.numpy(), rtol=1e-4, atol=1e-5)
    assert projection.cached(trained_run, "pca") is not None


def test_the_codes_along_the_way_are_those_of_the_watched_sentences(trained_run: Run, corpus_file: Path) -> None:
    codes, config = trained_run.codes(), trained_run.config
    assert list(codes) == checks(config, plan(config, 100)) == [event["step"] for event in trained_run.samples()]
    table = json.loads((trained_run.codes_path / "texts.json").read_text(encoding="utf-8"))
    assert len(table["text"]) == 10  # the whole split
    known = pd.read_csv(corpus_file, sep="\t").set_index("text")["subject"]
    assert [known[text] for text in table["text"]] == table["subject"]
    last, q = load_arrays(codes[28]), vae.load(trained_run.path).encode(table["text"])
    for name, expected in (("mean", q.mean), ("logvar", q.logvar)):
        assert (last[name].dtype, last[name].shape) == (np.float16, (10, 6))
        np.testing.assert_allclose(last[name], expected.numpy(), rtol=2e-3, atol=1e-3)
    assert not np.array_equal(load_arrays(codes[7])["mean"], last["mean"])


def test_of_many_checks_and_sentences_a_run_keeps_some(
    trained_run: Run, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "CODES", 2)
    monkeypatch.setattr(recorder, "CODED", 5)
    run = make_run()
    train(run)
    whole, kept = trained_run.codes(), run.codes()
    assert list(kept) == [step for i, step in enumerate(whole) if i % 4 == 0 or step == 28]
    table = json.loads((run.codes_path / "texts.json").read_text(encoding="utf-8"))
    assert {name: len(column) for name, column in table.items()} == {"text": 5, "subject": 5}
    for step, path in kept.items():
        assert np.array_equal(load_arrays(path)["mean"], load_arrays(whole[step])["mean"][:5])


def test_weights_are_kept_by_safetensors_and_json_and_arrays_alone(trained_run: Run) -> None:
    endings = {path.suffix for path in trained_run.path.rglob("*") if path.is_file() and path.name != ".lock"}
    assert endings <= {".json", ".jsonl", ".safetensors", ".parquet", ".txt", ".npy"}
    assert not [path for path in trained_run.path.rglob(".*") if path.name != ".lock"]


def test_two_equal_runs_are_equal_and_another_seed_is_another_run(trained_run: Run, make_run: MakeRun) -> None:
    again = make_run("again")
    train(again)
    same_outcome(again, trained_run)
    other = make_run("other", train=replace(trained_run.config.train, seed=1))
    train(other)
    assert timeless(other.metrics())[-1]["rec_nats"] != trained_run.metrics()[-1]["rec_nats"]


def test_a_reader_of_the_global_random_state_does_not_disturb_training(trained_run: Run, make_run: MakeRun) -> None:
    run = make_run()
    torch.manual_seed(12345)
    np.random.seed(1)
    train(run)
    same_outcome(run, trained_run)


# --------------------------------------------------------------------------------------------------- stop and resume


@pytest.mark.parametrize("stops", [[1], [7], [14], [28], [3, 5, 10, 17, 23]])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    trained_run: Run, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, stops: list[int]
) -> None:
    """In phase 0, 1 and 2, at the boundaries of phases, between checks, between log events, after the last step."""
    run = make_run()
    for step in stops:
        with monkeypatch.context() as patch:
            stop_after(patch, run, step)
            status = train(run)
        assert (status.state, status.step, status.total_steps) == ("stopped", step, 28)
        assert status.message == f"Stopped at step {step} of 28; resume goes on from there."
        assert status.phase == (0 if step <= 7 else 1 if step <= 14 else 2)
        assert status.eta_s is None
        assert not run.stop_path.exists()
        assert jobs.reconcile(run) == status
        if step > 7:
            vae.load(run.path).decode(torch.zeros(1, 6))
    assert train(run).state == "finished"
    same_outcome(run, trained_run)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_from_a_t5_resumes_too(
    vae_base: Path, make_run: MakeRun, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """Without phase 0, with an untied head; the folder that it started from is not needed again."""
    train_settings = replace(make_config("captions").train, precision=precision)
    sections = {"model": Model(base=str(vae_base), latent_size=6), "train": train_settings}
    whole, run = make_run("whole", **sections), make_run("run", **sections)
    train(whole)
    for step in (4, 9):
        with monkeypatch.context() as patch:
            stop_after(patch, run, step)
            assert train(run).step == step
    shutil.rmtree(vae_base)
    assert train(run).state == "finished"
    same_outcome(run, whole)


def test_every_phase_computes_in_bf16_where_that_is_asked_for(
    make_run: MakeRun, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(train=replace(make_config("captions").train, precision="bf16"))
    low: dict[int, set[bool]] = {0: set(), 1: set(), 2: set()}
    phases: list[int] = []
    objective, score = trainer._objective, torch.nn.functional.cross_entropy

    def in_phase(model: Any, batch: Any, stage: Any, *rest: Any, **more: Any) -> Any:
        phases.append(stage.phase)
        return objective(model, batch, stage, *rest, **more)

    def watched(*arguments: Any, **settings: Any) -> torch.Tensor:
        if torch.is_grad_enabled():
            low[phases[-1]].add(torch.is_autocast_enabled("cpu"))
        return score(*arguments, **settings)

    monkeypatch.setattr(trainer, "_objective", in_phase)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", watched)
    train(run)
    assert low == {0: {True}, 1: {True}, 2: {True}}


def test_an_upload_may_vanish(
    trained_run: Run, make_run: MakeRun, corpus_file: Path, tmp_path: Path, make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The run keeps its sentences: it resumes, is evaluated and finishes after the file is gone."""
    upload = Path(shutil.copy(corpus_file, tmp_path / "upload.tsv"))
    run = Run.create(tmp_path / "run", make_config(f"file:{upload}"))
    with monkeypatch.context() as patch:
        stop_after(patch, run, 16)
        train(run)
    upload.unlink()
    assert train(run).state == "finished"
    assert timeless(run.metrics()) == timeless(trained_run.metrics())
    test = pd.read_parquet(run.corpus_path / "test.parquet")
    assert evaluate.evaluate(vae.load(run.path), test, samples=1).sentences == len(test)


def test_resuming_a_finished_run_changes_nothing(trained_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(trained_run.path, tmp_path / "copy"))
    run.latents_path.unlink()  # as if it had died after its last step
    assert train(run).state == "finished"
    same_outcome(run, trained_run)


class Killed(BaseException):
    """The process is no more."""


def kill_at(monkeypatch: pytest.MonkeyPatch, write: int) -> list[int]:
    """Die in the middle of the write of that number, with what was written until then; returns the counter."""
    count = [0]
    swap, leave = runs.swap, recorder.Recorder.__exit__

    def due() -> bool:
        count[0] += 1
        return count[0] == write

    def dying_swap(partial: Path, path: Path) -> None:
        if due():
            raise Killed  # the file under its other name is whole, the one that readers know is the old one
        swap(partial, path)

    def dying_append(path: Path, event: dict[str, Any]) -> None:
        line = json.dumps(runs.finite(event), ensure_ascii=False).encode() + b"\n"
        half = due()
        with path.open("ab") as file:
            file.write(line[: len(line) // 2] if half else line)
        if half:
            raise Killed

    def no_last_words(self: recorder.Recorder, kind: Any, error: Any, trace: Any) -> bool:
        if kind is not Killed:
            return leave(self, kind, error, trace)
        recorder.log.removeHandler(self.handler)
        self.handler.close()
        self.bar.close() if hasattr(self, "bar") else None
        for number, handler in self.before.items():
            signal.signal(number, handler)
        return False

    monkeypatch.setattr(runs, "swap", dying_swap)
    monkeypatch.setattr(runs, "append_line", dying_append)
    monkeypatch.setattr(recorder.Recorder, "__exit__", no_last_words)
    return count


@pytest.mark.parametrize("share", [0.02, 0.15, 0.31, 0.42, 0.55, 0.68, 0.83, 0.96])
def test_a_run_killed_at_any_write_lists_opens_and_resumes(
    trained_run: Run, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(recorder, "SAVING_SHARE", math.inf)  # save at every check: more moments to die at
    run = make_run()
    with monkeypatch.context() as patch:
        kill_at(patch, round(share * _writes(trained_run)))
        with pytest.raises(Killed):
            train(run)
    assert runs.list_runs(run.path.parent) == [run]
    assert run.status.state == "running"
    run.metrics(), run.samples()
    if (run.model_path / "config.json").exists():
        vae.load(run.path).decode(torch.zeros(1, 6))
    for step in run.snapshots():
        vae.load(run.path, step)
    assert train(run).state == "finished"
    same_outcome(run, trained_run)


_counted: list[int] = []


def _writes(finished: Run) -> int:
    """The writes of a whole run: counted once."""
    if not _counted:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recorder, "SAVING_SHARE", math.inf)
            count = kill_at(patch, -1)
            train(Run.create(finished.path.parent / "counted", finished.config))
        _counted.append(count[0])
    return _counted[0]


def test_a_corpus_half_written_is_written_again(
    trained_run: Run, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    with monkeypatch.context() as patch:
        stop_after(patch, run, 9)
        train(run)
    (run.corpus_path / "corpus.json").unlink()  # it is written last
    assert train(run).state == "finished"
    same_outcome(run, trained_run)


# --------------------------------------------------------------------------------------------------- real processes


def wait_for_events(run: Run, process: subprocess.Popen[bytes], count: int) -> None:
    deadline = time.monotonic() + 90
    while len(run.metrics()) < count:
        assert process.poll() is None, run.log_path.read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch; there the stop file does its work")
def test_sigterm_saves_and_stops_sigkill_loses_nothing(
    make_run: MakeRun, make_config: MakeConfig, processes: list[subprocess.Popen[bytes]]
) -> None:
    """A real process is asked to end, goes on, is killed, and goes on: its figures are those of an untroubled run."""
    long = {
        "phase1": Phase(epochs=6, kl_weight=0.0),
        "phase2": Phase(epochs=14, free_bits_total=2.0),
        "train": replace(make_config("captions").train, evals_per_epoch=0.5),
    }
    whole, run = make_run("whole", **long), make_run("run", **long)
    command = [sys.executable, "-m", "vae", "train", "--run", str(run.path), "--resume"]
    processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    train(whole)  # meanwhile
    wait_for_events(run, processes[0], 12)
    processes[0].terminate()
    assert processes[0].wait(60) == 0
    status = run.status
    assert status.state == "stopped"
    assert 7 < status.step < status.total_steps
    processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    wait_for_events(run, processes[1], len(run.metrics()) + 8)
    processes[1].send_signal(signal.SIGKILL)
    processes[1].wait()
    assert run.status.state == "running"
    found = jobs.reconcile(run)
    assert found.state == "failed"
    assert "ended without notice" in found.message
    vae.load(run.path).decode(torch.zeros(1, 6))
    assert train(run).state == "finished"
    same_outcome(run, whole)


# --------------------------------------------------------------------------------------------------- what goes wrong


def finite_model(run: Run) -> bool:
    return all(bool(t.isfinite().all()) for t in load_file(run.model_path / "model.safetensors").values())


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_weights(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls, objective = make_run(), [0], trainer.loss

    def poisoned(*args: Any) -> torch.Tensor:
        calls[0] += 1
        return objective(*args) * (math.nan if calls[0] == 12 else 1.0)

    monkeypatch.setattr(trainer, "loss", poisoned)
    with pytest.raises(ValueError, match=r"The loss is not finite at step 18 of phase 2 \(learning rate .*lower"):
        train(run)
    status = run.status
    assert (status.state, status.step) == ("failed", 18)
    assert status.message.startswith("The loss is not finite at step 18 of phase 2")
    assert "not finite" in run.log_path.read_text(encoding="utf-8")
    assert "Traceback" not in run.log_path.read_text(encoding="utf-8")
    assert finite_model(run)
    vae.load(run.path).decode(torch.zeros(1, 6))
    assert all(math.isfinite(value) for e in run.metrics() for value in e.values() if isinstance(value, float))


@pytest.mark.parametrize("stopped", [False, True])
def test_weights_that_are_not_finite_are_never_saved(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    """A finite gradient can make an infinite weight; neither a check nor a wish to stop may keep it."""
    run, rate = make_run(), trainer.stage_learning_rate

    def leap(config: Config, stage: Any, step: int) -> float:
        if step < (16 if stopped else 23):
            return rate(config, stage, step)
        if stopped:
            run.stop_path.touch()
        return 1e39

    monkeypatch.setattr(trainer, "stage_learning_rate", leap)
    with pytest.raises(ValueError, match="finite"):
        train(run)
    assert run.status.state == "failed"
    assert "finite" in run.status.message
    assert finite_model(run)
    saved = checkpoints.read(run)
    assert saved is not None
    assert all(bool(tensor.isfinite().all()) for tensor in saved[1].values())


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": Data(corpus="file:/no/such/file.txt")}, "does not exist"),
        ({"data": Data(corpus="nonsense")}, "Unknown corpus 'nonsense'"),
        ({"model": Model(base="/no/such/folder")}, "could not be loaded as a T5"),
    ],
)
def test_what_cannot_be_trained_fails_with_the_reason(make_run: MakeRun, sections: Any, message: str) -> None:
    run = make_run(**sections)
    with pytest.raises(ValueError, match=message):
        train(run)
    assert run.status.state == "failed"
    assert message in run.status.message
    assert train_handlers() == 0


def train_handlers() -> int:
    return len(recorder.log.handlers)


def test_an_error_of_ours_leaves_its_traceback_in_the_log(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(trainer, "charged_kl", broken)
    run = make_run()
    with pytest.raises(RuntimeError, match="a bug"):
        train(run)
    assert (run.status.state, run.status.message) == ("failed", "a bug")
    assert "Traceback" in run.log_path.read_text(encoding="utf-8")


def test_a_wish_to_stop_that_is_there_already_is_heard(make_run: MakeRun) -> None:
    run = make_run()
    run.stop_path.touch()
    assert (train(run).state, run.status.step) == ("stopped", 1)


def test_signal_handlers_are_put_back(trained_run: Run, make_run: MakeRun) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    run = make_run(phase1=Phase(), phase2=Phase(epochs=0.2))
    train(run)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


# ------------------------------------------------------------------------------------------------------ what trains


def weights_before_and_after(run: Run, vae_base: Path) -> tuple[TextVAE, TextVAE]:
    before = trainer._text_vae(base.load(str(vae_base))[0], run.config)
    train(run)
    return before, vae.load(run.path).model


ALL = ("embeddings", "encoder", "posterior", "projection", "decoder", "head")


@pytest.mark.parametrize(
    "frozen",
    [
        (),
        ("embeddings", "projection", "decoder", "head"),
        ("encoder", "posterior"),
        ("embeddings",),
        ("head", "decoder"),
    ],
)
def test_frozen_parts_stay_to_the_last_bit_and_all_others_move(
    make_run: MakeRun, vae_base: Path, frozen: tuple[str, ...]
) -> None:
    run = make_run(model=Model(base=str(vae_base), latent_size=6), phase1=Phase(),
                   phase2=Phase(epochs=2 / 7, frozen=frozen))  # fmt: skip
    before, after = weights_before_and_after(run, vae_base)
    assert run.status.step == 2
    for part in ALL:
        pairs = list(zip(before.parts()[part], after.parts()[part], strict=True))
        assert pairs
        changed = [not torch.equal(a, b) for a, b in pairs]
        assert not any(changed) if part in frozen else all(changed), part


def test_a_plain_loop_takes_the_same_steps(make_run: MakeRun, vae_base: Path, trained_run: Run) -> None:
    """The whole of phase 2 in twenty plain lines: same batches, same noise, rec + w KL, clipping, AdamW."""
    phase = Phase(epochs=1, learning_rate=5e-3, kl_schedule="linear", kl_epochs=0.5, kl_weight=0.7, token_deletion=0.2,
                  free_bits_per_dimension=0.3, learning_rate_schedule="linear", learning_rate_warmup=2)  # fmt: skip
    settings = replace(trained_run.config.train, weight_decay=0.3, adam_epsilon=1e-3, clip_norm=2.0)
    run = make_run(model=Model(base=str(vae_base), latent_size=6), phase1=Phase(), phase2=phase, train=settings)
    t5, tokenizer = base.load(str(vae_base))
    model = trainer._text_vae(t5, run.config)
    _, after = weights_before_and_after(run, vae_base)
    tokens = batching.tokenize(tokenizer, _train_texts(run), 48)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.3, eps=1e-3)
    model.train()
    for step, rows in enumerate(batching.shuffled(tokens, 16, (0, 2, 0))):
        trainer._seed(0, step)
        rate = 5e-3 * ((step + 1) / 2 if step < 2 else 1 - 0.9 * (step - 2) / (7 - 2))
        weight = 0.7 * min(1.0, step / 3.5)
        batch = tokens.batch(rows)
        source, eps = batching.delete_tokens(batch, 0.2, 0), torch.randn(len(rows), 6)
        terms = model(source, batch, eps)
        nats = (terms.rec + weight * terms.kl_per_dim.clamp_min(0.3).sum(1)).mean()
        nats.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()
    assert step == 6
    for (name, ours), theirs in zip(after.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=1e-3, atol=1e-5, msg=name)


def test_dropout_is_on_while_training_and_stays_on_after_a_resume(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, vae_base: Path
) -> None:
    run, seen, objective = make_run(model=Model(base=str(vae_base), latent_size=6)), [], trainer._objective

    def watch(model: Any, *rest: Any, **counts: bool) -> Any:
        seen.append({module.training for module in model.modules()})
        return objective(model, *rest, **counts)

    monkeypatch.setattr(trainer, "_objective", watch)
    monkeypatch.setattr(recorder.Recorder, "report", lambda *_: None)  # it is not a check's business to switch it on
    with monkeypatch.context() as patch:
        stop_after(patch, run, 4)
        train(run)
    train(run)
    assert len(seen) == 21
    assert all(modes == {True} for modes in seen)


def test_an_epoch_is_every_sentence_once_in_an_order_of_its_own(
    make_run: MakeRun, tokenizer: Any, sentences: list[str]
) -> None:
    config = make_run().config
    tokens = batching.tokenize(tokenizer, sentences, 48)
    stage = plan(config, len(tokens))[2]
    steps = list(trainer._batches(stage, tokens, config, stage.first))
    assert [step for step, _ in steps] == list(range(stage.first, stage.last))
    epochs = [np.concatenate([rows for _, rows in steps[i * 8 : (i + 1) * 8]]).tolist() for i in range(2)]
    assert all(sorted(epoch) == list(range(120)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    for done in (stage.first, stage.first + 3, stage.first + 8, stage.last - 1, stage.last):
        rest = list(trainer._batches(stage, tokens, config, done))
        assert [step for step, _ in rest] == list(range(done, stage.last))
        assert all(np.array_equal(a[1], b[1]) for a, b in zip(rest, steps[done - stage.first :], strict=True))


def test_every_step_has_random_numbers_of_its_own() -> None:
    draws = set()
    for seed in (0, 1):
        for step in range(50):
            for stream in (0, 1):
                trainer._seed(seed, step, stream)
                draws.add(float(torch.rand(1, dtype=torch.float64)))
    assert len(draws) == 200


# ------------------------------------------------------------------------------------------------------ small configs


def test_phases_can_be_left_out(make_run: MakeRun, vae_base: Path) -> None:
    start = Model(base=str(vae_base), latent_size=6)
    for number, (sections, phases) in enumerate((
        ({"model": start, "phase1": Phase()}, {2}),
        ({"model": start, "phase1": Phase(epochs=0.5), "phase2": Phase()}, {1}),
        ({"phase1": Phase(), "phase2": Phase(epochs=0.5)}, {0, 2}),
    )):  # fmt: skip
        run = make_run(f"run-{number}", **sections)
        assert train(run).state == "finished"
        events = [event for event in run.metrics() if event["split"] == "valid"]
        assert {event["phase"] for event in events} == phases
        first = min(phases - {0})
        stage = next(stage for stage in plan(run.config, 100) if stage.phase == first)
        assert events[0]["step"] == 0
        assert (first, stage.first) in [
            (event["phase"], event["step"]) for event in events
        ]  # the VAE before its first step
        assert len(run.snapshots()) == len(snapshot_steps(run.config, plan(run.config, 100)))


def test_a_base_without_markers_trains(make_run: MakeRun, make_t5: Callable[..., Any], tmp_path: Path) -> None:
    """Span markers are for phase 0 alone."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<pad>": 0, "</s>": 1, **{chr(97 + i): i + 2 for i in range(26)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>").save_pretrained(
        tmp_path / "t5"
    )
    make_t5().save_pretrained(tmp_path / "t5")
    run = make_run(model=Model(base=str(tmp_path / "t5"), latent_size=6), phase1=Phase(), phase2=Phase(epochs=0.2))
    assert train(run).state == "finished"


def test_no_snapshots_and_no_clipping(make_run: MakeRun, trained_run: Run) -> None:
    run = make_run(train=replace(trained_run.config.train, snapshots=0, clip_norm=0.0))
    assert train(run).state == "finished"
    assert run.snapshots() == {}


def test_a_batch_larger_than_the_corpus(make_run: MakeRun, trained_run: Run) -> None:
    run = make_run(train=replace(trained_run.config.train, batch_size=1000))
    assert (train(run).state, run.status.total_steps) == ("finished", 4)


def test_ten_sentences_are_enough_and_one_to_watch_is_too_few(
    tmp_path: Path, sentences: list[str], make_config: MakeConfig
) -> None:
    few = tmp_path / "few.txt"
    few.write_text("\n".join(sentences[:10]), encoding="utf-8")
    run = Run.create(tmp_path / "run", make_config(f"file:{few}"))
    assert train(run).state == "finished"
    assert evaluate.evaluate(vae.load(run.path), trainer._corpus(run, run.config).test, samples=1).sentences == 2
    for name, rows in (("train", sentences[:10]), ("valid", sentences[10:11]), ("test", sentences[11:12])):
        (tmp_path / f"{name}.txt").write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(ValueError, match="The valid split has 1 sentence, but training is watched by at least 2"):
        train(Run.create(tmp_path / "other", make_config(f"file:{tmp_path / 'train.txt'}")))


def test_the_total_threshold_is_charged(make_run: MakeRun, vae_base: Path) -> None:
    run = make_run(model=Model(base=str(vae_base), latent_size=6), phase1=Phase(),
                   phase2=Phase(epochs=0.5, free_bits_total=50.0))  # fmt: skip
    train(run)
    terms = [event for event in run.metrics() if event["phase"] == 2]
    assert all(event["kl_charged_nats"] == 0 < event["kl_nats"] for event in terms)


def test_the_loss_of_a_step_is_rec_plus_weight_times_charged_kl(
    trained_run: Run, make_space: Callable[..., Any], sentences: list[str]
) -> None:
    space, config = make_space(), trained_run.config
    phase = replace(config.phase2, token_deletion=0.0, kl_weight=0.37, kl_schedule="constant")
    config = replace(config, phase2=phase)
    stage, batch = plan(config, 100)[2], space.tokens(sentences[:5]).batch(range(5))
    with torch.no_grad():
        torch.manual_seed(0)
        eps = torch.randn(5, 5)
        nats, sums = trainer._objective(space.model, trainer.Noisy(batch, batch, eps), stage, 20)
        q = space.model.encode(batch)
        rec = space.model.reconstruction(q.mean + torch.exp(q.logvar / 2) * eps, batch)
    charged = charged_kl(q.kl_per_dim(), per_dimension=0.2)
    assert float(nats) == pytest.approx(float((rec + 0.37 * charged).mean()), rel=1e-6)
    assert {name: float(value) for name, value in sums.items()} == pytest.approx(
        {"rec": float(rec.sum()), "kl": float(q.kl_per_dim().sum()), "charged": float(charged.sum())}
        | {"sentences": 5.0, "tokens": float(batch.mask.sum())}
    )


def test_a_corpus_that_is_kept_is_tokenized_once(trained_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, tokenizer = trainer._corpus(trained_run, trained_run.config), base.tokenizer(trained_run.model_path)
    fresh = batching.tokenize(tokenizer, corpus.train["text"].tolist(), trained_run.config.data.max_tokens)
    monkeypatch.setattr(batching, "tokenize", lambda *_: pytest.fail("it was tokenized again"))
    kept = trainer._tokens(trained_run, trained_run.config, corpus, tokenizer)
    assert isinstance(kept.flat, np.memmap)
    assert (kept.flat.tolist(), kept.lengths.tolist(), kept.pad) == (
        fresh.flat.tolist(), fresh.lengths.tolist(), fresh.pad,
    )  # fmt: skip
    rows = [3, 0, 5]
    assert torch.equal(kept.batch(rows).ids, fresh.batch(rows).ids)


def test_tokens_that_were_kept_by_half_are_made_anew(trained_run: Run, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(trained_run.path, tmp_path / "copy")))
    corpus, tokenizer = trainer._corpus(run, run.config), base.tokenizer(run.model_path)
    whole = trainer._tokens(run, run.config, corpus, tokenizer).flat.tolist()
    path = run.corpus_path / "tokens" / "ids.npy"
    for content in (b"", path.read_bytes()[:100]):
        path.write_bytes(content)
        again = trainer._tokens(run, run.config, corpus, tokenizer)
        assert again.flat.tolist() == whole
