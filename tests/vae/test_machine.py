"""Who owns which core."""

import subprocess
import sys

import psutil
import pytest

from vae import machine
from vae.cli import shared


@pytest.mark.parametrize(
    ("physical", "trainer", "app"), [(1, 1, 1), (2, 1, 1), (4, 3, 1), (8, 6, 2), (16, 8, 4), (96, 8, 4)]
)
def test_budgets_by_cores(monkeypatch: pytest.MonkeyPatch, physical: int, trainer: int, app: int) -> None:
    monkeypatch.setattr(machine, "cores", lambda: physical)
    monkeypatch.delenv("BOTTLENECK_TRAINER_THREADS", raising=False)
    monkeypatch.delenv("BOTTLENECK_APP_THREADS", raising=False)
    assert (machine.trainer_threads(), machine.app_threads()) == (trainer, app)


@pytest.mark.parametrize(
    ("physical", "trainers", "each"), [(16, 1, 8), (16, 2, 6), (16, 5, 2), (4, 3, 1), (2, 2, 1), (96, 2, 8)]
)
def test_those_that_train_at_once_share_the_budget(
    monkeypatch: pytest.MonkeyPatch, physical: int, trainers: int, each: int
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: physical)
    monkeypatch.delenv("BOTTLENECK_TRAINER_THREADS", raising=False)
    monkeypatch.delenv("BOTTLENECK_APP_THREADS", raising=False)
    monkeypatch.setenv(machine.TRAINERS, str(trainers))
    assert machine.trainer_threads() == each
    monkeypatch.setenv("BOTTLENECK_TRAINER_THREADS", "7")  # what the user sets counts for each
    assert machine.trainer_threads() == 7


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= machine.cores() <= (psutil.cpu_count() or 1)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: None)
    assert machine.cores() == 1
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 64)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda self: [3, 5, 7], raising=False)
    assert machine.cores() == 3


def test_the_environment_overrides_both_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTLENECK_TRAINER_THREADS", "5")
    monkeypatch.setenv("BOTTLENECK_APP_THREADS", "3")
    assert (machine.trainer_threads(), machine.app_threads()) == (5, 3)


@pytest.mark.parametrize("text", ["two", "-1", "1.5", "²", " "])
def test_a_budget_that_is_no_number_names_its_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BOTTLENECK_APP_THREADS", text)
    with pytest.raises(ValueError, match=r"BOTTLENECK_APP_THREADS=.*whole number"):
        machine.app_threads()


def test_an_empty_override_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setenv("BOTTLENECK_APP_THREADS", "")
    assert machine.app_threads() == 2


def test_no_test_lowers_the_priority_of_those_after_it() -> None:
    before = psutil.Process().nice()
    shared.work_quietly()
    assert psutil.Process().nice() == before


def test_lower_priority_lowers_it_and_never_raises_it() -> None:
    code = (
        "import psutil; from vae import machine; machine.lower_priority(); first = psutil.Process().nice();"
        "machine.lower_priority(); print(int(first), int(psutil.Process().nice()))"
    )
    words = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    expected = psutil.IDLE_PRIORITY_CLASS if psutil.WINDOWS else max(psutil.Process().nice(), 15)
    assert words == [str(int(expected))] * 2
