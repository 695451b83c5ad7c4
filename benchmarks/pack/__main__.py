"""This checkout's last commit → what its image costs, beside four peers of the same app.

Everything is built here, in a temporary folder, and measured in turns within one run; medians are
told, and how many times luggage's figure a peer's is. It takes a quarter of an hour, and needs
docker, git, Debian's archive and PyPI.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import plot
import table
from docker import address, container, docker, flatten, images, inspect, run, volumes
from saved import Measure
from starts import BARRED, Start, measured, written
from subjects import PEERS, PREFIX, ROOT, Luggage, Peer, peers
from table import FLOOR, OURS, Result

KEYS = {"LINES_API_KEY": "key", "MOOD_API_KEY": "key"}


def main() -> int:
    """Build, measure, tell; whatever ends it, its images and volumes are removed."""
    parser = argparse.ArgumentParser(prog="python benchmarks/pack", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of rebuilds and starts (default: 7)")
    parser.add_argument(
        "--seconds", type=float, default=60, help="of requests, while writes are counted"
    )
    parser.add_argument("--base", default="debian:trixie-slim", help="of the peers and the builder")
    parser.add_argument(
        "--whole-lock", action="store_true", help="give the peers luggage's dependencies too"
    )
    parser.add_argument(
        "--only", nargs="*", metavar="PEER", default=["uv", "pex", "shiv"], help="beside pip"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="write an SVG there, and the table into the .md beside it, where that has a place",
    )
    options = parser.parse_args()
    began = time.monotonic()
    os.environ["BASE"] = options.base
    with tempfile.TemporaryDirectory(prefix="luggage-bench-") as name, cleaned():
        results = bench(Path(name), options)
    told = table.table(results)
    how = f"{described(options)}, {time.monotonic() - began:.0f} s"
    print(f"{told}\n")
    for text, met in table.targets(results):
        print(f"{'met' if met else 'MISSED':<8}{text}")
    print(f"\n{how}")
    if options.json:
        options.json.write_text(json.dumps(table.as_json(results), indent=1) + "\n")
    if options.plot:
        options.plot.write_text(plot.svg(results))
        beside = options.plot.with_suffix(".md")
        if beside.exists():
            beside.write_text(table.placed(beside.read_text(), f"{told}\n\n{how}."))
    return 0


def described(options: argparse.Namespace) -> str:
    """What the figures hold for."""
    commit = run("git", "rev-parse", "--short=12", "HEAD", cwd=ROOT).strip()
    server = docker("version", "--format", "{{.Server.Version}}").strip()
    lock = ", peers with the whole lock" if options.whole_lock else ""
    machine = f"docker {server}, {os.cpu_count()} cores"
    return f"Commit {commit}, {options.rounds} rounds{lock}, {machine}"


def bench(folder: Path, options: argparse.Namespace) -> dict[str, Result]:
    """All of it, in `folder`."""
    luggage = Luggage(folder / OURS)
    luggage.set_up()
    say("the base of the peers")
    base = make_base(folder, options.base)
    others = [it for it in peers(folder, base) if it.name in (*options.only, "pip")]
    for peer in others:
        peer.set_up(luggage.folder, whole=options.whole_lock)
    subjects: list[Luggage | Peer] = [luggage, *others]
    results = {subject.name: Result() for subject in subjects}
    built = first_builds(subjects, results)
    say("the signature")
    built[OURS], key = luggage.sign()
    floor = bare(folder, built["pip"])
    results[FLOOR] = Result()
    images_of = {name: [image] for name, image in built.items()}
    rebuild(subjects, options.rounds, results, images_of)
    results[table.BASE] = Result()
    sizes({**images_of, table.BASE: [base]}, results)
    with container([floor, "/venv/bin/python", "service.py"], {}) as service:
        url = f"http://{address(service)}:8001"
        plain = {"API_URL": url, **KEYS}
        starts = [Start(OURS, built[OURS], {"API_URL": url, "SECRET_KEY": key})]
        starts += [Start(peer.name, built[peer.name], plain) for peer in others]
        starts.append(Start(FLOOR, floor, plain))
        start(starts, options.rounds, results)
        write(starts, options.seconds, results)
    return results


def make_base(folder: Path, base: str) -> str:
    """What all peers stand on: `base`, as slim as Debian's own slim images."""
    thick, thin = f"{PREFIX}-thick:latest", f"{PREFIX}-thin:latest"
    context = folder / "base"
    context.mkdir()
    docker(
        "build", "-t", thick, "--build-arg", f"BASE={base}", "-f", PEERS / "base.docker", context
    )
    flatten(thick, thin)
    return thin


