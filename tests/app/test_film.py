"""A film as it is sent to the browser: clocks, words, windows and numbers that can be read back; and its drawer."""

import base64
import shutil
import types
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from app import backend, state
from app.components import film
from tests.app.frame import open_page
from vae.runs import write_json


def some_reel(steps=(0, 10, 20), phases=((1, 0, 10), (2, 10, 20)), total=20, **changes):
    rng = np.random.default_rng(len(steps))
    shape = (len(steps), 5)
    known = {
        "steps": list(steps),
        "phases": list(phases),
        "total": total,
        "places": rng.normal(0, 1, (*shape, 2)),
        "prior": (0.5, -1.0),
        "name": "a-run",
        "plane_step": steps[-1],
        "seen": [0.25] * len(steps),
        "watched": True,
        "sentences": types.SimpleNamespace(texts=["one"] * 5),
    }
    return types.SimpleNamespace(**known | changes)


def test_the_clock_of_one_film_ticks_at_its_checks():
    (clock,) = film.clocks([some_reel((0, 400, 1600), ((1, 0, 400), (2, 400, 1600)), 1600)])
    assert [tick["label"] for tick in clock["ticks"]] == ["step 0", "step 400", "step 1,600"]
    assert [tick["frames"] for tick in clock["ticks"]] == [[0], [1], [2]]
    assert clock["bands"] == [[{"phase": 1, "from": 0, "to": 1}, {"phase": 2, "from": 1, "to": 2}]]


def test_a_phase_that_ends_between_two_checks_ends_there_on_the_clock():
    (clock,) = film.clocks([some_reel((0, 1000, 2000), ((1, 0, 250), (2, 250, 2000)), 2000)])
    assert clock["bands"][0] == [{"phase": 1, "from": 0, "to": 0.25}, {"phase": 2, "from": 0.25, "to": 2}]
    (later,) = film.clocks([some_reel((100, 200), ((0, 0, 100), (1, 100, 200)), 200)])
    assert later["bands"][0] == [{"phase": 1, "from": 0, "to": 1}]  # phase 0 was over before the first check


def test_two_films_run_at_equal_shares_or_steps_and_each_shows_its_last_check():
    one, other = some_reel((0, 50, 100), total=100), some_reel((0, 20, 40), total=40)
    shares, steps = film.clocks([one, other])
    assert [tick["frames"] for tick in shares["ticks"]] == [[0, 0], [1, 1], [2, 2]]
    assert shares["ticks"][1]["label"] == "50 % of training"
    assert [tick["label"] for tick in steps["ticks"]] == ["step 0", "step 20", "step 40", "step 50", "step 100"]
    assert [tick["frames"] for tick in steps["ticks"]] == [[0, 0], [0, 1], [0, 2], [1, 2], [2, 2]]


def test_what_changed_is_told_in_words():
    figures = [
        {"kl_nats": 9.06, "active_units": 20},
        {"kl_nats": 12.31, "active_units": 32},
        {"kl_nats": 12.3, "active_units": 32},
    ]
    said = film.changes([0, 400, 1600], ["warm-up", "warm-up", "finetuning"], figures, [(0, 8), (5, 8), (5, 8)])
    assert said[0] == "Before the first step: KL 9.1 nats, AU 20. 0 of 8 sentences are rebuilt word for word."
    assert said[1] == (
        "From step 0 to 400: KL 9.1 → 12.3 nats, AU 20 → 32. 5 of 8 sentences are now rebuilt word for word."
    )
    assert said[2].startswith("From step 400 to 1,600, the first check of finetuning: KL 12.3 nats, AU 32.")
    assert " now " not in said[2]
    assert film.changes([7], ["warm-up"], figures[:1], [None]) == ["At step 7: KL 9.1 nats, AU 20."]
    assert film.changes([0], ["warm-up"], figures[:1], [(1, 8)])[0].endswith(
        "1 of 8 sentences is rebuilt word for word."
    )


def test_figures_are_read_with_what_they_can_be_at_most():
    row = {"kl_nats": 13.04, "mi_nats": 6.1, "mi_ceiling_nats": 6.238, "active_units": 3, "rec_nats": None}
    shown = dict(zip(backend.FILM_FIGURES, film.shown(row, 32), strict=True))
    assert shown["kl_nats"] == ("13.0", "nats")
    assert shown["mi_nats"] == ("6.1", "nats, at most 6.2")
    assert shown["active_units"] == ("3", "of 32")
    assert shown["rec_nats"][0] == "–"
    assert shown["delta_nll_nats"][0] == "–"


