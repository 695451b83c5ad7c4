"""Locks, and the host's pip settings → a folder with the wheels of every line.

`python3 -m luggage.buildpex.collect --cache DIR LOCK …` needs the standard library and pip; it is
the one step of `create` that uses the network. Nothing trusts what it leaves: every wheel is hashed
again when it is packed.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from luggage.buildpex import lock, private, process
from luggage.errors import LuggageError, all_wrong

# What says where wheels come from and how to reach it. pip's other settings (a target folder, a
# constraint, a platform) would change what is fetched, and the lock alone says that.
PASSED = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
    "use-feature",
    "use-deprecated",
)
_LOCATIONS = ("index-url", "extra-index-url", "find-links")
_FILES = ("client-cert",)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_URL = re.compile(r"(?!file:)[a-z][a-z+]*://", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://([^/\s@]+)@")
_DAY = 86_400.0
UNFETCHED = 75  # EX_TEMPFAIL
_NONE = private.Chosen()


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch what is not there yet, print how it came and the folder, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m luggage.buildpex.collect",
        description="Fetches the wheels of every line of the locks into a folder of the cache.",
    )
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="the cache")
    parser.add_argument("--again", action="store_true", help="even where the folder is there")
    parser.add_argument(
        "--kept",
        action="store_true",
        help=f"fetch nothing: print the folder, or exit with {UNFETCHED} where it is not there",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="DIR",
        help="the host's pip settings: environ, *.conf in rising order, ca.pem",
    )
    parser.add_argument(
        "--private", type=Path, metavar="DIR", help="wheels of one's own, if it is there"
    )
    parser.add_argument("locks", type=Path, nargs="+", metavar="LOCK", help="a lock with hashes")
    options = parser.parse_args(argv)
    process.interruptible()
    try:
        there(options.locks)
        own = private.Chosen()
        if options.private is not None:
            own = owned(options.private, options.locks)
        if options.kept:
            folder = options.cache / digest(options.locks, platform.python_version())
            sys.stdout.write(f"{folder}\n")
            if not folder.is_dir():
                return UNFETCHED
        sys.stderr.writelines(f"warning: {line}\n" for line in own.warnings)
        if options.kept:
            return 0
        cache = options.cache.resolve()
        cache.mkdir(parents=True, exist_ok=True)
        folder = cache / digest(options.locks, platform.python_version())
        how = "reused"
        if options.again or not folder.is_dir():
            sweep(cache, time.time() - _DAY)
            with tempfile.TemporaryDirectory(dir=cache, prefix="new.") as new:
                environ: Mapping[str, str] = os.environ
                if options.settings:
                    environ, warnings = _translated(options.settings.resolve())
                    sys.stderr.writelines(f"warning: {line}\n" for line in warnings)
                fetch(options.locks, Path(new), environ, own)
                settle(Path(new), folder)
            how = "fetched"
        else:
            private.supply(own.wheels, folder)
        sys.stdout.write(f"{how} {folder}\n")
    except LuggageError as error:
        sys.stderr.write(error.render() + "\n")
        return error.status
    except OSError as error:
        where = error.filename or options.cache
        sys.stderr.write(LuggageError(f"{where}: {error.strerror}").render() + "\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def there(locks: Iterable[Path]) -> None:
    """Raise one LuggageError that names every lock that is not there."""
    missing = [f"lock '{path}': not found" for path in locks if not path.is_file()]
    if missing:
        raise LuggageError(all_wrong(missing), f"make it: {lock.REFRESH}")


def sweep(cache: Path, before: float) -> None:
    """Remove what fetches that were killed before that time (seconds since 1970) left behind."""
    for left in cache.glob("new.*"):
        if left.stat().st_mtime < before:
            shutil.rmtree(left, ignore_errors=True)


def digest(locks: Iterable[Path], python: str) -> str:
    """The folder's name for these locks and this version of Python: 64 hex digits."""
    parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in locks]
    return hashlib.sha256("\n".join([*parts, python]).encode()).hexdigest()


def owned(folder: Path, locks: Iterable[Path]) -> private.Chosen:
    """What the locks name of the wheels in `folder`, which need not be there."""
    own = private.read(folder)
    return private.chosen(own, [(path.name, lock.read(path)) for path in locks if own])


