"""Who may know whom, and what may be loaded when."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIGHT = (
    "vae",
    "vae.config",
    "vae.recipes",
    "vae.runs",
    "vae.jobs",
    "vae.machine",
    "vae.schedules",
    "vae.doctor",
    "vae.cli",
)
HEAVY = ("torch", "transformers", "pandas", "sklearn", "umap", "streamlit", "plotly")


def loaded_by(module: str) -> list[str]:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def broken_contracts(config: Path) -> str:
    """What the linter says if a contract is broken. It runs apart, because it silences the loggers of its process."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(config_filename=sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(config)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Contracts" in done.stdout
    return done.stdout + done.stderr if done.returncode else ""


def test_the_import_contracts_hold() -> None:
    assert broken_contracts(ROOT / "pyproject.toml") == ""


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    """The guard can fail: the same tool refuses a contract that the tree does not keep."""
    config = tmp_path / "contracts.toml"
    config.write_text(
        '[tool.importlinter]\nroot_packages = ["vae"]\n[[tool.importlinter.contracts]]\nname = "upside down"\n'
        'type = "layers"\ncontainers = ["vae"]\nlayers = ["config", "trainer"]\n',
        encoding="utf-8",
    )
    assert "upside down" in broken_contracts(config)


@pytest.mark.parametrize("module", LIGHT)
def test_listing_runs_and_reading_help_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(module) == []


def test_the_heavy_guard_can_fail() -> None:
    assert "torch" in loaded_by("vae.model")


@pytest.mark.parametrize("package", ["vae", "app"])
def test_the_tree_in_the_readme_names_every_module(package: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = readme[readme.index(f"\n{package}/") :]
    modules = [path.name for path in (ROOT / package).glob("*.py") if path.stat().st_size > 200]
    assert [name for name in modules if f"\n  {name} " not in tree and name != "__main__.py"] == []
