"""A wheelhouse that nobody trusts → the packing tools on `sys.path`, checked, and a command run
with them.

`python3 -m luggage.buildpex.boot --wheels WHEELS --package PACKAGE -- mkpex …` runs command `mkpex`
of the deployment PACKAGE. Only the standard library and the sources are used until every tool's
wheel is known by its SHA-256.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import importlib
import io
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from luggage.buildpex import kept, lock, process
from luggage.buildpex.pack import TOOLS
from luggage.errors import LuggageError, all_wrong


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the checked tools, and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m luggage.buildpex.boot",
        description="Checks the packing tools in a folder of wheels, and runs a command with them.",
    )
    parser.add_argument("--wheels", type=Path, required=True, metavar="DIR", help="the wheels")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where unpacked tools are kept")
    parser.add_argument("--package", required=True, help="the deployment's import name")
    parser.add_argument("command", nargs="+", help="the command and its arguments, behind --")
    options = parser.parse_args(argv)
    process.interruptible()
    with tempfile.TemporaryDirectory(prefix="luggage-tools-") as folder:
        try:
            tools = kept_or_unpacked(options.cache or Path(folder), options.wheels)
        except (LuggageError, OSError) as error:
            if isinstance(error, OSError):  # such as a disk that is full
                error = LuggageError(f"{error.filename or folder}: {error.strerror}")
            sys.stderr.write(error.render() + "\n")
            return error.status
        except KeyboardInterrupt:
            return 130
        # In front of everything, so that a tool that is installed here does not stand in for the
        # checked one.
        sys.path.insert(0, str(tools))
        # By name, and only now: what runs the deployment's commands needs the tools itself.
        commands = importlib.import_module("luggage.commands")
        status: int = commands.main([options.package, *options.command], options.package)
        return status


def kept_or_unpacked(cache: Path, wheels: Path) -> Path:
    """The folder of `cache` with the checked tools, compiled; made of `wheels` if it is not there.

    They are not hashed again: who can write to this cache can as well change the Python that runs
    them, which a folder of wheels does not allow.
    """

    def make(folder: Path) -> None:
        unpack(lock.read(TOOLS), wheels, folder)
        compileall.compile_dir(folder, quiet=2, workers=0)

    return kept.folder(cache, "tools", kept.key(sys.version, TOOLS.read_bytes()), make, [])


def unpack(pins: Sequence[lock.Pin], wheels: Path, into: Path) -> None:
    """Unpack the wheel of every pin from `wheels` into `into`.

    The bytes that are hashed are the bytes that are unpacked. A pin with a marker may have no
    wheel: it may be for another Python. Raises one LuggageError that names every tool that is
    missing or altered.
    """
    wrong = []
    for pin in pins:
        candidates = _candidates(pin, wheels)
        checked = [data for data in candidates.values() if _sha256(data) in pin.hashes]
        if checked:
            with zipfile.ZipFile(io.BytesIO(checked[0])) as archive:
                archive.extractall(into)
        elif candidates:
            wrong.append(f"tool {pin}: {', '.join(candidates)}: not the hash of {TOOLS.name}")
        elif pin.marker is None:
            wrong.append(f"tool {pin}: no wheel of it in '{wheels}'")
    if wrong:
        raise LuggageError(all_wrong(wrong), "empty the wheelhouse, and fetch again")


def _candidates(pin: lock.Pin, wheels: Path) -> dict[str, bytes]:
    """The wheels of this pin by file name; one made for this very Python first."""
    tag = f"py3{sys.version_info.minor}"
    found = []
    for path in sorted(wheels.glob("*.whl")):
        name, version, *rest = path.name.removesuffix(".whl").split("-")
        if (lock.normalise(name), version) == (pin.name, pin.version) and len(rest) >= 3:
            found.append((tag not in rest[-3].split("."), path))
    return {path.name: path.read_bytes() for _, path in sorted(found)}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
