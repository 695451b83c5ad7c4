"""The contracts in pyproject.toml hold what docs/architecture.md says that they prove."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from luggage.buildpex import islands

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("luggage", "example_app", "example_deploy")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONTRACTS = {it["name"]: it for it in SETTINGS["tool"]["importlinter"]["contracts"]}
ISLANDS = "the run island never imports the pack island"
ROOMS = "rooms stand on the rooms below them"
WITHIN = "within run, what is above imports what is below"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What lint-imports reads, where a test may change it."""
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "static", "templates")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken(folder: Path) -> set[str]:
    """The contracts that lint-imports finds broken in a tree."""
    words = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)
    found = {line.partition(" BROKEN")[0] for line in done.stdout.splitlines() if " BROKEN" in line}
    assert (done.returncode != 0) == bool(found), done.stdout + done.stderr
    return found


def test_every_module_of_the_artifact_is_in_the_contract() -> None:
    """No module that ships is forgotten in the list; what packs is not in it."""
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    left = islands.left_behind(files)
    shipped = {islands.module_name(path) for path in files if path not in left}
    sources = CONTRACTS[ISLANDS]["source_modules"]
    alone = {*CONTRACTS["finding a command imports no pack island"]["source_modules"]}
    covered = {
        name for name in shipped if any(f"{name}.".startswith(f"{source}.") for source in sources)
    }
    product = {name for name in shipped if name.split(".")[0] == "example_app"}
    assert shipped == covered | alone | product
    assert not {islands.module_name(path) for path in left} & {*sources, *alone}


def test_every_room_has_its_layer() -> None:
    """The layers are all that lies in luggage/."""
    rooms = {
        path.stem
        for path in (ROOT / "luggage").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    layers = " | ".join(CONTRACTS[ROOMS]["layers"]).split(" | ")
    assert sorted(rooms - {"__init__"}) == sorted(layers)
    assert CONTRACTS[ROOMS]["exhaustive"] is True


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("luggage/commands/healthy.py", "import luggage.buildpex.lock", ISLANDS),
        ("luggage/commands/dispatch.py", "from luggage.configfile import seal", ISLANDS),
        ("example_deploy/wsgi.py", "from example_deploy import mkpex", ISLANDS),
        ("luggage/proof/manifest.py", "import luggage.web", ROOMS),
        ("luggage/errors.py", "def late() -> None:\n    import luggage.crypto", ROOMS),
        ("luggage/new.py", "", ROOMS),
        ("luggage/run/server.py", "import subprocess", "each island has one place that starts"),
        ("luggage/run/kernel/kin.py", "import luggage.run.settings", WITHIN),
        ("luggage/run/life/child.py", "import luggage.run.pages.page", WITHIN),
        ("luggage/run/new.py", "", WITHIN),
        ("luggage/web/worker.py", "import flask", "the infrastructure knows nothing of"),
        ("example_app/page.py", "import luggage.errors", "the product knows nothing of how it"),
    ],
)
def test_an_import_that_is_forbidden_breaks_its_contract(
    copy: Path, file: str, line: str, contract: str
) -> None:
    """One line more in a copy of the tree, and lint-imports fails for that reason."""
    with (copy / file).open("a") as module:
        module.write(f"\n{line}\n")
    assert any(name.startswith(contract) for name in broken(copy))


def test_the_tree_as_it_is_breaks_none(copy: Path) -> None:
    """Else the test above would show nothing."""
    assert broken(copy) == set()
