"""Tampered texts: the benchmark of a million cases, shortened; LUGGAGE_LONG=1 runs it whole."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "benchmarks" / "tamper"
LONG = os.environ.get("LUGGAGE_LONG") == "1"
CASES = 1_000_000 if LONG else 5_000


@pytest.fixture(scope="module")
def cases() -> ModuleType:
    """benchmarks/tamper/cases.py."""
    spec = importlib.util.spec_from_file_location("tamper_cases", FOLDER / "cases.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(3600 if LONG else 120)
def test_nothing_tampered_is_accepted() -> None:
    """No case opens wrongly, ends in another exception, or shows a value: the benchmark says so."""
    done = subprocess.run(
        [sys.executable, str(FOLDER), "--cases", str(CASES)],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert (last.split()[0], last.rpartition(": ")[2]) == (f"{CASES:,}", "0 faults")


def test_a_run_can_be_repeated(cases: ModuleType) -> None:
    """The same seed makes the same cases, with the same outcome, whatever the chunks are."""
    whole = cases.run("again", 400, 400, 0).counts
    parts = cases.run("again", 400, 200, 0).counts + cases.run("again", 400, 200, 200).counts
    assert whole == parts
    assert sum(whole.values()) == 400


def test_the_judge_is_not_blind(cases: ModuleType) -> None:
    """What opens and is neither genuine nor of the right payload is told as wrong."""
    world = cases.World("blind")
    attempt = cases.Attempt(world.texts[0], world.places[0])
    assert cases.judge(world, attempt) == cases.GENUINE
    world.genuine.clear()
    assert cases.judge(world, attempt) == cases.WRONG
    other = cases.Attempt(world.texts[0], world.places[0], world.payloads[1])
    assert cases.judge(world, other) == cases.WRONG
    fresh = cases.Attempt(world.texts[0], world.places[0], world.payloads[0])
    assert cases.judge(world, fresh) == cases.FRESH


def test_the_judge_hears_a_value(cases: ModuleType) -> None:
    """A message that holds a value is told as a leak: here, its word is taken for a value."""
    world = cases.World("deaf")
    attempt = cases.Attempt("hunter2", world.places[0])
    assert cases.judge(world, attempt) == "plaintext"
    world.quiet.append("not sealed")
    assert cases.judge(world, attempt) == cases.LEAK