def fetch(
    locks: Iterable[Path],
    new: Path,
    environ: Mapping[str, str],
    own: private.Chosen = _NONE,
) -> None:
    """Download the wheels of every lock into `new`/wheels; raises with what pip said.

    Every lock is read before pip runs, which would advise to trust whatever it has downloaded. What
    `own` has is copied, and pip never hears of it: an index is not told of one's own packages.
    """
    wheels, temporary = new / "wheels", new / "tmp"
    wheels.mkdir()
    temporary.mkdir()
    private.supply(own.wheels, wheels)
    pins = {path: [pin for pin in lock.read(path) if pin.name not in own.names] for path in locks}
    for path in [path for path, rest in pins.items() if rest]:
        asked = path.resolve()
        if own.names:
            asked = new / path.name
            asked.write_text("".join(f"{pin.dump()}\n" for pin in pins[path]), encoding="utf-8")
        argv = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "-q"]
        argv += ["download", "--no-cache-dir", "--progress-bar", "off", "--require-hashes"]
        argv += ["--only-binary", ":all:", "--no-deps"]
        argv += ["-d", str(wheels), "-r", str(asked)]
        status, out, err = process.capture(
            argv, environ={**environ, "TMPDIR": str(temporary)}, cwd=new, subject="pip download"
        )
        if status:
            raise failure(path.name, quiet((out + err).decode(errors="replace"), environ))


def failure(name: str, said: str) -> LuggageError:
    """What pip said about the lock `name`, without its prefixes, and the hint that fits."""
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    warned = [line for line in lines if line.startswith("WARNING: ")]
    # pip tells each of its tries.
    kept = [line for line in lines if line not in warned[:-1]]
    shown = [line.removeprefix("WARNING: ").removeprefix("ERROR: ") for line in kept][-6:]
    if "DO NOT MATCH THE HASHES" in said:
        # pip's first words advise to write the new hash into the lock.
        shown = [line.strip() for line in kept if not line.startswith("ERROR: ")][-6:]
        return LuggageError(
            "\n".join([f"{name}: what was fetched is not what the lock lists", *shown]),
            "the lock or the package was changed: do not go on\n"
            f"if you changed the lock yourself: {lock.REFRESH}",
        )
    if "No space left on device" in said:
        return LuggageError(f"{name}: no space is left for its wheels", "make room: df -h")
    return LuggageError(
        "\n".join([f"{name}: its wheels could not be fetched", *shown]),
        "see to the network, pip's settings and the proxies\n"
        "a line that has no wheel for this Python cannot be packed",
    )


def settle(new: Path, folder: Path) -> None:
    """Give the complete wheels their name; a fetch of the same that was quicker is as good."""
    if folder.is_dir():
        with contextlib.suppress(OSError):
            folder.rename(new / "old")
    try:
        (new / "wheels").rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def quiet(text: str, environ: Mapping[str, str]) -> str:
    """`text` without the credentials of any URL, in it or in the environment."""
    for value in environ.values():
        for found in _CREDENTIALS.findall(value):
            text = text.replace(found, "****")
    return _CREDENTIALS.sub("://****@", text)


def translate(configs: Iterable[str], environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """A pip configuration that holds anywhere, and a warning for each setting left out of it.

    Left out is what names a path of the host. `configs` are the texts of pip's configuration files,
    those that win last; variables of `environ` win over all, and `[download]` over `[global]`, as
    in pip.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "download": {}, "environ": {}}
    warnings: list[str] = []
    for text in configs:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error:
            warnings.append("a pip configuration file: cannot be read, left out")
            continue
        for section, settings in sections.items():
            if parser.has_section(section):
                settings |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    sections["environ"] = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("PIP_") and value
    }
    settings = sections["global"] | sections["download"] | sections["environ"]
    lines = ["[global]"]
    for key in (*PASSED, *_FILES):
        words = settings.get(key, "").split()
        kept = words
        if key in _LOCATIONS:
            kept = [word for word in words if _URL.match(word)]
        elif key in _FILES:
            kept = []
        if kept != words:
            warnings.append(f"pip setting '{key}': names a path of the host, left out")
        if kept:
            lines.append(f"{key} = {' '.join(kept)}")
    return "\n".join([*lines, ""]), warnings


def _translated(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The environment for pip from the host's settings, and warnings."""
    given = dict(
        line.split("=", 1)
        for line in (folder / "environ").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    configs = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.conf"))]
    text, warnings = translate(configs, given)
    bundle = folder / "ca.pem"
    config = folder / "translated"
    config.write_text(text + (f"cert = {bundle}\n" if bundle.exists() else ""), encoding="utf-8")
    environ = {name: value for name, value in given.items() if name.lower() in _PROXIES}
    environ |= {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    return {**environ, "PIP_CONFIG_FILE": str(config)}, warnings


if __name__ == "__main__":
    sys.exit(main())
