"""A `Pack`, its sources and a wheelhouse → the pex, its manifest and seal, and the image's layers,
in one folder.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import luggage
from luggage.buildpex import (
    base,
    deadweight,
    imports,
    islands,
    kept,
    layers,
    lock,
    pex,
    sealed,
    slim,
    sources,
    wheelhouse,
)
from luggage.buildpex.base import Base, Root
from luggage.buildpex.layers import Layer
from luggage.buildpex.pack import TOOLS, Pack
from luggage.buildpex.target import Target
from luggage.buildpex.upper import INFRASTRUCTURE, Upper
from luggage.errors import LuggageError, all_wrong
from luggage.proof import manifest, seal
from luggage.proof.manifest import Manifest

MANIFEST = "manifest.json"
SEAL_LAYER = "seal.tar"
LAYERS = ("root.tar", "deps.tar", "luggage.tar", "app.tar", SEAL_LAYER)


@dataclass(frozen=True)
class Origin:
    """Where the sources come from: the paths that git knows, the commit, and whether they differ
    from it.
    """

    files: Sequence[str]
    commit: str | None
    dirty: bool


@dataclass(frozen=True)
class Places:
    """The folders of one packing: the project's root, the wheels that nobody trusts, what is kept
    between two of them, and where the artifact's files go. `signed` has signatures, each named by
    the SHA-256 of its seal. A kept layer whose SHA-256 is in `have` need not be written.
    """

    root: Path
    wheels: Sequence[Path]
    cache: Path
    output: Path
    signed: Path
    have: frozenset[str] = frozenset()


def build(
    pack: Pack,
    origin: Origin,
    places: Places,
    *,
    image: Root | None,
    environ: Mapping[str, str],
    tell: Callable[[str], None],
) -> Path:
    """Write the artifact's files into the output and return the path of the pex.

    With `image`, Debian's root, the layers are made as well. `tell` gets a line of progress at each
    step. Everything is made under a temporary name in the output first: what fails or is
    interrupted leaves what was there.
    """
    keep_signature(places.output, places.signed)
    target = Target.running()
    pins = wheelhouse.applicable(lock.read(places.root / pack.lock), target, pack.lock)
    if INFRASTRUCTURE in pack.packages:
        wheelhouse.suffice(pins, pack.lock)
    tools = _tools()
    selection = sources.select(places.root, origin.files, pack.packages, dirty=origin.dirty)
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

    places.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".mkpex-", dir=places.output) as temporary:
        work, out = Path(temporary).resolve() / "work", Path(temporary).resolve() / "out"
        for folder in (work, out):
            folder.mkdir()
        plan = base.Plan(
            project=pack.name,
            version=luggage.__version__,
            pins=pins,
            target=target,
            keep_all=pack.keep_all,
            wanted=slim.wanted(selection.sources, deadweight.read()),
            root=image,
        )
        bench = base.Bench(places.wheels, places.cache, work, environ, tell)
        below = base.kept_or_made(plan, bench)
        unanswered = imports.unanswered(
            selection.sources, pack.entry, [wheel.path for wheel in below.slim]
        )
        for module, path in unanswered.items():
            tell(f"warning: {path}: imports {module}, which is not packed, and in no wheel")
        described = Manifest(
            project=pack.name,
            commit=origin.commit,
            dirty=origin.dirty or origin.commit is None,
            entry=pack.entry,
            python=target.version,
            platform=target.platform,
            lock=_sha256((places.root / pack.lock).read_bytes()),
            tools=tools,
            wheels=below.wheels,
            files={source.path: _sha256(source.data) for source in selection.sources},
            sealed=digests,
            serial=sealed.serial(config, pack.config),
        )
        upper = Upper(pack, target, below, selection.sources, manifest.dump(described))
        made, above = upper.make(image, work, out, places.cache, environ)
        made.chmod(0o755)
        if lost := pex.lacking(made, below.slim):
            raise LuggageError(
                all_wrong(f"{made.name}: pex left out wheel '{name}'" for name in lost),
                "empty the cache, and pack again: rm -r build/cache",
            )
        (out / MANIFEST).write_bytes(upper.manifest)
        tell(f"{made.name}: {made.stat().st_size / 1e6:.1f} MB")
        made_layers = [*below.layers, *above]
        sealed_bytes = seal.dump(
            seal.Seal(
                manifest=described,
                pex=kept.sha256(made),
                layers={layer.name: layer.listing for layer in made_layers},
                debian=below.debian,
                sbom=below.sbom,
            )
        )
        files = {seal.FILE: sealed_bytes, **_signature(sealed_bytes, places.signed)}
        for name, data in files.items():
            (out / name).write_bytes(data)
        _copy(below, made_layers, out, places.have)
        if made_layers:
            layers.loose(files, out / SEAL_LAYER)
            sizes = (layer.path for layer in made_layers)
            tell(", ".join(f"{it.stem} {it.stat().st_size / 1e6:.1f} MB" for it in sizes))
        _publish(out, places.output, made.name)
    return places.output / made.name


def _signature(sealed_bytes: bytes, signed: Path) -> dict[str, bytes]:
    """The signature of the very same seal, if it has been signed already."""
    signature = signed / f"{_sha256(sealed_bytes)}.sig"
    return {seal.SIGNATURE: signature.read_bytes()} if signature.exists() else {}


def keep_signature(output: Path, signed: Path) -> None:
    """Keep the signature that lies in `output`, by the seal it is of."""
    signature, sealed_file = output / seal.SIGNATURE, output / seal.FILE
    if signature.exists() and sealed_file.exists():
        signed.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(signature, signed / f"{_sha256(sealed_file.read_bytes())}.sig")


def _copy(below: Base, made: Sequence[Layer], out: Path, have: Collection[str]) -> None:
    """What is kept with the base belongs to the artifact, too."""
    shutil.copyfile(below.folder / (seal.SBOM if made else seal.PEX_SBOM), out / seal.SBOM)
    for layer in made:
        if layer.path.parent != out and kept.noted(layer.path) not in have:
            shutil.copyfile(layer.path, out / layer.path.name)


def _publish(made: Path, output: Path, last: str) -> None:
    """Move everything made into place, the pex last; nothing of another pex stays."""
    for name in (*LAYERS, seal.SIGNATURE):
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
