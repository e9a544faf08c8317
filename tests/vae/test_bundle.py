import re
import shlex
import shutil
import sys
import types
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import vae
from vae import bundle, film, latents, projection, recipes, report, runs, trainer
from vae.bundle import FAMILY, Member, Switches
from vae.cli import parser
from vae.runs import Run, Status

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "checkpoints"
SMALL = (
    *("data.train_sentences=64", "data.valid_sentences=16", "data.test_sentences=8", "train.eval_sentences=16"),
    *("phase1.epochs=0", "phase2.epochs=1", "train.evals_per_epoch=1", "train.precision=fp32", "train.threads=1"),
)


@pytest.fixture
def copy(trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run to be made small; with one of the two maps, because the other takes seconds to compile."""
    monkeypatch.setattr(projection, "METHODS", ("pca",))
    shutil.copytree(trained_run.path, tmp_path / "copy")
    return Run(tmp_path / "copy")


class FromItsStart:
    """In the place of UMAP, which takes seconds to compile: sentences stay where they begin."""

    def __init__(self, *, init: np.ndarray, **_: Any) -> None:
        self.start = init

    def fit_transform(self, codes: np.ndarray) -> np.ndarray:
        assert len(codes) == len(self.start)
        return self.start


class TestBundle:
    def test_a_bundled_run_is_small_and_complete(self, copy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(projection, "METHODS", ("pca", "umap"))
        monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=FromItsStart))
        before, texts = vae.load(copy.path), latents.read_latents(copy).frame["text"].tolist()
        bundle.bundle(copy)
        after = vae.load(copy.path)
        assert copy.bundled
        assert not copy.lesson
        assert (copy.status.state, copy.status.pid) == ("finished", None)
        assert not copy.state_path.exists()
        assert 0 < len(copy.snapshots()) <= bundle.SNAPSHOTS
        for name, tensor in after.model.weights().items():
            torch.testing.assert_close(tensor, before.model.weights()[name], rtol=1e-3, atol=1e-4)
        known = latents.read_latents(copy)
        assert known.frame["text"].tolist() == texts
        exact = after.encode(texts)  # by the rounded weights
        torch.testing.assert_close(torch.tensor(known.means), exact.mean.half().float(), rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(torch.tensor(known.logvars), exact.logvar.half().float(), rtol=1e-3, atol=1e-5)
        assert all(projection.cached(copy, method) is not None for method in projection.METHODS)

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_as_many_snapshots_stay_as_asked_for(self, copy: Run, count: int) -> None:
        first, *_ = before = list(copy.snapshots())
        assert len(before) > count
        bundle.bundle(copy, snapshots=count)
        assert len(copy.snapshots()) == count
        assert (first in copy.snapshots()) == (count > 1)

    def test_of_the_checks_some_stay_with_the_first_sentences(self, copy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        before = film.read(copy)
        assert before is not None
        assert len(before.frames) > 2
        monkeypatch.setattr(bundle, "CHECKS", 2)
        monkeypatch.setattr(bundle, "CODED", 3)
        bundle.bundle(copy)
        after = film.read(copy)
        assert after is not None
        assert [frame.step for frame in after.frames] == [before.frames[0].step, before.frames[-1].step]
        assert after.texts == before.texts[:3]
        assert after.labels == {name: values[:3] for name, values in before.labels.items()}
        assert (after.frames[1].means == before.frames[-1].means[:3]).all()
        assert (after.frames[1].logvars == before.frames[-1].logvars[:3]).all()

    def test_codes_that_say_nothing_go(self, copy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Run, "config", property(lambda run: recipes.get("language-model")))
        bundle.bundle(copy)
        assert not copy.codes()

    def test_without_weights_a_history_with_its_report_stays(self, copy: Run) -> None:
        (copy.reports_path).mkdir(exist_ok=True)
        (copy.reports_path / "test.json").write_text("{}", encoding="utf-8")
        metrics, samples = copy.metrics(), copy.samples()
        bundle.bundle(copy, weights=False, role=runs.LESSON)
        assert copy.bundled
        assert copy.lesson
        assert (copy.metrics(), copy.samples()) == (metrics, samples)
        left = {path.name for path in copy.path.iterdir()}
        assert left - {"corpus", "log.txt"} == {
            *("config.json", "status.json", "env.json", "metrics.jsonl", "samples.jsonl", "reports")
        }
        with pytest.raises(ValueError, match="is kept without its weights, so it cannot decode: choose another run"):
            vae.load(copy.path)

    def test_a_bundled_run_is_not_deleted(self, copy: Run) -> None:
        bundle.bundle(copy, weights=False)
        with pytest.raises(ValueError, match="ships with Bottleneck"):
            copy.delete()
        assert copy.exists

    def test_only_a_finished_run_is_bundled(self, copy: Run) -> None:
        copy.write_status(Status(state="stopped"))
        with pytest.raises(ValueError, match="only a finished run"):
            bundle.bundle(copy)
        assert copy.state_path.exists()


class TestMake:
    MEMBER = Member(name="small", recipe="plain-vae", settings=SMALL, weights=False, role=runs.LESSON)

    def test_what_is_there_is_not_made_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run, said = Run(tmp_path / "small"), list[str]()
        assert bundle.make(run, self.MEMBER, said.append)
        assert [line.split(":")[0] for line in said] == [
            *("small is being trained.", "small is trained", "small is being judged.", "small is judged"),
            *("small is being made small.", "small is made small"),
        ]
        assert run.config == self.MEMBER.config
        assert run.bundled
        assert run.lesson
        found = report.load(run)
        assert found is not None
        assert (found.sentences, found.samples) == (8, 100)
        assert 0 < bundle.megabytes(run) < 0.2
        monkeypatch.setattr(trainer, "train", lambda run: pytest.fail("trained again"))
        assert not bundle.make(run, self.MEMBER, said.append)
        assert len(said) == 6
        with pytest.raises(ValueError, match=r"is another run \(.*phase2.epochs=1.*move it away"):
            bundle.make(run, replace(self.MEMBER, settings=(*SMALL, "phase2.epochs=2")), said.append)
        (run.reports_path / "test.json").unlink()
        with pytest.raises(ValueError, match="no weights left to be judged by"):
            bundle.make(run, self.MEMBER, said.append)

    def test_with_weights_it_is_judged_as_it_ships(self, copy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        member = types.SimpleNamespace(
            name="copy", config=copy.config, snapshots=1, weights=True, probes=False, role=""
        )
        seen: list[bool] = []
        monkeypatch.setattr(bundle, "_judge", lambda run, member: seen.append(run.bundled))
        assert bundle.make(copy, member, lambda words: None)  # type: ignore[arg-type]
        assert seen == [True]
        assert len(copy.snapshots()) == 1

    def test_a_run_that_was_stopped_goes_on_the_next_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = Run(tmp_path / "small")
        with monkeypatch.context() as patch:
            patch.setattr(trainer, "train", lambda run: run.update_status(state="stopped", message="Stopped."))
            with pytest.raises(KeyboardInterrupt):
                bundle.make(run, self.MEMBER, lambda words: None)
        assert not run.bundled
        with monkeypatch.context() as patch:
            patch.setattr(trainer, "train", lambda run: run.update_status(state="failed", message="No.") and 1 / 0)
            with pytest.raises(ZeroDivisionError):
                bundle.make(run, self.MEMBER, lambda words: None)
        trained: list[Run] = []
        monkeypatch.setattr(trainer, "train", lambda run: trained.append(run) or run.update_status(state="finished"))
        monkeypatch.setattr(bundle, "_judge", lambda run, member: None)
        assert bundle.make(run, self.MEMBER, lambda words: None)
        assert trained == [run]

    def test_probes_of_a_member_are_part_of_its_report(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = types.SimpleNamespace(probes=None)
        monkeypatch.setattr(report, "load", lambda run: found)
        run = Run(tmp_path)
        assert bundle._is_judged(run, self.MEMBER)
        assert not bundle._is_judged(run, replace(self.MEMBER, probes=True))
        found.probes = {}
        assert bundle._is_judged(run, replace(self.MEMBER, probes=True))


class TestFamily:
    def test_its_members_are_runs_that_can_be_made(self) -> None:
        names = [each.name for each in FAMILY]
        assert len(set(names)) == len(names) == 13
        starts = set()
        for each in FAMILY:
            assert runs.valid_name(each.name)
            assert each.config.idle_settings() == []
            starts.add((each.config.data, each.config.model.base, each.config.train.seed))
            assert each.weights == (each.role == "")
        assert len(starts) == 1  # one corpus, one starter, one seed

    def test_the_switches_are_all_that_differs_in_the_cube(self) -> None:
        found, start = bundle.cube(), recipes.get("two-phase")
        assert set(found) == {Switches(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)}
        assert found[Switches(True, True, False)] == "captions-two-phase"
        assert found[Switches(False, True, False)] == "captions-free-bits-only"
        configs = {each.name: each.config for each in FAMILY}
        for switches, name in found.items():
            config = configs[name]
            phase2 = replace(
                start.phase2,
                epochs=8 if switches.warmup else 10,  # ten epochs in all
                free_bits_per_dimension=0.5 if switches.free_bits else 0,
                token_deletion=0.15 if switches.noise else 0,
            )
            phase1 = replace(start.phase1, token_deletion=phase2.token_deletion)
            wanted = replace(start, recipe=config.recipe, phase1=phase1, phase2=phase2)
            if not switches.warmup:
                wanted = replace(wanted, phase1=config.phase1)
                assert config.phase1.epochs == 0
            assert config == wanted
            for word, on in (("warmup", switches.warmup), ("free-bits", switches.free_bits), ("noise", switches.noise)):
                if "switch" in name:
                    assert (word in name) == on

    def test_some_are_chosen_by_name_in_the_order_of_the_family(self) -> None:
        assert bundle.chosen([]) == list(FAMILY)
        assert bundle.chosen([FAMILY[3].name, FAMILY[0].name]) == [FAMILY[0], FAMILY[3]]
        with pytest.raises(ValueError, match="'captions-nobody' does not ship with Bottleneck"):
            bundle.chosen(["captions-nobody"])

    @pytest.mark.parametrize("member", FAMILY, ids=lambda member: member.name)
    def test_what_ships_is_what_the_table_says(self, member: Member) -> None:
        run = Run(SHIPPED / member.name)
        assert run.config == member.config
        assert run.bundled
        assert run.status.state == "finished"
        assert run.status.step == run.status.total_steps
        assert run.env["role" if member.role else "bundled"] == (member.role or True)
        assert (run.model_path / "model.safetensors").is_file() == member.weights
        assert len(run.snapshots()) == member.snapshots
        assert not run.state_path.exists()
        found = report.load(run)
        assert found is not None
        assert (found.probes is not None) == member.probes
        assert len(report.load_sentences(run)) == found.sentences == 2000
        checks = [event for event in run.metrics() if event["split"] == "valid"]
        assert checks[-1]["step"] == run.status.step
        assert run.samples()[-1]["step"] == run.status.step
        if not member.weights:
            assert bundle.megabytes(run) < 0.7
            return
        assert all((run.projections_path / f"{method}.json").is_file() for method in projection.METHODS)
        assert len(pd.read_parquet(run.latents_path)) == 2000
        played = film.read(run)
        if member.config.model.latent == "zero":
            assert played is None
        else:
            assert played is not None
            assert 10 < len(played.frames) <= bundle.CHECKS
            assert (played.frames[0].step, played.frames[-1].step) == (0, run.status.step)
            assert len(played.texts) == bundle.CODED

    def test_nothing_else_ships(self) -> None:
        bundled = {run.name for run in runs.list_runs(SHIPPED) if run.bundled}
        assert bundled == {each.name for each in FAMILY}

    def test_it_stays_within_its_budget(self) -> None:
        names = [*(each.name for each in FAMILY), "starter"]
        files = [file for name in names for file in (SHIPPED / name).rglob("*") if file.is_file()]
        kept = [file for file in files if "film" not in file.parts]  # which the app may add
        assert sum(file.stat().st_size for file in kept) <= bundle.BUDGET_MB * 1e6
        assert max(file.stat().st_size for file in kept) <= bundle.LARGEST_MB * 1e6

    def test_the_commands_of_the_readme_make_it(self) -> None:
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        section = text.partition("## How the bundled runs were made")[2].partition("\n## ")[0]
        commands = [shlex.split(line)[3:] for line in section.splitlines() if line.startswith("python -m vae ")]
        said = Counter(command[0] for command in commands)
        assert said == {"pretrain": 1, "bundle": 1}
        options = [parser.build().parse_args(command) for command in commands]
        (everything,) = (each for each in options if each.command.__name__ == "bundle")
        assert everything.all
        assert (everything.only, everything.out, everything.run) == ([], None, None)
        assert set(re.findall(r"captions-[a-z-]*[a-z]", section)) <= {each.name for each in FAMILY} | {
            "captions-switch"
        }
