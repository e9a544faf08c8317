"""The command line: what it prints where, what it refuses in one line, and one tiny run from beginning to end."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vae import cli, doctor, jobs, machine, recipes, report, runs
from vae.cli import measuring, shared
from vae.config import Config
from vae.recipes import RECIPES
from vae.runs import Run, Status, append_line

TINY = ["--recipe", "plain-vae", "--base", "fresh"] + [
    f"--set={setting}"
    for setting in (
        *("pretrain.vocabulary=400", "pretrain.width=8", "pretrain.layers=1", "pretrain.heads=2"),
        *("pretrain.feed_forward=8", "pretrain.epochs=0.1", "phase2.epochs=0.5", "model.latent_size=3"),
        *("train.batch_size=16", "train.evals_per_epoch=0.5", "train.snapshots=0", "train.log_every=1"),
        *("train.threads=1", "train.precision=fp32"),
    )
]
"""A run of a few steps, which learns nothing."""


Say = Callable[..., Any]
"""Run a command in this process: its status, standard output and standard error."""


@pytest.fixture
def text_file(tmp_path: Path, sentences: list[str]) -> Path:
    path = tmp_path / "sixty.txt"
    path.write_text("\n".join(sentences[::2]) + "\n", encoding="utf-8")
    return path


def make(name: str, **status: Any) -> Run:
    """A run in the folder of runs without a process."""
    run = Run.create(runs.root() / name, recipes.get("plain-vae"))
    run.write_status(Status(**{"state": "finished", **status}))
    return run


FIGURES = {
    "split": "valid", "phase": 2, "step": 20, "rec_nats": 12.3456, "kl_nats": 0.0211, "neg_elbo_nats": 12.3667,
    "mi_nats": 0.01, "mi_ceiling_nats": 6.24, "active_units": 0, "delta_nll_nats": 0.04, "ppl_word": 12345.678,
}  # fmt: skip


# --- Refusals ------------------------------------------------------------------------------------------------------

REFUSED = [
    ((), "the following arguments are required: COMMAND"),
    (("dance",), "invalid choice: 'dance'"),
    (("runs", "--jason"), "unrecognized arguments: --jason"),
    (("train", "--recipe", "two-fase"), "no recipe 'two-fase'.*Did you mean 'two-phase'"),
    (("train", "--set", "train.sede=1"), "train.sede is not a setting.*Did you mean 'seed'"),
    (("train", "--set", "phase2.learning_rate=nan"), "learning_rate=nan must be a number"),
    (("train", "--set", "model.latent_size=0"), "latent_size=0 must be a whole number"),
    (("train", "--set", "phase2.epochs=0", "--recipe", "plain-vae"), "nothing would train"),
    (("train", "--data", ""), "data.corpus='' must be a text"),
    (("train", "--resume"), "--resume needs --run"),
    (("train", "--resume", "--run", "nothing"), "no run 'nothing'"),
    (("train", "--resume", "--run", "old", "--set", "train.seed=1"), "keeps its configuration"),
    (("train", "--resume", "--run", "old"), "old has finished and cannot be trained"),
    (("train", "--run", "runs/old"), "already holds something"),
    (("train", "--run", "runs/no good"), "'no good' cannot name a run"),
    (("train", "--run", "file/below"), "cannot be written"),
    (("train", "--run", "x" * 300), "cannot be written"),
    (("evaluate", "nothing"), "no run 'nothing' here or in"),
    (("evaluate", "odl"), "Did you mean 'old'"),
    (("evaluate", "./nothing"), "no run at ./nothing: check the path"),
    (("evaluate", "old"), "old has no model yet"),
    (("sample", "nobody/nothing"), "could not be fetched from the Hub"),
    (("evaluate", "old", "--split", "all"), "invalid choice: 'all'"),
    (("evaluate", "old", "--samples", "0"), "'0' is not a whole number from 1"),
    (("evaluate", "old", "--seed", "-1"), "--seed"),
    (("evaluate", "old", "--seed", "4294967296"), "is not a whole number from 0 to 4294967295"),
    (("sample", "old", "-n", "0"), "'0' is not a whole number from 1"),
    (("sample", "old", "-n", "²"), "'²' is not a whole number"),
    (("interpolate", "old"), "needs two ends"),
    (("interpolate", "old", "--from", "a"), "needs two ends"),
    (("interpolate", "old", "--from", "a", "--to", "b", "--prior"), "needs two ends"),
    (("interpolate", "old", "--from", "a", "--to", " "), "an empty sentence"),
    (("interpolate", "old", "--prior", "--steps", "1"), "'1' is not a whole number from 2"),
    (("interpolate", "old", "--prior", "--method", "bezier"), "invalid choice: 'bezier'"),
    (("encode", "old", "--file", "file", "--out", "x.csv"), "must end in .parquet"),
    (("encode", "old", "--file", "file", "--out", "no/x.parquet"), "no folder no"),
    (("encode", "old", "--file", "nothing.txt", "--out", "x.parquet"), "nothing.txt is not a file"),
    (("encode", "old", "--file", "file", "--out", "x.parquet"), "ends in ''"),
    (("project", "old", "--method", "tsne"), "invalid choice: 'tsne'"),
    (("project", "old"), "old has no codes yet"),
    (("doctor", "nothing"), "no run 'nothing'"),
    (("stop", "nothing"), "no run 'nothing'"),
    (("stop", "old", "--wait", "soon"), "'soon' is not a whole number"),
    (("resume", "old"), "old has finished and cannot be resumed"),
    (("pretrain", "--out", "runs"), "already holds something"),
    (("pretrain", "--out", "new", "--set", "phase1.epochs=1"), "no effect on pre-training"),
    (("bundle", "half"), "only a finished run"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "complaint"), REFUSED, ids=[" ".join(words)[:60] for words, _ in REFUSED])
def test_bad_input_is_refused_in_one_line(vae: Say, tmp_path: Path, arguments: tuple[str, ...], complaint: str) -> None:
    make("old")
    make("half", state="stopped")
    (tmp_path / "file").touch()
    before = sorted(path.name for path in runs.root().glob("[!.]*"))
    said = vae(*arguments)
    assert said.status == 2
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert re.search(complaint, said.err), said.err
    assert sorted(path.name for path in runs.root().glob("[!.]*")) == before


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("of several\n  lines"), "error: of several lines\n"),
        (OSError(28, "No space left on device", "x/log.txt"), "error: No space left on device: x/log.txt\n"),
        (PermissionError(13, "Permission denied", "x"), "error: Permission denied: x\n"),
        (OSError("the Hub does not answer"), "error: the Hub does not answer\n"),
        (ModuleNotFoundError("No module named 'umap'"), "error: No module named 'umap'\n"),
        (MemoryError(), "error: MemoryError\n"),
        (RuntimeError("CUDA out of memory."), "error: CUDA out of memory.\n"),
    ],
)
def test_what_goes_wrong_on_the_way_is_one_line(
    vae: Say, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(runs, "list_runs", fail)
    assert vae("runs", "--json") == (2, "", line)


def test_a_mistake_of_ours_is_not_hidden(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "list_runs", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vae("runs")


def test_an_interruption_is_quiet(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "list_runs", interrupt)
    assert vae("runs") == (130, "", "")


def test_only_the_answer_reaches_standard_output(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    def chat() -> list[Run]:
        print("a library talks")
        return []

    monkeypatch.setattr(runs, "list_runs", chat)
    assert vae("runs", "--json") == (0, "[]\n", "a library talks\n")


# --- Help and lists ------------------------------------------------------------------------------------------------


def test_every_command_of_the_contract_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    commands = ["train", "evaluate", "sample", "interpolate", "encode", "project", "doctor", "runs", "recipes"]
    commands += ["pretrain", "stop", "resume", "bundle"]
    for command in commands:
        with pytest.raises(SystemExit, match="0"):
            cli.main([command, "--help"])
        assert f"usage: python -m vae {command}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    assert set(commands) <= set(capsys.readouterr().out.split())


def test_the_help_of_train_names_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["train", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    for section, values in recipes.get("two-phase").to_dict().items():
        if section != "recipe":
            assert section in words
            for name in values:
                assert f" {name} (" in words
    assert "batch_size (64): Sentences a step, over all processes." in words
    assert "train_sentences (none): Sentences to train on" in words


def test_light_commands_load_nothing_heavy() -> None:
    code = (
        "import sys; from vae.cli import main; main(['runs']); main(['recipes']);"
        "assert not {'torch', 'transformers', 'pandas', 'numpy'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=os.environ | {"PYTHONPATH": home()}
    )


def home() -> str:
    """The folder that holds the package."""
    return str(Path(cli.__file__).parents[2])


def test_recipes(vae: Say) -> None:
    listed = vae("recipes", "--json").document
    assert [recipe["name"] for recipe in listed] == list(RECIPES)
    assert [Config.from_dict(recipe["config"]) for recipe in listed] == [recipes.get(name) for name in RECIPES]
    words = vae("recipes")
    assert words.status == 0
    assert all(line.startswith((*RECIPES, " ")) for line in words.out.splitlines())


def test_runs_lists_what_is_true_and_what_is_damaged(vae: Say) -> None:
    assert vae("runs").out.startswith("There are no runs in")
    assert vae("runs", "--json").document == []
    make("good", step=20, total_steps=20)
    append_line(runs.find("good").metrics_path, FIGURES | {"step": 10, "kl_nats": 9.0})
    append_line(runs.find("good").metrics_path, FIGURES)
    append_line(runs.find("good").metrics_path, FIGURES | {"split": "train", "kl_nats": 9.0})
    make("dead", state="running", pid=os.getpid(), process_started=1.0, step=7, total_steps=9)
    (make("bad").path / "status.json").write_text("{", encoding="utf-8")
    said = vae("runs", "--json")
    listed = {run["name"]: run for run in said.document}
    assert listed["good"] == {
        "name": "good", "path": str(runs.root() / "good"), "recipe": "plain-vae", "state": "finished", "phase": 0,
        "step": 20, "total_steps": 20, "message": "", "kl_nats": 0.0211, "mi_nats": 0.01, "delta_nll_nats": 0.04,
        "verdict": "collapsed",
    }  # fmt: skip
    assert (listed["dead"]["state"], listed["dead"]["verdict"]) == ("failed", None)
    assert "ended without notice at step 7" in listed["dead"]["message"]
    assert listed["bad"]["state"] == "damaged"
    assert "status.json is damaged" in listed["bad"]["message"]
    words = vae("runs").out.splitlines()
    assert words[0].split() == ["name", "recipe", "state", "step", "KL", "MI", "delta", "NLL", "verdict"]
    good = next(line for line in words if line.startswith("good"))
    assert good.split() == ["good", "plain-vae", "finished", "20/20", "0.02", "0.01", "0.04", "collapsed"]
    assert words[-1].startswith("bad: ")


def test_doctor_reads_the_last_validation_event(vae: Say) -> None:
    run = make("one")
    assert vae("doctor", "one", "--json").document["name"] == "unknown"
    append_line(run.metrics_path, FIGURES)
    append_line(run.metrics_path, {"split": "valid", "phase": 0, "step": 30, "denoising_nats": 1.0})
    said = vae("doctor", "one", "--json")
    assert said.document["name"] == "collapsed"
    assert said.document["figures"] == FIGURES
    words = vae("doctor", str(run.path)).out
    assert said.document["headline"] in words
    assert all(f"  - {sentence}" in words for sentence in said.document["evidence"] + said.document["advice"])


# --- Processes -----------------------------------------------------------------------------------------------------


def test_stop_waits_and_says_what_came_of_it(vae: Say) -> None:
    make("idle", step=5)
    assert vae("stop", "idle").out == "idle is not in training: it is finished at step 5.\n"
    make("queued", state="queued", heartbeat=time.time())
    assert vae("stop", "queued").out == "queued is stopped: Taken out of the queue; resume starts from the beginning.\n"
    run = make("busy")
    run.update_status(state="running", pid=os.getpid(), process_started=None)
    assert vae("stop", "busy", "--wait", "0").out == "busy has been asked to stop, and is still saving.\n"
    assert run.stop_path.exists()

    def obey() -> None:
        time.sleep(0.3)
        run.update_status(state="stopped", message="Stopped at step 3.")

    thread = threading.Thread(target=obey)
    thread.start()
    said = vae("stop", "busy", "--json")
    thread.join()
    assert said.document["status"]["state"] == "stopped"


def test_resume_starts_a_process(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make("one", state="stopped", step=8)
    monkeypatch.setattr(jobs, "_command", lambda run: [sys.executable, "-c", "import time; time.sleep(600)"])
    said = vae("resume", "one")
    assert said.status == 0
    pid = run.status.pid
    assert pid
    assert said.out.startswith(f"one goes on from step 8 in process {pid};")
    child = jobs._children.pop(pid)
    child.kill()
    child.wait(10)


def test_a_process_that_dies_at_once_is_said_to_have_died(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make("one", state="stopped", step=8)

    def dead(run: Run) -> Status:
        return run.update_status(state="failed", pid=None, message="It died.")

    monkeypatch.setattr(jobs, "resume", lambda run, first: run)
    monkeypatch.setattr(jobs, "reconcile", dead)
    assert vae("resume", "one").out == "one could not go on. It died.\n"
    assert run.status.state == "failed"


def test_training_is_quiet_work(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are set before torch is loaded, the priority is lowered, the run claimed, and then it trains."""
    from vae import trainer

    order: list[Any] = []
    monkeypatch.setattr(machine, "lower_priority", lambda: order.append("priority"))
    monkeypatch.setattr(machine, "trainer_threads", lambda: 7)
    for variable in shared.THREAD_VARIABLES:
        monkeypatch.delenv(variable)

    def train(run: Run) -> Status:
        order.append([os.environ[variable] for variable in shared.THREAD_VARIABLES])
        order.append((run.status.state, run.status.pid))
        append_line(run.metrics_path, FIGURES)
        return run.update_status(state="finished", step=20, total_steps=20, message="")

    monkeypatch.setattr(trainer, "train", train)
    said = vae("train", "--recipe", "plain-vae", "--set", "train.log_every=3", "--json")
    assert order == ["priority", ["7"] * 4, ("queued", os.getpid())]
    assert said.document["run"] == str(runs.root() / "plain-vae")
    assert (said.document["status"]["state"], said.document["figures"]) == ("finished", FIGURES)
    assert runs.find("plain-vae").config == recipes.get("plain-vae").with_settings(["train.log_every=3"])
    words = vae("train", "--recipe", "plain-vae", "--set", "train.threads=2")
    assert order[-2:] == [["2"] * 4, ("queued", os.getpid())]
    assert words.out.startswith("plain-vae-2 is finished: 20 steps in all.\n")
    assert "Dimensions in use" in words.out
    assert "1.23e+04" in words.out
    assert "Training plain-vae in " in words.err