def first_builds(
    subjects: Sequence[Luggage | Peer], results: Mapping[str, Result]
) -> dict[str, str]:
    """Build all once: with what apt installs, and with nothing else."""
    built = {}
    for subject in subjects:
        say(f"{table.TITLES[subject.name]}: what apt installs")
        subject.prepare()
        say(f"{table.TITLES[subject.name]}: the first build")
        began = time.monotonic()
        built[subject.name] = subject.build()
        results[subject.name].cold = time.monotonic() - began
    return built


def bare(folder: Path, pip: str) -> str:
    """gunicorn alone, and the service that all pages ask."""
    image, context = f"{PREFIX}-bare:latest", folder / FLOOR
    context.mkdir()
    shutil.copy(ROOT / "benchmarks/start/service.py", context)
    docker("build", "-t", image, "--build-arg", f"PIP={pip}", "-f", PEERS / "bare.docker", context)
    return image


def rebuild(
    subjects: Sequence[Luggage | Peer],
    rounds: int,
    results: Mapping[str, Result],
    built: Mapping[str, list[str]],
) -> None:
    """In turns, a line more in a source of each, another each time, and its image."""
    for count in range(1, rounds + 1):
        for subject in subjects:
            subject.change(f'BENCHMARK = "{subject.name} {count}"')
            began = time.monotonic()
            image = subject.build()
            took = time.monotonic() - began
            if layers(image) == layers(built[subject.name][-1]):
                sys.exit(f"error: {subject.name}: its image did not change with its source")
            results[subject.name].rebuild.append(took)
            built[subject.name].append(image)
        say(f"one line changed, {count} of {rounds}")


def layers(image: str) -> list[str]:
    """An image's diff-ids."""
    found: list[str] = inspect(image, "image")["RootFS"]["Layers"]
    return found


def sizes(built: Mapping[str, list[str]], results: Mapping[str, Result]) -> None:
    """Save each image once, and see what a registry that has the one before would get."""
    measure = Measure()
    for name, names in built.items():
        say(f"{table.TITLES[name]}: layers")
        saved = measure.images(names)
        results[name].size, results[name].compressed = saved[0].files, saved[0].compressed
        results[name].push = [new.pushes(old) for old, new in pairwise(saved)]


def start(starts: Sequence[Start], rounds: int, results: Mapping[str, Result]) -> None:
    """In turns; the first of each is not counted, and brings its files into memory."""
    for count in range(rounds + 1):
        for it in starts:
            took = measured(it)
            if count:
                results[it.name].start.append(took)
        say(f"started, {count} of {rounds}")


def write(starts: Sequence[Start], seconds: float, results: Mapping[str, Result]) -> None:
    """Count what is written; luggage must serve as well where nothing can be.

    `written` ends the program where one of them does not.
    """
    say(f"requests for {seconds:.0f} s")
    barred = replace(starts[0], name="barred", options=BARRED)
    found = written([*starts, barred], seconds)
    results[OURS].read_only = barred.name in found
    for it in starts:
        results[it.name].written, results[it.name].paths = found[it.name]


@contextmanager
def cleaned() -> Iterator[None]:
    """Before and after, the engine has nothing of this benchmark."""
    clean()
    try:
        yield
    finally:
        clean()


def clean() -> None:
    """Images and volumes with names or labels of the benchmark's own; no container is left."""
    names = images(f"{PREFIX}-*")
    if names:
        docker("image", "rm", "-f", *names)
    docker("image", "prune", "-f", "--filter", f"label={PREFIX}")
    found = volumes(f"{PREFIX}-")
    if found:
        docker("volume", "rm", *found)
    if names or found:
        say(f"removed: {len(names)} images {PREFIX}-*, volumes {found}")


def say(text: str) -> None:
    """Progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # As at Ctrl-C: what was made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
