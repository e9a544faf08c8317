"""The log.txt of the released code of Li et al. 2019, as it prints it, and logs that it did not print."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae.exchange import kind, li2019

LOG = """Experiment dir : exp_yahoo_load/yahoo_warm10_kls0.0_fbdim_tr8.0
using cuda
Namespace(batch_size=32, beta_path='', cuda=True, dataset='yahoo', dec_nh=1024, device=device(type='cuda'), \
epochs=100, fb=2, iw_nsamples=500, kl_start=0.0, label=False, lr=0.5, nz=32, seed=783435, target_kl=8.0, \
train_data='datasets/yahoo_data/yahoo.train.txt', warm_up=10)
Train data: 100000 samples
finish reading datasets, vocab size is 20001
dropped sentences: 0
exp_yahoo_beta/yahoo_lr0.5_beta0.0_drop0.5/model.pt loaded

-------reset decoder-------

epoch: 0, iter: 0, avg_loss: 800.1512, kl: 12.5531, recon: 787.5981,time 0.31s, kl_weight 0.0000
epoch: 0, iter: 312, avg_loss: 412.0440, kl: 33.0123, recon: 379.0317,time 61.22s, kl_weight 0.0100
kl weight 0.1000
lr 0.5
VAL --- avg_loss: 371.2100, kl: 21.5000, mi: 8.9100, recon: 349.7100, nll: 371.2100, ppl: 90.1200
32 active units
update best loss
TEST --- avg_loss: 370.0000, kl: 21.4000, mi: 8.9000, recon: 348.6000, nll: 370.0000, ppl: 89.9000
new lr: 0.250000
epoch: 1, iter: 624, avg_loss: 360.0000, kl: 20.0000, recon: 340.0000,time 130.00s, kl_weight 0.2000
----------------------------------------------------------------------------------------------------
Exiting from training early
TEST --- avg_loss: 335.0000, kl: 15.0200, mi: 8.1000, recon: 319.9800, nll: 335.0000, ppl: 60.0000
32 active units
iw nll: 328.9000, iw ppl: 59.2400
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "exp"
    folder.mkdir()
    (folder / "log.txt").write_text(LOG, encoding="utf-8")
    return folder


def test_every_line_of_figures_becomes_an_event_in_our_units(log: Path, tmp_path: Path) -> None:
    assert kind(log) == kind(log / "log.txt") == "li2019"
    run = li2019.read(log, tmp_path / "imported")
    events = run.metrics()
    assert [(event["split"], event["step"]) for event in events] == [
        ("train", 0),
        ("train", 312),
        ("valid", 312),
        ("test", 312),
        ("train", 624),
        ("test", 624),
    ]
    assert events[1]["neg_elbo_nats"] == pytest.approx(412.044)
    check = events[2]
    assert (check["rec_nats"], check["kl_nats"], check["mi_nats"], check["ppl_word"]) == (349.71, 21.5, 8.91, 90.12)
    assert (check["active_units"], check["learning_rate"], check["kl_weight"]) == (32, 0.5, 0.01)
    assert "active_units" not in events[3]  # that line was not followed by any
    assert events[4]["learning_rate"] == 0.25
    assert (events[5]["nll_nats"], events[5]["samples"], events[5]["active_units"]) == (328.9, 500, 32)


def test_the_configuration_says_what_ours_can_say_and_the_rest_is_kept(log: Path, tmp_path: Path) -> None:
    run = li2019.read(log, tmp_path / "imported")
    config, settings = run.config, run.env["imported"]["settings"]
    assert (config.model.backbone, config.model.pooling, config.lstm.width) == ("lstm", "last", 1024)
    assert (config.model.latent_size, config.train.batch_size, config.train.seed) == (32, 32, 783435)
    assert (config.phase2.kl_schedule, config.phase2.kl_epochs, config.phase2.learning_rate) == ("linear", 10, 0.5)
    assert config.phase2.free_bits_per_dimension == config.phase2.free_bits_total == 0  # theirs masks, ours thresholds
    assert (settings["target_kl"], settings["fb"]) == (8.0, 2)
    assert run.status.state == "finished"


def test_a_log_of_something_else_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("hello\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no line of training"):
        li2019.read(tmp_path / "log.txt", tmp_path / "imported")
    assert not (tmp_path / "imported").exists()


@given(cut=st.integers(0, len(LOG)))
def test_a_log_cut_anywhere_is_read_as_far_as_it_goes(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An experiment may be looked at while it runs, or have died in the middle of a line."""
    folder = tmp_path_factory.mktemp("log")
    (folder / "log.txt").write_text(LOG[:cut], encoding="utf-8")
    whole = [line for line in LOG[:cut].splitlines() if "kl_weight" in line or " --- " in line]
    try:
        events = li2019.read(folder, folder / "imported").metrics()
    except ValueError:
        events = []
    assert len(whole) - 1 <= len(events) <= len(whole)
