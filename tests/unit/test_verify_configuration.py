"""What `verify` holds an image's configuration against is what run.docker says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from luggage.seal import configuration

ROOT = Path(__file__).resolve().parents[2]


def instructions() -> dict[str, str]:
    """The instructions of run.docker that a configuration shows, each with its words."""
    text = (ROOT / "run.docker").read_text("utf-8")
    lines = [it for it in text.splitlines() if not it.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    found = {}
    for word, _, words in (line.partition(" ") for line in joined if line):
        if word not in ("FROM", "ADD", "ARG", "LABEL"):
            assert word not in found
            found[word] = words
    return found


def test_each_instruction_of_run_docker_is_compared() -> None:
    """All of them, and each with the value that it has there."""
    told = instructions()
    assert sorted(told) == [
        *("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "USER"),
    ]
    exact = configuration.EXACT
    assert told["USER"] == exact["User"]
    assert told["STOPSIGNAL"] == exact["StopSignal"]
    assert json.loads(told["ENTRYPOINT"]) == exact["Entrypoint"]
    assert json.loads(told["CMD"]) == exact["Cmd"]
    assert dict(it.split("=") for it in told["ENV"].split()) == configuration.ENVIRON
    words = r"--interval=(\d+)s --timeout=(\d+)s --start-period=(\d+)s --retries=(\d+)\s+CMD (.*)"
    match = re.fullmatch(words, told["HEALTHCHECK"])
    assert match is not None
    assert exact["Healthcheck"] == {
        "Test": ["CMD", *json.loads(match[5])],
        "Interval": int(match[1]) * 10**9,
        "Timeout": int(match[2]) * 10**9,
        "StartPeriod": int(match[3]) * 10**9,
        "Retries": int(match[4]),
    }
