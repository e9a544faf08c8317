"""Rules that change a phase's course: what they do, and that a run resumed under them is the run that never stopped."""

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import vae
from vae import checkpoints, optimization, trainer
from vae.config import Config, Data, Lstm, Model, Phase
from vae.optimization import Course, Progress
from vae.recipes import RECIPES, get
from vae.runs import Run
from vae.schedules import Stage, plan

MakeConfig = Callable[..., Config]
CLOCK = ("sentences_per_second", "tokens_per_second", "peak_share", "time_s", "memory_mb", "gpu_memory_mb")
LSTM = {
    "model": Model(backbone="lstm", pooling="last", latent_size=6),
    "lstm": Lstm(vocabulary=20, embedding=8, width=16),
}
PATIENT = Phase(
    epochs=30, learning_rate=1.0, learning_rate_schedule="patience", patience=1, patience_decays=2, kl_weight=0.0
)

SCHEDULES = pytest.mark.parametrize("schedule", ["constant", "patience"])


@pytest.fixture
def make_run(tmp_path: Path, corpus_file: Path, make_config: MakeConfig) -> Callable[..., Run]:
    def make(name: str = "run", **sections: Any) -> Run:
        config = make_config(f"file:{corpus_file}", **(LSTM | sections))
        return Run.create(tmp_path / name, config)

    return make


def train(run: Run) -> Any:
    return trainer.train(run, progress=False)


def course(**settings: Any) -> Course:
    """A phase of two steps an epoch."""
    phase = Phase(**({"epochs": 50, "learning_rate": 0.5, "learning_rate_schedule": "patience"} | settings))
    return Course(Stage(2, phase, 0, 100, 2), Progress(), {})


def told(under: Course, losses: list[float], model: nn.Module | None = None) -> list[float]:
    """The factor of the learning rate after each check, one an epoch; each finds the weight at its number."""
    model, factors = model or nn.Linear(1, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, loss in enumerate(losses, 1):
        with torch.no_grad():
            next(model.parameters()).fill_(number)
        ended = under.take(2 * number, loss, 0.0, model, optimizer)
        factors.append(under.factor)
        if ended:
            break
    return factors


def test_the_rate_halves_when_two_epochs_have_not_improved_and_five_times_end_the_phase() -> None:
    """Appendix A of Li et al. 2019."""
    assert told(course(), [5, 4, 4.5, 4.2, 3, 3.5, 3.5]) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    assert told(course(), [1, *[2] * 30]) == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.03125]
    assert told(course(patience=5), [1, 2, 2, 2, 2, 2]) == [1, 1, 1, 1, 1, 0.5]


def test_nothing_counts_before_patience_begins() -> None:
    under = course(patience_from=4)
    assert told(under, [1, 2, 3, 9, 8, 9, 9]) == [1, 1, 1, 1, 1, 1, 0.5]
    assert (under.progress.best_loss, under.progress.best_step) == (8, 10)


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_nothing_counts_before_the_kl_weight_is_full(weight: float) -> None:
    """Neither are its losses any to go back to, nor is it time in which nothing was gained."""
    under = course(kl_schedule="linear", kl_epochs=3, kl_weight=weight)
    assert told(under, [1, 1, 1, 5, 6, 6, 4]) == [1, 1, 1, 1, 1, 0.5, 0.5]
    assert (under.progress.best_loss, under.progress.best_step) == (4, 14)


