"""benchmarks/reproduce: what counts as twenty packings of the same bytes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("judged", "ways", "commands")


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module; its name is free again afterwards."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "reproduce"))
    yield importlib.import_module("judged")
    for name in NAMES:
        del sys.modules[name]


def image(judged: ModuleType, engine: str = "docker") -> Any:
    """What an engine packs."""
    files = {"example.pex": "1", "app.tar": "2", "seal.json": "3"}
    return judged.Packed(engine, files, ("sha256:1",), None)


def alone(judged: ModuleType, seal: str = "4") -> Any:
    """What comes out without an engine."""
    return judged.Packed("none", {"example.pex": "1", "seal.json": seal})


def test_all_ways_and_all_the_same(judged: ModuleType) -> None:
    """Two for each way; the seal of a pex without an image is another, and not compared."""
    verdict = judged.judged([image(judged), image(judged, "podman"), alone(judged)], 3)
    assert (verdict.status, verdict.packings) == (0, 6)
    assert verdict.lines()[-1] == "6 of 6 packings are the same"


def test_a_way_that_was_left_out_is_no_success(judged: ModuleType) -> None:
    """However equal the others are; and nothing at all is none either."""
    verdict = judged.judged([image(judged)], 10)
    assert verdict.status == 1
    assert verdict.lines()[-1] == "2 of 20 packings are the same"
    assert judged.judged([], 0).status == 1


def test_without_an_image_there_are_no_layers_to_compare(judged: ModuleType) -> None:
    """What nobody made does not count as different."""
    verdict = judged.judged([alone(judged), alone(judged, "5")], 2)
    assert (verdict.status, verdict.different) == (0, {"example.pex": 1})


@pytest.mark.parametrize(
    "changed",
    [
        {"files": {"example.pex": "x", "app.tar": "2", "seal.json": "3"}},
        {"files": {"example.pex": "1", "app.tar": "2", "seal.json": "x"}},
        {"layers": ("sha256:2",)},
        {"image": "2"},
    ],
)
def test_any_difference_is_told(judged: ModuleType, changed: dict[str, Any]) -> None:
    """In a file, a layer of the same engine, or an image without a clock."""
    one = replace(image(judged), image="1")
    verdict = judged.judged([one, replace(one, **changed)], 2)
    assert verdict.status == 1
    assert verdict.lines()[-1] == "4 of 4 packings, NOT the same"
