"""docs/architecture.md tells where to look: of every module, and of none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "architecture.md").read_text()


@pytest.mark.parametrize("room", ["run", "web"])
def test_every_module_has_its_place_there(room: str) -> None:
    """And whatever stands there is a module."""
    home = ROOT / "luggage" / room
    modules = {str(path.relative_to(home)) for path in home.rglob("[a-z]*.py")}
    named = set(re.findall(rf"\b{room}/([a-z_/]+\.py)", TEXT))
    assert named == modules


def test_the_rooms_within_run_are_told() -> None:
    """Each has its line in the table, and no other has."""
    rooms = {path.name for path in (ROOT / "luggage" / "run").glob("[a-z]*/")}
    assert set(re.findall(r"^\| `run/([a-z]+)/` \|", TEXT, re.MULTILINE)) == rooms