def cycles(losses: Callable[[int, int], float]) -> tuple[list[float], float]:
    """The factors of the learning rate of `lstm-cyclic` after each epoch, and the epoch whose weights it ends with.

    The check of each epoch finds `losses(cycle, epoch of the cycle)`, both from 1.
    """
    phase, model = get("lstm-cyclic").phase2, nn.Linear(1, 1)
    under = Course(Stage(2, phase, 0, 2 * int(phase.epochs), 2), Progress(), {})
    length = int(phase.kl_epochs)
    epochs = [(1 + done // length, 1 + done % length) for done in range(int(phase.epochs))]
    factors = told(under, [losses(*epoch) for epoch in epochs], model)
    under.finish(model)
    return factors, model.weight.item()


def test_cycles_that_gain_in_the_end_are_not_undone_for_the_ramps_between_them() -> None:
    """The loss is worse in each ramp, and still worse for the first three of the five epochs after it."""
    factors, kept = cycles(lambda cycle, epoch: 100 - cycle + (10 - epoch) / 2)
    assert factors == [1.0] * 100
    assert kept == 100


def test_the_low_losses_of_a_ramp_are_none_to_go_back_to() -> None:
    factors, kept = cycles(lambda cycle, epoch: 100 - cycle - (epoch <= 5) * 50)
    assert factors == [1.0] * 100
    assert kept == 96


def test_a_cycle_that_has_gained_nothing_by_its_end_halves_the_rate() -> None:
    factors, kept = cycles(lambda cycle, epoch: 100 + cycle + (10 - epoch))
    halved = [epoch for epoch in range(1, len(factors)) if factors[epoch] < factors[epoch - 1]]
    assert [epoch + 1 for epoch in halved] == [20, 30, 40, 50, 60]
    assert (len(factors), kept) == (60, 10)


def test_the_best_weights_return_at_a_halving_and_stay_in_the_end() -> None:
    model, under = nn.Linear(1, 1), course()
    told(under, [5, 4, 6, 6], model)
    assert model.weight.item() == 2
    under.take(10, 7.0, 0.0, model, torch.optim.SGD(model.parameters(), lr=0.1))
    with torch.no_grad():
        model.weight.fill_(9)
    under.finish(model)
    assert model.weight.item() == 2


def test_the_optimizer_starts_anew_at_a_halving() -> None:
    model, under = nn.Linear(1, 1), course()
    optimizer = torch.optim.AdamW(model.parameters())
    known = []
    for step, loss in enumerate([4.0, 5.0, 5.0], 1):
        model(torch.ones(1)).backward()
        optimizer.step()
        under.take(2 * step, loss, 0.0, model, optimizer)
        known.append(len(optimizer.state))
    assert known == [2, 2, 0]


def test_a_constant_rate_has_no_rule() -> None:
    under = course(learning_rate_schedule="constant")
    assert not under.watches
    assert told(under, [1, 2, 2, 2, 2]) == [1] * 5
    assert under.kept == {}


def test_the_encoder_goes_first_until_the_mi_of_an_epoch_is_no_higher() -> None:
    under = course(learning_rate_schedule="constant", aggressive_updates=5)
    model = nn.Linear(1, 1)
    found = []
    for step, mi in enumerate([0.1, 0.05, 0.4, 0.2, 0.4, 0.9], 1):  # two checks an epoch: every other one counts
        under.take(step, 1.0, mi, model, torch.optim.SGD(model.parameters(), lr=0.1))
        found.append(under.ahead)
    assert found == [True, True, True, True, False, False]


# --------------------------------------------------------------------------------------------------- on real runs


def stop_at(monkeypatch: pytest.MonkeyPatch, run: Run, steps: set[int]) -> None:
    rate = trainer.stage_learning_rate

    def watch(config: Config, stage: Any, step: int) -> float:
        if step in steps:
            steps.remove(step)
            run.stop_path.touch()
        return rate(config, stage, step)

    monkeypatch.setattr(trainer, "stage_learning_rate", watch)


def same(run: Run, other: Run) -> None:
    events = [[{k: v for k, v in e.items() if k not in CLOCK} for e in each.metrics()] for each in (run, other)]
    assert events[0] == events[1]
    files = sorted(path.relative_to(other.path) for path in other.path.rglob("*.safetensors"))
    assert sorted(path.relative_to(run.path) for path in run.path.rglob("*.safetensors")) == files
    for file in files:
        ours, theirs = load_file(run.path / file), load_file(other.path / file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), file
    assert (run.status.step, run.status.total_steps) == (other.status.step, other.status.total_steps)


def patient(make_config: MakeConfig, **settings: Any) -> dict[str, Any]:
    settings = {"optimizer": "sgd", "evals_per_epoch": 1.0, "log_every": 5, "batch_size": 32} | settings
    return {
        "phase1": PATIENT,
        "phase2": replace(PATIENT, epochs=4, kl_weight=1.0, decoder="reset", free_bits_target=3.0),
        "train": replace(make_config("captions").train, **settings),
    }


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_phase_ends_by_patience_and_a_stopped_run_goes_on_as_if_it_had_not(
    make_run: Callable[..., Run], make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    """Stopped while patience counts, at the end that it brings, and in the next phase: equal to the last bit."""
    sections = patient(make_config, optimizer=optimizer)
    if optimizer == "adamw":
        sections["phase1"] = replace(PATIENT, learning_rate=0.3)
    whole, run = make_run("whole", **sections), make_run("run", **sections)
    assert train(whole).state == "finished"
    planned = plan(whole.config, 100)
    saved = checkpoints.read(whole)
    assert saved is not None
    ended = saved[0].took["1"]
    assert 0 < ended < planned[0].last
    stages = plan(whole.config, 100, {int(phase): steps for phase, steps in saved[0].took.items()})
    assert whole.status.step == whole.status.total_steps == stages[-1].last < planned[-1].last
    checks = [e for e in whole.metrics() if e["split"] == "valid" and e["phase"] == 1]
    assert checks[-1]["step"] == ended
    assert checks[-1]["rec_nats"] == min(e["rec_nats"] for e in checks)  # the best weights are those that stay
    assert "its weights are back" in whole.log_path.read_text(encoding="utf-8")
    with monkeypatch.context() as patch:
        stops = {3, ended - 2, ended - 1, ended + 3}
        stop_at(patch, run, stops)
        for _ in range(4):
            assert train(run).state == "stopped"
    assert train(run).state == "finished"
    same(run, whole)


def test_sgd_is_a_plain_step_against_the_gradient(make_config: MakeConfig) -> None:
    parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = optimization.make_optimizer(replace(make_config("captions").train, optimizer="sgd"), [parameter])
    optimizer.param_groups[0]["lr"] = 0.5
    for _ in range(2):
        parameter.grad = torch.tensor([1.0, 4.0])
        optimizer.step()
    assert parameter.tolist() == [0.0, -6.0]


def between(run: Run, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """Parameters at the end of phase 1, at the beginning of phase 2, and the state of the optimizer there."""
    seen: dict[str, Any] = {}
    begin = trainer._begin_decoder

    def watch(module: Any, config: Config, course: Course, *, after_phase1: bool) -> None:
        def now() -> dict[str, Any]:
            return {part: [p.detach().clone() for p in ps] for part, ps in module.parts().items()}

        before = now()
        begin(module, config, course, after_phase1=after_phase1)
        if course.stage.phase == 2:
            seen["before"], seen["after"] = before, now()
        else:
            seen["start"] = before

    monkeypatch.setattr(trainer, "_begin_decoder", watch)
    assert train(run).state == "finished"
    return seen["before"], seen["after"], seen["start"]


def equal(one: dict[str, Any], other: dict[str, Any], part: str) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(one[part], other[part], strict=True)]


@SCHEDULES
def test_a_reset_draws_every_tensor_of_the_decoder_anew_and_keeps_the_encoder(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, schedule: Any
) -> None:
    warmup = Phase(epochs=1, kl_weight=0, learning_rate=1e-2, learning_rate_schedule=schedule)
    run = make_run(phase1=warmup, phase2=Phase(epochs=0.5, decoder="reset"))
    before, after, start = between(run, monkeypatch)
    for part in ("encoder", "posterior"):
        assert all(equal(before, after, part))
    for part in ("decoder", "head", "projection"):
        assert after[part]
        assert not any(equal(before, after, part))
        assert not any(equal(start, after, part))
    words, *others = after["decoder"]
    assert 0.09 < float(words.abs().max()) <= 0.1  # as at the very beginning
    assert all(float(tensor.abs().max()) <= 0.01 for tensor in (*others, *after["head"], *after["projection"]))


@SCHEDULES
def test_the_pretrained_decoder_of_a_t5_is_put_back(
    make_run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    make_t5: Any,
    tokenizer: Any,
    tmp_path: Path,
    schedule: Any,
) -> None:
    """Also by a run that was stopped in phase 1, and whose base is gone; and beside the best weights of patience."""
    make_t5(head=True, tie_word_embeddings=False).save_pretrained(tmp_path / "t5")
    tokenizer.save_pretrained(tmp_path / "t5")
    sections = {
        "model": Model(base=str(tmp_path / "t5"), latent_size=6),
        "lstm": Lstm(),
        "phase1": Phase(
            epochs=1, kl_weight=0, frozen=("embeddings",), learning_rate=1e-2, learning_rate_schedule=schedule
        ),
        "phase2": Phase(epochs=0.5, decoder="restore"),
    }
    whole, run = make_run("whole", **sections), make_run("run", **sections)
    with monkeypatch.context() as patch:
        before, after, start = between(whole, patch)
    for part in ("decoder", "head"):
        assert not any(equal(before, start, part))
        assert all(equal(after, start, part))
    for part in ("encoder", "posterior", "projection", "embeddings"):
        assert all(equal(before, after, part))
    with monkeypatch.context() as patch:
        stop_at(patch, run, {4, 6, 8})
        for _ in range(3):
            assert train(run).state == "stopped"
            (tmp_path / "t5" / "config.json").unlink(missing_ok=True)
    assert train(run).state == "finished"
    same(run, whole)


def test_the_encoder_alone_moves_in_the_updates_ahead_and_not_in_the_step(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(phase1=Phase(), phase2=Phase(epochs=1, aggressive_updates=3, learning_rate=1e-2))
    moved: list[tuple[int, set[str]]] = []
    gradient, last = trainer.Gradient.__call__, {}

    def watch(self: Any, step: int, rows: Any, rate: float, ahead: int = 0) -> Any:
        parts = {part: [p.detach().clone() for p in ps] for part, ps in self.model.parts().items()}
        if last:
            moved.append((last["ahead"], {part for part in parts if not all(equal(last["parts"], parts, part))}))
        last.update(parts=parts, ahead=ahead)
        return gradient(self, step, rows, rate, ahead)

    monkeypatch.setattr(trainer.Gradient, "__call__", watch)
    train(run)
    assert [ahead for ahead, _ in moved[:8]] == [1, 2, 3, 0, 1, 2, 3, 0]
    for ahead, parts in moved[:8]:
        assert parts == ({"encoder", "posterior"} if ahead else {"projection", "decoder", "head"})
    events = [event for event in run.metrics() if event["split"] == "train"]
    assert events[0]["encoder_updates"] == 3


def test_the_updates_ahead_end_with_their_gain(make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """He et al. 2019: after two windows of 15, if the second is no better; a stopped run draws the same batches."""
    sections = {"phase1": Phase(), "phase2": Phase(epochs=1.2, aggressive_updates=100, learning_rate=1e-9)}
    whole, run = make_run("whole", **sections), make_run("run", **sections)
    train(whole)
    updates = [event["encoder_updates"] for event in whole.metrics() if "encoder_updates" in event]
    assert all(0 <= each <= 100 for each in updates)
    assert 2 * optimization.WINDOW <= updates[0] < 90
    with monkeypatch.context() as patch:
        stop_at(patch, run, {2, 7})
        assert [train(run).state for _ in range(2)] == ["stopped", "stopped"]
    train(run)
    same(run, whole)


def test_each_window_of_updates_ahead_is_compared_with_the_one_before_it() -> None:
    """The third is worse than the second, though all three are better on average than the first two."""
    nats = {1: 10.0, 2: 4.0, 3: 5.0}
    seen = []

    class Losses:
        stage = Stage(2, Phase(epochs=1, aggressive_updates=100), 0, 10, 10)
        accelerator = SimpleNamespace(device=torch.device("cpu"))

        def another(self, step: int, ahead: int) -> list[int]:
            return [ahead]

        def __call__(self, step: int, rows: list[int], rate: float, ahead: int) -> dict[str, float]:
            seen.append(ahead)
            return {"nats": nats.get(-(-ahead // optimization.WINDOW), 0.0) * 7, "tokens": 7.0}

    module = SimpleNamespace(parts=lambda: {part: [] for part in trainer.OTHERS})
    still = SimpleNamespace(step=lambda: None, zero_grad=lambda: None)
    assert trainer._encoder_ahead(Losses(), still, module, 3, 0.1) == 3 * optimization.WINDOW == len(seen)


def test_a_resume_state_of_before_has_no_progress() -> None:
    position = checkpoints.Position(step=3, phase=1, precision="fp32")
    assert (position.took, Progress(**position.progress)) == ({}, Progress())
    assert Progress(**asdict(Progress(best_loss=3.0, halvings=2))).halvings == 2


# ------------------------------------------------------------------------------------------- what else a step can do


@pytest.mark.parametrize(
    "settings",
    [
        {"importance_samples": 3},
        {"kl_target": 2.0},
        {"free_bits_per_dimension": 0.1, "free_bits_over": "batch"},
        {"free_bits_total": 20.0, "free_bits_over": "batch"},
        {"word_dropout": 0.5, "word_dropout_epochs": 0.5},
    ],
)
@pytest.mark.parametrize("backbone", ["lstm", "t5"])
def test_each_objective_trains_on_both_backbones(
    make_run: Callable[..., Run], make_config: MakeConfig, settings: dict[str, Any], backbone: str
) -> None:
    tiny = make_config("captions")
    sections = {} if backbone == "lstm" else {"model": tiny.model, "lstm": Lstm()}
    run = make_run(phase1=Phase(), phase2=Phase(epochs=1, learning_rate=1e-2, **settings), **sections)
    assert train(run).state == "finished"
    events = [event for event in run.metrics() if event["phase"] == 2 and event["split"] == "train"]
    for event in events:
        assert event["neg_elbo_nats"] == event["rec_nats"] + event["kl_nats"]  # raw, whatever is charged
        assert math.isfinite(event["kl_charged_nats"])
    if "importance_samples" not in settings and "word_dropout" not in settings:
        assert any(abs(event["kl_charged_nats"] - event["kl_nats"]) > 1e-6 for event in events)


def test_a_run_with_several_slots_goes_on_as_if_it_had_never_been_stopped(
    make_run: Callable[..., Run], make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in each of phases 0, 1 and 2; a decoder of random weights after the first, in as many slots."""
    tiny = make_config("captions")
    sections = {"model": replace(tiny.model, memory_slots=3), "lstm": Lstm()}
    sections["phase2"] = replace(tiny.phase2, decoder="reset")
    whole, run = make_run("whole", **sections), make_run("run", **sections)
    train(whole)
    begun = {min(event["step"] for event in whole.metrics() if event["phase"] == phase) for phase in range(3)}
    with monkeypatch.context() as patch:
        stop_at(patch, run, begun)
        assert [train(run).state for _ in range(3)] == ["stopped"] * 3
    train(run)
    same(run, whole)
    assert vae.load(run.path).model.backbone.settings()["slots"] == 3


def test_a_dropped_word_is_unk_to_the_decoder_alone(make_space: Any, sentences: list[str]) -> None:
    space = make_space()
    batch = space.tokens(sentences[:40]).batch(range(40))
    torch.manual_seed(0)
    read = vae.batching.drop_words(batch, 0.3, 2)
    changed = (read != batch.ids)[batch.mask]
    assert (read[read != batch.ids] == 2).all()
    assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.05)
    assert torch.equal(read[~batch.mask], batch.ids[~batch.mask])
    assert torch.equal(vae.batching.drop_words(batch, 0.0, 2), batch.ids)
    eps = torch.randn(40, 5)
    with torch.no_grad():
        plain, dropped = space.model(batch, batch, eps), space.model(batch, batch, eps, read)
        same = space.model(batch, batch, eps, batch.ids)
    assert torch.equal(plain.kl_per_dim, dropped.kl_per_dim)
    assert not torch.allclose(plain.rec, dropped.rec)
    assert torch.equal(plain.rec, same.rec)


def test_several_draws_are_scored_each_for_its_own_sentence(make_space: Any, sentences: list[str]) -> None:
    model, batch = (space := make_space()).model, space.tokens(sentences[:4]).batch(range(4))
    eps = torch.randn(4, 3, 5)
    with torch.no_grad():
        terms, q = model(batch, batch, eps), model.encode(batch)
        for k in range(3):
            z = q.at(eps[:, k])
            torch.testing.assert_close(terms.rec[:, k], model.reconstruction(z, batch))
            normal = torch.distributions.Normal(q.mean, torch.exp(q.logvar / 2))
            ratio = normal.log_prob(z) - torch.distributions.Normal(0.0, 1.0).log_prob(z)
            torch.testing.assert_close(terms.log_ratio[:, k], ratio.sum(1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (5, 0.5), (10, 1.0), (12, 1.0)])
def test_the_importance_weighted_bound_is_annealed_like_the_elbo(
    make_space: Any, sentences: list[str], step: int, weight: float
) -> None:
    model, batch = (space := make_space()).model.eval(), space.tokens(sentences[:4]).batch(range(4))
    noisy = trainer.Noisy(batch, batch, torch.randn(4, 3, 5))
    stage = Stage(2, Phase(epochs=2, importance_samples=3, kl_schedule="linear", kl_epochs=1), 0, 20, 10)
    with torch.no_grad():
        (nats, _), terms = trainer._objective(model, noisy, stage, step), model(*noisy)
    each = torch.exp((-terms.rec - weight * terms.log_ratio).double()).mean(1)
    assert float(nats) == pytest.approx(float(-torch.log(each).mean()), rel=1e-5)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_its_steps_on_little_text(
    name: str, make_config: MakeConfig, corpus_file: Path, tmp_path: Path, make_t5: Any, tokenizer: Any
) -> None:
    """With everything that is its own, on models made small."""
    config, tiny = get(name), make_config("captions")
    make_t5().save_pretrained(tmp_path / "t5")
    tokenizer.save_pretrained(tmp_path / "t5")
    base = config.model.base if config.model.backbone == "lstm" else str(tmp_path / "t5")
    phases = {key: replace(phase, epochs=0.5) for key, phase in config.phases.items() if phase.epochs}
    small = replace(
        config,
        data=Data(corpus=f"file:{corpus_file}", max_tokens=48),
        model=replace(config.model, base=base),
        lstm=replace(LSTM["lstm"]) if config.model.backbone == "lstm" else config.lstm,
        pretrain=tiny.pretrain if config.model.base == "fresh" else config.pretrain,
        train=replace(config.train, batch_size=32, threads=1, precision="fp32", eval_sentences=10, snapshots=1),
        **{key: replace(p, aggressive_updates=min(p.aggressive_updates, 12)) for key, p in phases.items()},
    )
    run = Run.create(tmp_path / "run", small)
    assert train(run).state == "finished"
    assert run.status.step == 2 * len(phases)
    assert getattr(vae.load(run.path).model.backbone, "slots", 1) == config.model.memory_slots
    assert all(math.isfinite(event["rec_nats"]) for event in run.metrics())


def test_the_recorder_and_the_log_speak_of_the_rate_that_is_used(
    make_run: Callable[..., Run], make_config: MakeConfig
) -> None:
    run = make_run(**patient(make_config))
    train(run)
    rates = {(e["split"], e["learning_rate"]) for e in run.metrics() if e["phase"] == 1}
    assert {("train", 1.0), ("train", 0.5), ("valid", 0.25)} <= rates