def test_a_stop_that_came_while_loading_is_heeded(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    from vae import trainer

    claim = jobs.claim

    def claim_and_be_stopped(run: Run) -> bool:
        expected = claim(run)
        assert jobs.stop(run).state == "stopping"
        return expected

    monkeypatch.setattr(jobs, "claim", claim_and_be_stopped)
    monkeypatch.setattr(trainer, "train", lambda run: pytest.fail("it trained"))
    said = vae("train", "--recipe", "plain-vae")
    assert said.status == 0
    assert "plain-vae is stopped: Stopped before training began; resume starts from the beginning." in said.out
    assert "Go on with: python -m vae train --run" in said.out
    assert runs.find("plain-vae").status.state == "stopped"
    assert not runs.find("plain-vae").stop_path.exists()


def test_a_start_that_failed_leaves_nothing_but_one_that_trained_stays(
    vae: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = vae("train", "--run", "mine", "--data", "file:nothing.txt", *TINY)
    assert said.status == 2
    assert said.err.endswith("error: nothing.txt does not exist: check the path.\n")
    assert not Path("mine").exists()
    from vae import trainer

    def diverge(run: Run) -> Status:
        append_line(run.metrics_path, FIGURES)
        run.update_status(state="failed")
        raise ValueError("The loss is not finite at step 3.")

    monkeypatch.setattr(trainer, "train", diverge)
    assert vae("train", "--run", "mine", "--json").status == 2
    assert Run("mine").status.state == "failed"


def test_several_processes_of_one_run(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first makes the run and answers for it; the others wait for it and keep quiet."""
    from vae import trainer

    trained: list[Run] = []

    def train(run: Run) -> Status:
        trained.append(run)
        return run.update_status(state="finished")

    monkeypatch.setattr(trainer, "train", train)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert "needs --run" in vae("train").err
    assert vae("train", "--run", "shared", "--set", "train.seed=5").status == 0
    owner = Run("shared").status.pid
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(jobs, "claim", lambda run: pytest.fail("claimed twice"))
    assert vae("train", "--run", "shared", "--set", "train.seed=5") == (0, "", "")
    assert vae("train", "--run", "shared", "--set", "train.seed=5", "--json") == (0, "", "")
    assert trained == [Run("shared")] * 3
    assert Run("shared").status.pid == owner


# --- A tiny run, for real ------------------------------------------------------------------------------------------


def test_a_run_from_beginning_to_end(vae: Say, text_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped on the way, resumed, evaluated; the process is this one."""
    from vae import corpora

    load = corpora.load

    def load_while_somebody_stops_the_run(*given: Any, **named: Any) -> Any:
        assert jobs.stop(Run("tiny")).state == "stopping"
        return load(*given, **named)

    monkeypatch.setattr(corpora, "load", load_while_somebody_stops_the_run)
    said = vae("train", "--run", "tiny", "--data", f"file:{text_file}", *TINY)
    assert said.status == 0, said.err
    assert said.out.startswith("tiny is stopped: Stopped at step 1 of 3; resume goes on from there.\n")
    assert "Go on with: python -m vae train --run tiny --resume" in said.out
    text_file.unlink()  # the run keeps what it needs

    said = vae("train", "--run", "tiny", "--resume", "--json")
    assert said.status == 0, said.err
    assert said.document["status"]["state"] == "finished"
    assert said.document["figures"]["phase"] == 2
    assert vae("train", "--run", "tiny", "--resume").status == 2

    report = vae("evaluate", "tiny", "--samples", "2", "--json").document
    assert (report["samples"], report["active_units"] <= 3) == (2, True)
    assert report["neg_elbo_nats"] == pytest.approx(report["rec_nats"] + report["kl_nats"])
    table = vae("evaluate", "tiny", "--split", "train").out
    assert "KL " in table
    assert " nats" in table


def test_a_detached_run_and_its_resumption(vae: Say, text_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real training command, started from a folder that is not the project's, as the app starts it."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    config = recipes.get("plain-vae").with_settings(
        [f"data.corpus=file:{text_file}", "model.base=fresh", *(word[6:] for word in TINY if word.startswith("--set="))]
    )
    run = jobs.launch("detached", config)
    deadline = time.monotonic() + 120
    while (status := jobs.reconcile(run)).state in runs.ACTIVE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    log = run.log_path.read_text(encoding="utf-8")
    assert status.state == "finished", log
    assert "Traceback" not in log
    assert "Finished." in log
    with contextlib.suppress(KeyError):
        jobs._children.pop(status.pid or 0).wait(30)
    assert vae("runs", "--json").document[0]["state"] == "finished"


@pytest.fixture
def trained(trained_run: Run) -> Run:
    """A finished run in the folder of runs."""
    shutil.copytree(trained_run.path, runs.root() / "trained")
    return runs.find("trained")


def test_a_snapshot_samples_and_interpolates_with_its_own_weights(vae: Say, trained: Run) -> None:
    import vae as package

    first = min(trained.snapshots())
    space = package.load(trained.path, first)
    words = ("--snapshot", str(first), "--seed", "9", "--json")
    assert vae("sample", "trained", "-n", "3", *words).document["sentences"] == space.decode(space.sample_prior(3, 9))
    path = space.interpolate(*space.sample_prior(2, 9), steps=3)
    said = vae("interpolate", "trained", "--prior", "--steps", "3", *words).document["path"]
    assert [row["text"] for row in said] == space.decode(path)
    assert space.decode(path) != package.load(trained.path).decode(path)
    assert "has no snapshot of step 999" in vae("sample", "trained", "--snapshot", "999").err


def test_evaluating_samples_and_paths_are_those_of_python(vae: Say, trained: Run, corpus_file: Path) -> None:
    import vae as package
    from vae import evaluate
    from vae.corpora import Corpus

    space = package.load(trained.path)
    words = ("evaluate", "trained", "--seed", "3", "--samples", "2", "--split", "valid")
    document = vae(*words, "--json").document
    expected = evaluate.evaluate(
        space, Corpus.open(trained.corpus_path).valid, seed=3, samples=2, objective=trained.config.phase2
    )
    figures = expected.to_dict()
    assert document == {"run": "trained", "split": "valid", "verdict": doctor.diagnose(figures).name} | json.loads(
        json.dumps(figures)
    )
    assert report.load(trained, "valid") == expected
    other = vae("evaluate", str(trained.path), "--samples", "2", "--data", f"file:{corpus_file}", "--json").document
    assert other["sentences"] == len(Corpus.open(trained.corpus_path).test)
    assert report.load(trained) is None  # of another corpus nothing is kept
    model = vae("evaluate", str(trained.model_path), "--samples", "2", "--data", f"file:{corpus_file}", "--json")
    assert model.document == other | {"run": "model", "kl_charged_nats": None}

    z = space.sample_prior(4, 9)
    assert vae("sample", "trained", "-n", "4", "--seed", "9", "--json").document == {
        "seed": 9,
        "sentences": space.decode(z),
    }
    assert vae("sample", "trained", "-n", "4", "--seed", "9").out.split("\n")[:-1] == space.decode(z)

    said = vae("interpolate", "trained", "--prior", "--seed", "9", "--steps", "5", "--method", "slerp", "--json")
    path = space.interpolate(*space.sample_prior(2, 9), steps=5, method="slerp")
    assert said.document == {
        "method": "slerp",
        "path": [{"t": i / 4, "text": text} for i, text in enumerate(space.decode(path))],
    }
    ends = ("a man is riding a bus .", "nobody waits for it .")
    said = vae(
        "interpolate", "trained", "--from", ends[0], "--to", ends[1], "--steps", "3", "--extend", "0.5", "--json"
    )
    path = space.interpolate(*space.encode(ends).mean, steps=3, extend=0.5)
    assert [(row["t"], row["text"]) for row in said.document["path"]] == list(
        zip((-0.5, 0.5, 1.5), space.decode(path), strict=True)
    )
    assert "-0.50  " in vae("interpolate", "trained", "--prior", "--extend", "0.5").out


def test_encoding_keeps_every_line_in_order(vae: Say, trained: Run, tmp_path: Path) -> None:
    import pandas as pd

    import vae as package

    texts = ["a man is riding a bus .", "", "a man is riding a bus .", "ünïcode 🙂 שלום", "x" * 10_000]
    Path("lines.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    said = vae("encode", "trained", "--file", "lines.txt", "--out", "lines.parquet", "--json")
    assert said.document == {"out": "lines.parquet", "sentences": 5, "latent_size": 6}
    frame = pd.read_parquet("lines.parquet")
    assert frame["text"].tolist() == texts
    mean = package.load(trained.path).encode(texts).mean.numpy()
    assert frame[[f"mu_{i}" for i in range(6)]].to_numpy() == pytest.approx(mean)

    Path("rows.jsonl").write_text(
        '{"text": "a", "kind": 1}\n{"text": null, "kind": 2}\n{"kind": 3}\n', encoding="utf-8"
    )
    assert vae("encode", "trained", "--file", "rows.jsonl", "--out", "rows.parquet").out.startswith("3 sentences")
    frame = pd.read_parquet("rows.parquet")
    assert (frame["text"].tolist(), frame["kind"].tolist()) == (["a", "", ""], [1, 2, 3])

    assert vae("encode", "trained", "--file", "rows.jsonl", "--out", "rows.zip").status == 0
    with zipfile.ZipFile("rows.zip") as archive:
        assert archive.read("metadata.tsv").decode() == "text\tkind\na\t1\n\t2\n\t3\n"
        values = [line.split("\t") for line in archive.read("tensors.tsv").decode().splitlines()]
    assert np.array(values, float) == pytest.approx(frame.filter(regex="^mu_").to_numpy(), rel=1e-4)

    Path("mixed.jsonl").write_text('{"text": "a", "kind": 1}\n{"text": "b", "kind": "two"}\n', encoding="utf-8")
    assert "mixes kinds" in vae("encode", "trained", "--file", "mixed.jsonl", "--out", "mixed.parquet").err
    Path("other.csv").write_text("sentence,label\na,b\n", encoding="utf-8")
    assert "no column 'text'" in vae("encode", "trained", "--file", "other.csv", "--out", "other.parquet").err
    assert not Path("mixed.parquet").exists()


def test_encoding_a_table_whose_sentences_have_another_name(vae: Say, trained: Run) -> None:
    import pandas as pd

    config = trained.config.with_settings(["data.text_column=caption"])
    runs.write_json(trained.path / "config.json", config.to_dict())
    Path("table.csv").write_text("text,caption,label\nleft,a man .,x\n,a dog .,y\n", encoding="utf-8")
    assert vae("encode", "trained", "--file", "table.csv", "--out", "table.parquet").status == 0
    frame = pd.read_parquet("table.parquet")
    assert list(frame)[:2] == ["text", "label"]
    assert (frame["text"].tolist(), frame["label"].tolist()) == (["a man .", "a dog ."], ["x", "y"])


def test_maps_and_verdicts(vae: Say, trained: Run) -> None:
    said = vae("project", "trained", "--method", "pca", "--refit", "--json").document
    assert said == {
        "run": str(trained.path),
        "method": "pca",
        "sentences": said["sentences"],
        "file": str(trained.projections_path / "pca.parquet"),
    }
    assert Path(said["file"]).is_file()
    last = vae("doctor", "trained", "--json").document
    fresh = vae("doctor", "trained", "--evaluate", "--json").document
    assert last["figures"]["split"] == "valid"
    document = vae("evaluate", "trained", "--samples", "1", "--json").document
    assert document["verdict"] == fresh["name"]
    assert fresh["figures"] == {name: value for name, value in document.items() if name in fresh["figures"]}
    assert vae("doctor", "trained", "--json").document["figures"] == fresh["figures"]  # the report is newer


def test_several_models_side_by_side(vae: Say, trained: Run) -> None:
    shutil.copytree(trained.path, runs.root() / "twin")
    words = ("evaluate", "trained", "twin", "--samples", "3")
    said = vae(*words, "--against", "twin")
    head, first = said.out.splitlines()[:2]
    assert head.split() == ["trained", "twin"]
    assert first.startswith("PPL")
    assert first.split()[1] == first.split()[2]
    assert "NLL_3" in said.out
    assert "trained against twin: a sentence costs 0.00 nats more (NLL, paired, 95 %: +0.00 to +0.00)." in said.out
    first, second = vae(*words, "--against", "twin", "--json").document
    assert first["against"]["nll_nats"]["difference"] == 0
    assert (first["run"], second["run"]) == ("trained", "twin")
    table = vae(*words, "--csv").out.splitlines()
    assert table[0].startswith("run,split,")
    assert [row.split(",")[0] for row in table[1:]] == ["trained", "twin"]
    assert vae(*words, "--latex").out.startswith("\\begin{tabular}{l")
    assert "NLL$_{3}$" in vae(*words, "--latex").out
    assert "not allowed with" in vae(*words, "--latex", "--csv").err
    assert "passes" not in said.err  # it took less than a second


def test_other_sentences_are_not_compared(vae: Say, trained: Run, corpus_file: Path) -> None:
    shutil.copytree(trained.path, runs.root() / "twin")
    path = runs.find("twin").corpus_path / "test.parquet"
    import pandas as pd

    pd.read_parquet(path).iloc[::-1].to_parquet(path, index=False)
    said = vae("evaluate", "trained", "--samples", "1", "--against", "twin")
    assert said.status == 2
    assert "different sentences: evaluate both runs on the same --data" in said.err


def test_a_report_that_cannot_be_kept_is_still_printed(vae: Say, trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "save", full)
    said = vae("evaluate", "trained", "--samples", "1")
    assert said.status == 0
    assert "could not be kept" in said.err
    assert "No space left on device" in said.err
    assert "PPL" in said.out


def test_long_work_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(measuring.time, "monotonic", lambda: next(clock) * 0.4)
    with measuring.progress("mine, 10 sentences", 10) as watch:
        for done in range(1, 30):
            watch(done, 30)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "mine, 10 sentences: 0 of 3 passes"
    assert lines[-1] == "mine, 10 sentences: 2 of 3 passes"
    assert len(lines) < 15


def test_pretraining_makes_a_base(vae: Say, text_file: Path) -> None:
    settings = [word for word in TINY if word.startswith(("--set=pretrain", "--set=train"))]
    said = vae("pretrain", "--out", "base", "--data", f"file:{text_file}", *settings, "--set=pretrain.epochs=1")
    assert said.status == 0, said.err
    assert said.out == "The T5 is in base. Start from it with: python -m vae train --base base\n"
    assert (Path("base") / "model.safetensors").is_file()


def test_the_module_runs_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vae", "train", "--set", "x"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": home()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: The setting 'x' is not of the form section.field=value.\n"


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "vae", "recipes", "--json"],
        env=os.environ | {"PYTHONPATH": home()},
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
