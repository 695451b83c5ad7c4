"""The words of `mkpex` → an artifact. A deployment's own `mkpex` module says what is packed."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from luggage.buildpex import Pack, artifact, collect, git, lock, private, process, sources
from luggage.buildpex.base import Root
from luggage.buildpex.pack import TOOLS
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.errors import LuggageError, UsageError

EXAMPLES = """\
examples:
  python -m deploy mkpex                         fetches what the lock names, packs into build/
  python -m deploy mkpex --output /tmp/out       elsewhere
  python -m deploy mkpex --wheels DIR --root /opt/root.tar
                                                 as ./create does in the builder, with no network
"""


def main(argv: list[str], pack: Pack) -> int:
    """Pack the deployment; the path of the pex on stdout, everything else on stderr."""
    deployment = current()
    parser = Words(
        argv[0],
        "Packs the deployment, its dependencies and its sealed secrets into one file.",
        EXAMPLES,
        deployment,
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to (default: build)")
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="wheels fetched before, not trusted"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="what is kept between two packings (default: build/cache)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="TAR",
        help="Debian's part of an image: its layers are made, too",
    )
    parser.add_argument(
        "--signed",
        type=Path,
        metavar="DIR",
        help="signatures, each named SHA256-OF-ITS-SEAL.sig (default: signatures in the output)",
    )
    parser.add_argument(
        "--have", type=Path, help="layers that need not be written: lines of sha256sum"
    )
    parser.add_argument(
        "--files", type=Path, help="what git knows, if git is not here: `git ls-files -z`"
    )
    parser.add_argument("--commit", metavar="HEX", help="the commit, if git is not here")
    parser.add_argument("--dirty", action="store_true", help="the sources differ from the commit")
    options = parser.read(argv[1:])
    root = deployment.root.resolve()
    output = (options.output or root / "build").absolute()
    process.interruptible()
    if options.wheels is None:
        _fetch_and_boot(argv, pack, root)

    started = time.monotonic()
    try:
        path = artifact.build(
            pack,
            _origin(options, pack, root),
            artifact.Places(
                root=root,
                wheels=[
                    *([own] if (own := root / private.FOLDER).is_dir() else []),
                    options.wheels,
                ],
                cache=(options.cache or root / "build" / "cache").absolute(),
                output=output,
                signed=(options.signed or output / "signatures").absolute(),
                have=frozenset(_read(options.have).decode().split())
                if options.have
                else frozenset(),
            ),
            image=Root(options.root) if options.root else None,
            environ=os.environ,
            tell=_tell,
        )
    except OSError as error:  # such as a disk that is full
        raise LuggageError(f"{error.filename or output}: {error.strerror}") from error
    _tell(f"done in {time.monotonic() - started:.1f} s")
    print(path)
    return 0


def _fetch_and_boot(argv: list[str], pack: Pack, root: Path) -> NoReturn:
    """Fetch the wheels of both locks, and start again with the packing tools that are locked."""
    locks = [root / pack.lock, TOOLS]
    for path in locks:
        lock.read(path)  # what cannot be packed is told before the network is asked
    own = collect.owned(root / private.FOLDER, locks)
    for line in own.warnings:
        _tell(f"warning: {line}")
    cache = root / "build" / "cache"
    wheels = cache / collect.digest(locks, platform.python_version())
    if not wheels.is_dir():
        _tell(f"fetching the wheels of {pack.lock} and {TOOLS.name} into build/cache")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="new.") as new:
            collect.fetch(locks, Path(new), os.environ, own)
            collect.settle(Path(new), wheels)
    else:
        private.supply(own.wheels, wheels)
    words = ["-m", "luggage.buildpex.boot", "--wheels", str(wheels), "--cache", str(cache)]
    words += ["--package", current().package]
    process.become(
        [sys.executable, *words, "--", *argv, "--wheels", str(wheels)], environ=os.environ, cwd=root
    )


def _origin(options: argparse.Namespace, pack: Pack, root: Path) -> artifact.Origin:
    if options.commit and not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", options.commit):
        raise UsageError(f"--commit '{options.commit}': not a commit's full name in hex")
    told = options.files or options.commit or options.dirty
    here = None if told else git.Git.of(root, os.environ)
    if here is None:
        if not told and (root / ".git").exists():
            raise LuggageError(
                "git: not installed, and this is a checkout: what belongs to it is not known",
                "apt-get install git",
            )
        if options.files:
            files = git.split(_read(options.files))
        else:
            files = sources.walk(root, pack.packages)
        return artifact.Origin(files, options.commit, options.dirty or not options.commit)
    commit = here.commit()
    dirty = commit is None or here.differs([*_folders(pack), pack.lock])
    return artifact.Origin(here.files(), commit, dirty)


def _folders(pack: Pack) -> list[str]:
    return [package.replace(".", "/") for package in pack.packages]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LuggageError(f"'{path}': {error.strerror}") from error


def _tell(text: str) -> None:
    print(f"mkpex: {text}", file=sys.stderr, flush=True)
