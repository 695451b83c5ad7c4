"""One commit, packed twenty times as differently as can be → whether every byte came out the same.

Each `./create --check` packs twice: as ever, and once more from nothing, elsewhere, as another user
and in another time zone. Ten of them, with every engine that is here, are twenty packings.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LATER = "2037-06-01 12:00:00"
# What a pex and its manifest follow from is in each of them; layers are made with an engine alone.
PEX = ("example.pex", "manifest.json")


@dataclass(frozen=True)
class Way:
    """One way to pack: who does it, where, and in which circumstances."""

    name: str
    engine: str
    words: tuple[str, ...] = ("--check",)
    folder: str = "project"
    umask: int = 0o022
    user: str | None = None
    inside: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


WAYS = (
    Way("docker", "docker"),
    Way("docker, BuildKit", "docker", environ={"DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin"}),
    Way("docker, a long path, umask 077", "docker", folder="a much/longer path", umask=0o077),
    Way("docker, Kiritimati, another locale", "docker",
        environ={"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}),
    Way("podman", "podman"),
    Way("podman, another path and zone", "podman", folder="x", environ={"TZ": "America/Lima"}),
    Way("podman without root", "podman", user="luggage-bench"),
    Way("podman without root, umask 077", "podman", umask=0o077, user="luggage-bench", folder="y"),
    Way("no engine", "none", inside=True),
    Way("no engine, a clock years ahead, no network", "none", inside=True, folder="later",
        environ={"FAKETIME": LATER}),
)  # fmt: skip


def main() -> int:
    """Pack in every way that this machine can, and compare; 0 where all are equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="what was measured")
    parser.add_argument("--only", metavar="WORD", help="the ways whose name has this word in it")
    options = parser.parse_args()
    ways = [way for way in WAYS if options.only is None or options.only in way.name]
    rows = []
    with tempfile.TemporaryDirectory(prefix="luggage-reproduce-") as name:
        base = Path(name)
        base.chmod(0o755)
        for way in ways:
            begin = time.monotonic()
            try:
                made = _packed(way, base)
            except UnavailableError as error:
                print(f"{way.name:45} left out: {error}", flush=True)
                continue
            rows.append({"way": way.name, "seconds": time.monotonic() - begin, **made})
            took = time.monotonic() - begin
            print(f"{way.name:45} {made['files'][PEX[0]][:16]}  {took:.0f} s", flush=True)
    return _told(rows, options.json)


class UnavailableError(Exception):
    """This machine cannot pack in this way."""


def _told(rows: Sequence[Mapping[str, object]], output: Path | None) -> int:
    """The table's foot: per file, how many different ones there are."""
    files: dict[str, set[str]] = {}
    for row in rows:
        for name, digest in row["files"].items():  # type: ignore[attr-defined]
            files.setdefault(name, set()).add(digest)
    # A pex that no image was made of has another seal, which names no layers.
    layered = [row for row in rows if "app.tar" in row["files"]]  # type: ignore[operator]
    for name in ("seal.json", "sbom.cdx.json"):
        files[name] = {row["files"][name] for row in layered}  # type: ignore[index]
    images: dict[str, set[str]] = {}
    for row in rows:
        if row["layers"]:
            images.setdefault(str(row["builder"]), set()).add(str(row["layers"]))
    print()
    for name, found in sorted(files.items()):
        print(f"{name:20} {len(found)} different")
    for builder, found in sorted(images.items()):
        print(f"layers of {builder:10} {len(found)} different")
    digests = {str(row["digest"]) for row in rows if row["digest"]}
    if digests:
        print(f"podman's image ids   {len(digests)} different")
    same = all(len(found) == 1 for found in (*files.values(), *images.values()))
    same = same and len(digests) <= 1
    count = 2 * len(rows)
    print(f"\n{count} of {count} packings are the same" if same else "\nNOT the same", flush=True)
    if output:
        output.write_text(json.dumps({"packings": count, "same": same, "rows": rows}, indent=1))
    return 0 if same and rows else 1


def _packed(way: Way, base: Path) -> dict[str, object]:
    folder = base / way.name.replace(" ", "-").replace(",", "") / way.folder
    folder.parent.mkdir(parents=True)
    _run("git", "clone", "-q", str(ROOT), str(folder))
    if way.inside:
        return _inside(way, folder)
    if shutil.which(way.engine) is None:
        raise UnavailableError(f"{way.engine} is not installed")
    prefix: tuple[str, ...] = ()
    environ = {**os.environ, **way.environ, "ENGINE": way.engine}
    if way.user:
        prefix, environ = _as(way.user, folder, environ, base)
    create = folder / "create"
    create.write_text(create.read_text().replace("\nIMAGE=$NAME\n", "\nIMAGE=luggage-bench-same\n"))
    _run("git", "-C", str(folder), "update-index", "--assume-unchanged", "create")
    done = _run(*prefix, str(create), *way.words, cwd=folder, env=environ, umask=way.umask)
    image = done.strip()
    ask = (*prefix, way.engine, "image", "inspect", "--format")
    layers = _run(*ask, "{{json .RootFS.Layers}}", image, env=environ).strip()
    podman = way.engine == "podman"
    digest = _run(*ask, "{{.Id}}", image, env=environ).strip() if podman else None
    for tag in (image, "luggage-bench-same:latest"):
        _run(*prefix, way.engine, "image", "rm", tag, env=environ)
    return {"files": _digests(folder), "layers": layers, "digest": digest, "builder": way.engine}


