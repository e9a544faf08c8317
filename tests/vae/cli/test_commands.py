"""The command line: what it prints where, what it refuses in one line, how it explains itself."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vae import cli, recipes, runs
from vae.runs import Run

Say = Callable[..., Any]
MakeRun = Callable[..., Run]


REFUSED = [
    ((), "the following arguments are required: COMMAND"),
    (("dance",), "invalid choice: 'dance'"),
    (("runs", "--jason"), "unrecognized arguments: --jason"),
    (("train", "--recipe", "two-fase"), "no recipe 'two-fase'.*Did you mean 'two-phase'"),
    (("train", "--set", "train.sede=1"), "train.sede is not a setting.*Did you mean 'seed'"),
    (("train", "--set", "phase2.learning_rate=nan"), "learning_rate=nan must be a number"),
    (("train", "--set", "model.latent_size=0"), "latent_size=0 must be a whole number"),
    (("train", "--set", "phase2.epochs=0", "--recipe", "plain-vae"), "nothing would train"),
    (("train", "--data", ""), "--data: its value is empty"),
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
    (("interpolate", "old", "--from", "a", "--to", "b", "--end-seed", "1"), "--end-seed is of a random code"),
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
def test_bad_input_is_refused_in_one_line(
    vae: Say, make: MakeRun, tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
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


EMPTY = [
    *(("train", option, "") for option in ("--recipe", "--like", "--data", "--base", "--run", "--set")),
    ("launch", "--recipe", "", "--run", ""),
    ("launch", "--like="),
    ("pretrain", "--out", ""),
    ("evaluate", ""),
    ("evaluate", "old", "--against", ""),
    ("evaluate", "old", "--data="),
    ("evaluate", "old", "--probes", "--label", ""),
    ("sample", ""),
    ("encode", "old", "--file", "", "--out", "x.parquet"),
    ("export", "old", "--csv", ""),
    ("export", "old", "--tensorboard", ""),
    ("import", ""),
    ("import", "log.txt", "--run", ""),
    ("queue", "--move", "", "--to", "1"),
    ("bundle", "--all", "--out", ""),
    ("sweep", ""),
    ("sweep", "a", "--recipe", "", "--over", "model.latent_size=2,3"),
    ("sweep", "a", "--like", "", "--over", "model.latent_size=2,3"),
    ("neighbours", "old", "--text", ""),
    ("note", "old", "--tag", ""),
]  # fmt: skip
"""What a shell makes of a variable that is not set."""


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_an_empty_value_is_never_taken_for_none(
    vae: Say, make: MakeRun, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    make("old")
    monkeypatch.setattr(Run, "create", lambda *_: pytest.fail("It made a run."))
    complaint = vae(*arguments).complaint
    assert re.search("its value is empty: give one, or leave it out", complaint)
    assert [run.name for run in runs.list_runs()] == ["old"]


def test_a_note_may_be_emptied(vae: Say, make: MakeRun) -> None:
    make("old")
    assert vae("note", "old", "--text", "well", "--json").document["text"] == "well"
    assert vae("note", "old", "--text", "", "--json").document["text"] == ""


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


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "utf-16"])
def test_the_document_is_json_whatever_standard_output_is_written_in(make: MakeRun, encoding: str) -> None:
    """As where Windows redirects to a file. What a terminal cannot show is escaped in words, too, but not as JSON."""
    make("old")
    text = "naïve 😀 ł"
    done = subprocess.run(
        [sys.executable, "-m", "vae", "note", "old", "--text", text, "--json"],
        env=os.environ | {"PYTHONPATH": home(), "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["text"] == text
    assert (text.encode() in done.stdout) == (encoding == "utf-8")