def test_films_side_by_side_are_seen_at_one_scale_with_the_prior_at_one_place():
    wide = some_reel(places=np.random.default_rng(0).normal(0, 9, (3, 5, 2)))
    narrow = some_reel(prior=(3.0, 4.0), places=np.zeros((3, 5, 2)))
    one, other = film.windows([wide, narrow])
    assert np.allclose(np.subtract(one, [0.5, 0.5, -1, -1]), np.subtract(other, [3, 3, 4, 4]))
    alone = film.windows([narrow])[0]
    assert alone[1] - alone[0] < one[1] - one[0]
    for (x, y), (left, right, bottom, top) in [(wide.prior, one), (narrow.prior, other), (narrow.prior, alone)]:
        assert left <= x - backend.RADIUS
        assert right >= x + backend.RADIUS - 1e-9
        assert bottom <= y - backend.RADIUS
        assert top >= y + backend.RADIUS - 1e-9


def test_the_notes_say_what_is_exact_and_what_is_only_drawn():
    said = " ".join(film.notes([some_reel(seen=[0.07, 0.1, 0.15])]))
    assert "the codes of step 20 " in said
    assert "15 % of the variance of those codes, 7 % of those of step 0" in said
    assert "nothing was measured there" in said
    assert "plane of its own" not in said
    two = " ".join(film.notes([some_reel(), some_reel(watched=False)]))
    assert "plane of its own" in two
    assert "only 3 frames" in two


@pytest.fixture
def filmed(make_run):
    """A synthetic run that has kept the codes of 12 sentences at its checks, shrinking towards the prior."""

    def make(name, **settings):
        run = make_run(name, **settings)
        rng = np.random.default_rng(3)
        means = rng.normal(0, 1, (12, 6))
        run.codes_path.mkdir()
        kinds = ["cat", "dog", "cat"] * 4
        write_json(run.codes_path / "texts.json", {"text": [f"sentence <{n}>" for n in range(12)], "kind": kinds})
        for step in (0, 80, 160, 240):
            codes = {"mean": means * (1 + step / 80), "logvar": np.full((12, 6), -step / 80)}
            codes = {key: values.astype(np.float16) for key, values in codes.items()}
            save_file(codes, run.codes_path / f"step-{step}.safetensors")
        return run

    return make


def test_what_the_browser_reads_back_is_what_was_measured(filmed):
    filmed("told")
    reel = backend.reel("told")
    drawn = film.drawing([reel], 150)["films"][0]
    whole = np.frombuffer(base64.b64decode(drawn["places"]), "<u2").reshape(4, 12, 2)
    low, high = np.array(drawn["low"]), np.array(drawn["high"])
    assert np.allclose(low + whole / 65535 * (high - low), reel.places, atol=1e-3)
    kl = np.frombuffer(base64.b64decode(drawn["kl"]), "<u2").reshape(4, 12) / 65535 * drawn["most"]
    assert np.allclose(kl, reel.kl_nats, atol=drawn["most"] / 60000)
    wide, high, lean = np.moveaxis(np.frombuffer(base64.b64decode(drawn["spreads"]), "u1").reshape(4, 12, 3), -1, 0)
    sides = np.sqrt(reel.spreads[..., [0, 2]])
    assert np.allclose(np.stack([wide, high], -1) / 255 * drawn["widest"], sides, atol=drawn["widest"] / 255)
    assert np.allclose((lean - 127.0) / 127, reel.spreads[..., 1] / sides.prod(-1), atol=0.01)
    assert len(drawn["said"]) == len(drawn["figures"]) == len(drawn["pages"]) == len(drawn["links"]) == 4
    assert drawn["written"][drawn["pages"][2]]["pairs"][0]["text"]
    assert drawn["colourings"][drawn["colouring"]]["title"] == "kind"
    assert set(drawn["called"].items()) <= {("1", "Phase 1 of 2, encoder warm-up"), ("2", "Phase 2 of 2, finetuning")}
    assert {str(phase) for phase in drawn["phases"]} <= set(drawn["called"])


def test_a_run_of_one_phase_has_no_phase_two_in_its_film(filmed):
    run = filmed("flat")
    config = run.config
    write_json(run.path / "config.json", replace(config, phase1=replace(config.phase1, epochs=0)).to_dict())
    drawn = film.drawing([backend.reel("flat")], 150)["films"][0]
    assert drawn["called"]["2"] == "Finetuning"
    assert not any("phase" in words for words in drawn["said"])