def _inside(way: Way, folder: Path) -> dict[str, object]:
    """Without an engine, but with the builder's Python: in a container that has git beside it.

    The first container has the network and fills the cache of wheels; what packs has neither a
    network nor, where the way says so, the time.
    """
    place = f"/srv/{way.folder}"
    fill = f"""
        apt-get -qq update
        apt-get -qqy install --no-install-recommends git faketime > /dev/null
        git config --global --add safe.directory {place}
        mkdir -p {place}; cd {place}; tar -x --no-same-owner
        ENGINE=none ./create -q >&2
        find build -mindepth 1 ! -path 'build/cache*' -delete; rm -rf build/cache/*-*
    """
    clock = f"faketime -f '@{LATER}'" if "FAKETIME" in way.environ else ""
    pack = f"""
        cd {place}; ENGINE=none {clock} ./create {" ".join(way.words)} >&2
        tar -c -C build example.pex manifest.json
    """
    source = _output(["tar", "-c", "-C", str(folder), "."])
    name = f"luggage-bench-same-{os.getpid()}"
    network = ["--network", "host", *_settings()]
    try:
        words = ["docker", "run", "-i", "--name", name, *network, _builder(), "sh", "-euc", fill]
        _output(words, source)
        _output(["docker", "commit", name, f"{name}:filled"])
        alone = ["docker", "run", "--rm", "--network", "none", f"{name}:filled"]
        done = _output([*alone, "sh", "-euc", pack])
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
        subprocess.run(
            ["docker", "image", "rm", f"{name}:filled"], capture_output=True, check=False
        )
    out = folder / "build"
    out.mkdir()
    _output(["tar", "-x", "-C", str(out)], done)
    return {"files": _digests(folder), "layers": "", "digest": None, "builder": "none"}


def _settings() -> list[str]:
    """How the host reaches its package index, for the container that fills the cache."""
    words = []
    for name, value in os.environ.items():
        if name.startswith("PIP_") and not Path(value).exists():
            words += ["-e", name]
        elif name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            words += ["-v", f"{value}:/etc/luggage-ca.pem:ro", "-e", f"{name}=/etc/luggage-ca.pem"]
        elif name.lower() in ("http_proxy", "https_proxy", "no_proxy"):
            words += ["-e", name]
    for path in (
        Path("/etc/pip.conf"),
        Path.home() / ".pip/pip.conf",
        Path.home() / ".config/pip/pip.conf",
    ):
        if path.is_file():
            return [*words, "-v", f"{path}:/etc/pip.conf:ro"]
    return words


def _output(words: Sequence[str], given: bytes | None = None) -> bytes:
    done = subprocess.run(words, input=given, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(words[:4])} …: {done.stderr.decode(errors='replace')[-3000:]}"
        )
    return done.stdout


def _builder() -> str:
    found = _run("docker", "image", "ls", "-q", "luggage-builder").split()
    if not found:
        raise UnavailableError("needs the builder image: ENGINE=docker ./create")
    return found[0]


def _as(
    user: str, folder: Path, environ: Mapping[str, str], base: Path
) -> tuple[tuple[str, ...], dict[str, str]]:
    if os.geteuid() != 0 or shutil.which("runuser") is None:
        raise UnavailableError("needs root, to be another user")
    home = Path("/home") / user
    if subprocess.run(["id", user], capture_output=True, check=False).returncode:
        _run("useradd", "-m", user)
    _run("chown", "-R", f"{user}:", str(folder))
    run = base / f"run-{user}"
    run.mkdir(exist_ok=True)
    run.chmod(0o700)
    shutil.chown(run, user)
    kept = {name: value for name, value in environ.items() if not name.startswith("XDG_")}
    kept |= {"HOME": str(home), "USER": user, "XDG_RUNTIME_DIR": str(run)}
    return ("runuser", "-u", user, "--"), kept


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "build").iterdir())
        if path.is_file() and not path.name.startswith(".")
    }


@contextlib.contextmanager
def _umask(number: int) -> Iterator[None]:
    before = os.umask(number)
    try:
        yield
    finally:
        os.umask(before)


def _run(
    *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, umask: int = 0o022
) -> str:
    with _umask(umask):
        done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
