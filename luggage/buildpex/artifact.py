"""A `Pack`, its sources and a wheelhouse → the pex, its manifest and the image's layers, in one
folder.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import imports, islands, layers, lock, pex, sealed, sources, wheelhouse
from luggage.buildpex.pack import TOOLS, Pack
from luggage.buildpex.target import Target
from luggage.errors import LuggageError, all_wrong
from luggage.proof import manifest
from luggage.proof.manifest import Manifest

MANIFEST = "manifest.json"
LAYERS = ("deps.tar", "app.tar")


@dataclass(frozen=True)
class Origin:
    """Where the sources come from: the paths that git knows, the commit, and whether they differ
    from it.
    """

    files: Sequence[str]
    commit: str | None
    dirty: bool


def build(
    pack: Pack,
    origin: Origin,
    *,
    root: Path,
    wheels: Path,
    output: Path,
    environ: Mapping[str, str],
    venv: Path | None,
    tell: Callable[[str], None],
) -> Path:
    """Write the artifact's files into `output` and return the path of the pex.

    Layers are made where `venv` says where the environment will run. `tell` gets a line of progress
    at each step. Everything is made under a temporary name in `output` first: what fails or is
    interrupted leaves what was there.
    """
    target = Target.running()
    pins = wheelhouse.applicable(lock.read(root / pack.lock), target, pack.lock)
    if "luggage" in pack.packages:
        wheelhouse.suffice(pins, pack.lock)
    tools = _tools()
    selection = sources.select(root, origin.files, pack.packages, dirty=origin.dirty)
    imports.compiled(selection.sources)
    config = _packed(selection, pack.config)
    digests = sealed.digests(config, pack.config, pack.name)
    for environment, names in sealed.missing(config).items():
        tell(
            f"warning: {pack.config}: environment '{environment}' has no value for "
            f"{', '.join(names)}, and does not start without"
        )
    tell(f"{len(selection.sources)} source files of {', '.join(pack.packages)}")
    if commands := [path for path in selection.left if not path.startswith(_rooms())]:
        tell(f"{len(commands)} modules that pack or edit are left behind")

    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".mkpex-", dir=output) as temporary:
        work = Path(temporary).resolve()
        fresh = {name: work / name for name in ("wheels", "sources", "out")}
        for folder in fresh.values():
            folder.mkdir()
        checked = wheelhouse.fill(pins, wheels, target, fresh["wheels"])
        tell(f"{len(checked)} wheels checked against {pack.lock}, for {target}")
        unanswered = imports.unanswered(
            selection.sources, pack.entry, [wheel.path for wheel in checked]
        )
        for module, path in unanswered.items():
            tell(f"warning: {path}: imports {module}, which is not packed, and in no wheel")
        described = manifest.dump(
            Manifest(
                project=pack.name,
                commit=origin.commit,
                dirty=origin.dirty or origin.commit is None,
                entry=pack.entry,
                python=target.version,
                platform=target.platform,
                lock=_sha256((root / pack.lock).read_bytes()),
                tools=tools,
                wheels=[manifest.Wheel(w.name, w.version, w.path.name, w.sha256) for w in checked],
                files={source.path: _sha256(source.data) for source in selection.sources},
                sealed=digests,
                serial=None,
            )
        )
        sources.stage(
            [*selection.sources, sources.Source(manifest.FILE, described)], fresh["sources"]
        )
        workshop = pex.Workshop.at(work / "pex", environ)
        made = fresh["out"] / f"{pack.name}.pex"
        pex.build(workshop, checked, fresh["sources"], made, entry=pack.entry, target=target)
        (fresh["out"] / MANIFEST).write_bytes(described)
        tell(f"{made.name}: {made.stat().st_size / 1e6:.1f} MB")
        if venv is not None:
            deps, app = (fresh["out"] / name for name in LAYERS)
            layers.make(workshop, made, venv, deps, app)
            tell(", ".join(f"{p.name}: {p.stat().st_size / 1e6:.1f} MB" for p in (deps, app)))
        _publish(fresh["out"], output, made.name)
    return output / made.name


def _publish(made: Path, output: Path, last: str) -> None:
    """Move everything made into place, the pex last; no layers of another pex stay."""
    for name in LAYERS:
        if not (made / name).exists():
            (output / name).unlink(missing_ok=True)
    for path in sorted(made.iterdir(), key=lambda path: (path.name == last, path.name)):
        path.chmod(0o755 if path.name == last else 0o644)
        path.replace(output / path.name)


def _tools() -> dict[str, str]:
    """Name → version of the packing tools; raises where one is not the locked one."""
    found = {}
    wrong = []
    for pin in lock.read(TOOLS):
        try:
            found[pin.name] = importlib.metadata.version(pin.name)
        except importlib.metadata.PackageNotFoundError:
            if pin.marker is None:
                wrong.append(f"tool {pin}: not installed for this Python")
        else:
            if found[pin.name] != pin.version:
                wrong.append(f"tool {pin}: {found[pin.name]} is installed")
    if wrong:
        raise LuggageError(
            all_wrong(wrong),
            "leave out --wheels, or start it with: python3 -m luggage.buildpex.boot",
        )
    return found


def _packed(selection: sources.Selection, path: str) -> bytes:
    return next((source.data for source in selection.sources if source.path == path), b"")


def _rooms() -> tuple[str, ...]:
    return tuple(f"{room.replace('.', '/')}/" for room in islands.PACK_ISLAND)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