def test_the_plane_may_be_that_of_an_earlier_check_and_is_then_its_own(filmed):
    filmed("growing")
    whole, early = backend.reel("growing"), backend.reel("growing", plane_step=80)
    assert (whole.plane_step, early.plane_step) == (240, 80)
    assert early.steps == whole.steps
    assert whole.id != early.id
    assert backend.reel("growing", plane_step=77).plane_step == 240
    dims = backend.reel("growing", "dimensions")
    assert dims.axes[0].startswith("z")


def test_while_a_run_trains_a_check_without_figures_is_not_a_frame_yet(filmed):
    run = filmed("training", state="running", share=0.05)
    newest = backend.figures("training")["step"]
    for step in run.codes():
        if step > newest:
            (run.codes_path / f"step-{step}.safetensors").unlink()
    before = backend.reel("training").steps
    shutil.copy(run.codes_path / "step-0.safetensors", run.codes_path / f"step-{newest + 40}.safetensors")
    assert backend.reel("training").steps == before


def test_links_open_the_weights_that_are_nearest(explored, make_space):
    for step in (0, 200):
        make_space().save_pretrained(explored.path / f"snapshots/step-{step}")
    found = film.links([0, 90, 210, explored.status.step], "explored")
    assert found[0]["lead"] == "With the snapshot of step 0:"
    assert found[1]["lead"] == "With the snapshot of step 0, the nearest:"
    assert found[2]["to"][0]["href"] == "interpolate?run=explored&walk_snapshot=200"
    assert found[2]["to"][1]["href"] == "plane?run=explored&plane_snapshot=200"
    assert found[3]["to"][0]["href"] == "interpolate?run=explored"
    assert found[3]["lead"] == "With the last weights:"


def test_a_run_without_codes_is_encoded_by_its_snapshots_once(explored, make_space):
    assert backend.reel("explored") is None  # the last weights alone are no film
    make_space(7).save_pretrained(explored.path / "snapshots/step-100")
    assert backend.film_pending("explored") == [100, explored.status.step]
    for step in backend.film_pending("explored"):
        backend.film_encode("explored", step)
    assert backend.film_pending("explored") == []
    reel = backend.reel("explored")
    assert reel.steps == [100, explored.status.step]
    assert not reel.watched
    assert len(reel.sentences.texts) == 120


@pytest.mark.parametrize("kept", [True, False])
def test_the_lines_to_be_copied_print_the_figures_of_each_frame(filmed, explored, make_space, kept, capsys):
    make_space(7).save_pretrained(explored.path / "snapshots/step-100")
    filmed("told")
    name = "told" if kept else "explored"
    exec(backend.film_python([name]), {})
    printed = capsys.readouterr().out.splitlines()
    reel = backend.reel(name)
    assert len(printed) == len(reel.steps)
    for line, step, kl in zip(printed, reel.steps, reel.kl_nats, strict=True):
        assert f"step {step:6,}" in line
        assert f"KL {kl.mean():7.2f} nats" in line


def test_the_drawer_is_closed_until_it_is_opened_and_says_why_there_is_no_film(filmed, make_run):
    filmed("told")
    make_run("silent")
    closed = open_page("runs", run="told")
    assert closed.session_state[state.FILM_OPEN] is False
    assert not [code for code in closed.code if "film.read" in code.value]
    opened = open_page("runs", run="told", film="true")
    assert [code for code in opened.code if "film.read" in code.value]
    assert any("nothing was measured there" in caption.value for caption in opened.caption)
    dimensions = open_page("runs", run="told", film="true", film_plane="Highest KL")
    assert dimensions.session_state[state.FILM_PLANE] == "Highest KL"
    unknown = open_page("runs", run="told", film="true", film_plane="UMAP")
    assert any("film" in warning.value for warning in unknown.warning)
    none = open_page("runs", run="silent", film="true")
    assert any("no film of silent yet" in info.value for info in none.info)


def test_damaged_codes_are_said_and_the_page_stays(filmed):
    run = filmed("told")
    (run.codes_path / "step-80.safetensors").write_bytes(b"no tensors")
    at = open_page("runs", run="told", film="true")
    assert any("is damaged" in error.value for error in at.error)
