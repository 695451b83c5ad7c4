"""Which deployment runs, and how a new process of it is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from luggage.commands.arguments import Words
from luggage.commands.deployment import Deployment
from luggage.errors import LuggageError
from luggage.proof import manifest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def shop(tmp_path: Path) -> Deployment:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    return Deployment("shop", tmp_path / "shop")


def test_an_artifact_is_known_by_its_manifest(shop: Deployment) -> None:
    """Only there is Python isolated: what lies in a checkout is found by the working directory."""
    assert not shop.packed
    assert shop.command("loop", "x") == [sys.executable, "-m", "shop", "loop", "x"]
    (shop.root / manifest.FILE).write_text("{}")
    assert shop.packed
    assert shop.command("loop", "x") == [sys.executable, "-I", "-m", "shop", "loop", "x"]


def test_it_is_called_as_it_is_typed(shop: Deployment) -> None:
    """Its package is found in a checkout alone: there is no such word in front of an artifact."""
    assert shop.called({}) == "python -m shop"
    assert shop.called({"PEX": "/srv/other.pex"}) == "python -m shop"
    (shop.root / manifest.FILE).write_text("{}")
    assert shop.called({}) == f"{sys.executable} -I -m luggage"
    assert shop.called({"PEX": "/srv/my {shop}.pex"}) == "/srv/my {shop}.pex"


def test_the_help_of_an_artifact_names_what_works_there(
    shop: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Usage and examples, of each command."""
    (shop.root / manifest.FILE).write_text("{}")
    monkeypatch.setenv("PEX", "/srv/my {shop}.pex")
    words = Words("loop", "Go round.", "python -m {package} loop {more}", shop, more="--every 3")
    told = words.format_help()
    assert told.startswith("usage: /srv/my {shop}.pex loop [-h]\n")
    assert told.endswith("\n/srv/my {shop}.pex loop --every 3\n")


def test_a_checkout_below_the_prefix_is_no_artifact(shop: Deployment) -> None:
    """Such as one in a virtual environment's folder, or in /usr/src with Debian's Python."""
    (shop.folder / "__main__.py").write_text("print('runs')")
    program = (
        "import sys; from pathlib import Path;"
        "from luggage.commands.deployment import Deployment;"
        f"sys.prefix = {str(shop.root)!r};"
        "print(*Deployment.of('shop').command('loop'), sep='\\n')"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=shop.root,
        env={"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    words = told.stdout.splitlines()
    done = subprocess.run(words, cwd=shop.root, check=True, capture_output=True, text=True)
    assert done.stdout == "runs\n"


def test_a_package_that_is_not_there_is_named() -> None:
    """With what to do."""
    with pytest.raises(LuggageError, match="package 'no_such_package': not found"):
        Deployment.of("no_such_package")
