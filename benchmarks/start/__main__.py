"""Containers that start → how long each takes to its first page, beside gunicorn alone.

From the moment at which the engine says that the container has started (`StartedAt`, the engine's
clock, which must be this machine's) to the first 200 of `/`. All are started in turns within one
run, and the median is told: what the machine does besides falls on all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BARE = "luggage-bare"
PATIENCE = 60.0  # seconds for one start
STEP = 0.002  # seconds between two attempts
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Start:
    """What is started: an image with its variables; `name` is how it is told."""

    name: str
    image: str
    variables: Mapping[str, str]
    times: list[float] = field(default_factory=list)


def main() -> int:
    """Measure and tell, a line each on stdout."""
    parser = argparse.ArgumentParser(prog="python benchmarks/start", description=__doc__)
    parser.add_argument("--image", default="example", help="what ./create made (default: example)")
    parser.add_argument("--rounds", type=int, default=9, help="at least 5 (default: 9)")
    parser.add_argument("--engine", default="docker", help="docker or podman")
    parser.add_argument("--json", action="store_true", help="all times, for another program")
    options = parser.parse_args()
    engine, rounds = options.engine, max(5, options.rounds)
    make_bare(engine)
    key = (ROOT / "demo.key").read_text().strip()
    with service(engine) as url:
        plain = {"API_URL": url, "LINES_API_KEY": "key", "MOOD_API_KEY": "key"}
        starts = [
            Start("gunicorn alone", BARE, plain),
            Start("luggage, a service outside", options.image, {"SECRET_KEY": key, "API_URL": url}),
            Start("luggage, with its stand-in", options.image, {"SECRET_KEY": key}),
        ]
        for start in starts:
            measured(engine, start)  # files are in memory
        for _ in range(rounds):
            for start in starts:
                start.times.append(measured(engine, start))
    if options.json:
        print(json.dumps({start.name: start.times for start in starts}))
    else:
        tell(starts)
    return 0


def tell(starts: list[Start]) -> None:
    """The table: medians, the quickest and the slowest, and how often as long as the first."""
    first = statistics.median(starts[0].times)
    print(f"container start to the first 200 of /, medians of {len(starts[0].times)}\n")
    for start in starts:
        median = statistics.median(start.times)
        print(
            f"{start.name:<28} {median * 1e3:>7,.0f} ms   {min(start.times) * 1e3:,.0f} to "
            f"{max(start.times) * 1e3:,.0f}   {median / first:.2f} ×"
        )


def measured(engine: str, start: Start) -> float:
    """Seconds from a container's start to its first page."""
    words = ["-p", "127.0.0.1::8000", *env(start.variables), start.image]
    with container(engine, words, start.variables) as name:
        port = int(run(engine, "port", name, "8000").rpartition(":")[2])
        end = time.monotonic() + PATIENCE
        while not answers(port):
            if time.monotonic() > end:
                sys.exit(f"error: {start.name}: no page\n{run(engine, 'logs', name)}")
            time.sleep(STEP)
        ready = time.time()
        return ready - started(engine, name)


def answers(port: int) -> bool:
    """Whether GET / is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def started(engine: str, name: str) -> float:
    """When the engine says that the container started."""
    text = json.loads(run(engine, "inspect", name))[0]["State"]["StartedAt"]
    # Python reads six digits, and engines write up to nine.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()


@contextlib.contextmanager
def service(engine: str) -> Iterator[str]:
    """The address, for containers, of a service that answers at once."""
    with container(engine, [BARE, "/venv/bin/python", "service.py"], {}) as name:
        networks = json.loads(run(engine, "inspect", name))[0]["NetworkSettings"]
        address = networks.get("IPAddress") or next(
            network["IPAddress"] for network in networks["Networks"].values()
        )
        yield f"http://{address}:8001"


@contextlib.contextmanager
def container(engine: str, words: list[str], variables: Mapping[str, str]) -> Iterator[str]:
    """A container that runs `words`, and is gone at the end."""
    name = run(engine, "run", "-d", *words, variables=variables).strip()
    try:
        yield name
    finally:
        run(engine, "rm", "-f", "-v", name)


def env(variables: Mapping[str, str]) -> list[str]:
    """By name: a value is in no argument."""
    return [word for name in variables for word in ("-e", name)]


def make_bare(engine: str) -> None:
    """The image of gunicorn alone, of the same lock and the same product; made once."""
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        for file in ("bare.docker", "bare.py", "service.py"):
            shutil.copy(HERE / file, context)
        shutil.copy(ROOT / "requirements.txt", context)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "example_app", context / "example_app", ignore=ignored)
        found = [os.environ[it] for it in CERTIFICATES if Path(os.environ.get(it, "")).is_file()]
        (context / "ca.pem").write_bytes(Path(found[0]).read_bytes() if found else b"")
        given = ["--build-arg", "PIP_INDEX_URL"] if os.environ.get("PIP_INDEX_URL") else []
        base = ["--build-arg", f"BASE={os.environ.get('BASE', 'debian:trixie-slim')}"]
        run(engine, "build", "-t", BARE, *base, *given, "-f", context / "bare.docker", context)


def run(*words: str | Path, variables: Mapping[str, str] | None = None) -> str:
    """stdout and stderr of a command; ends the program where it fails."""
    done = subprocess.run(
        words,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(variables or {})},
    )
    if done.returncode:
        sys.exit(f"error: {words[0]} {words[1]}: status {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
