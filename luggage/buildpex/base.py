"""Locked wheels and Debian's root → what every commit of one lock shares: slim wheels, the layers
of Debian and of the dependencies, SBOMs. Made once, and kept.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from luggage.buildpex import (
    deadweight,
    islands,
    kept,
    layers,
    pex,
    process,
    slim,
    splice,
    venv,
    wheelhouse,
)
from luggage.buildpex.layers import Layer
from luggage.buildpex.lock import Pin
from luggage.buildpex.pack import TOOLS
from luggage.buildpex.target import Target
from luggage.buildpex.wheelhouse import Wheel
from luggage.errors import LuggageError
from luggage.proof import manifest, seal
from luggage.seal import packages

_STATE = "base.json"
_ROOMS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Root:
    """Debian's part of an image, a tar, and the place in it where the app will lie."""

    tar: Path
    home: Path = venv.HOME


@dataclass(frozen=True)
class Plan:
    """What a base follows from, beside the wheels, the tools and Python itself.

    `wanted` is what the project names of what would be dead weight (slim.wanted).
    """

    project: str
    version: str
    pins: Sequence[Pin]
    target: Target
    keep_all: bool
    root: Root | None
    wanted: frozenset[str]

    @property
    def key(self) -> str:
        """Names the base: all that could change a byte of it is in here, but for the wheels."""
        pins = [(pin.name, pin.version, sorted(pin.hashes)) for pin in self.pins]
        told = [self.project, self.version, self.keep_all, pins, sorted(self.wanted)]
        python = [sys.version, self.target.platform, zlib.ZLIB_RUNTIME_VERSION]
        where = self.root and (str(self.root.home), kept.sha256(self.root.tar))
        return kept.key(
            repr([*told, *python, where]),
            TOOLS.read_bytes(),
            *(path.read_bytes() for path in sorted(_ROOMS.glob("*/*")) if _packs(path)),
        )


@dataclass(frozen=True)
class Bench:
    """Where a base is made: of `wheels`, folders that nobody trusts, kept in `cache`."""

    wheels: Sequence[Path]
    cache: Path
    work: Path
    environ: Mapping[str, str]
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Base:
    """What `make` left in `folder`, now or earlier."""

    folder: Path
    fresh: bool
    wheels: tuple[manifest.Wheel, ...]
    layers: tuple[Layer, ...]
    debian: Mapping[str, str]
    sbom: Mapping[str, str]

    @property
    def slim(self) -> tuple[Wheel, ...]:
        """The wheels as they are packed, without their dead weight."""
        folder = self.folder / "wheels"
        return tuple(Wheel(w.name, w.version, folder / w.file, w.sha256) for w in self.wheels)


def kept_or_made(plan: Plan, bench: Bench) -> Base:
    """The base of `plan`, made if it is not kept."""
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        with tempfile.TemporaryDirectory(dir=bench.work) as here:
            _make(plan, replace(bench, work=Path(here)), folder)

    picked: tuple[Path, ...] = ()
    with contextlib.suppress(LuggageError):  # making it tells all that is wrong at once
        picked = wheelhouse.pick(plan.pins, bench.wheels, plan.target)
    name = kept.key(plan.key, *(f"{path.name} {kept.sha256(path)}" for path in picked))
    checked = [_STATE, seal.PEX_SBOM, splice.FILE, *(f"wheels/{path.name}" for path in picked)]
    if plan.root:
        checked += ["root.tar", "deps.tar", seal.SBOM]
    folder = kept.folder(bench.cache, "base", name, make, checked)
    state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    if not made:
        bench.tell(f"{len(state['wheels'])} wheels kept from before")
    return Base(
        folder,
        bool(made),
        tuple(manifest.Wheel(**wheel) for wheel in state["wheels"]),
        tuple(Layer(name, folder / f"{name}.tar", it) for name, it in state["layers"].items()),
        state["debian"],
        state["sbom"],
    )


def _make(plan: Plan, bench: Bench, folder: Path) -> None:
    whole, thin = bench.work / "wheels", folder / "wheels"
    for path in (whole, thin):
        path.mkdir()
    checked = wheelhouse.fill(plan.pins, bench.wheels, plan.target, whole)
    bench.tell(f"{len(checked)} wheels checked against the lock, for {plan.target}")
    thinned = slim.wheels(
        [wheel.path for wheel in checked],
        thin,
        deadweight.read(),
        wanted=plan.wanted,
        keep_all=plan.keep_all,
    )
    if files := sum(it.files for it in thinned):
        size = sum(it.size for it in thinned) / 1e6
        bench.tell(f"{files} files of dead weight left out, {size:.1f} MB")
    described = [manifest.Wheel(w.name, w.version, w.path.name, w.sha256) for w in checked]
    sums = {"pex": _write(folder / seal.PEX_SBOM, _bom(plan, checked))}
    workshop = pex.Workshop.at(bench.work / "deps", bench.work / "pex", bench.environ)
    built = workshop.folder / "deps.pex"
    process.run(
        pex.building(
            [replace(wheel, path=thin / wheel.path.name) for wheel in checked],
            built,
            plan.target,
            staged=None,
            entry=None,
        ),
        environ=workshop.environ,
        cwd=workshop.folder / "tmp",
        subject="pex",
    )
    splice.keep(built, folder / splice.FILE)
    made: list[Layer] = []
    debian: dict[str, str] = {}
    if plan.root:
        system = packages.in_tar(plan.root.tar)
        debian = {stanza["Package"]: stanza["Version"] for stanza in system.debian}
        image = _bom(plan, checked, system)
        sums["image"] = _write(folder / seal.SBOM, image)
        made.append(layers.extend(plan.root.tar, "root", folder / "root.tar"))
        home = plan.root.home
        with venv.unpacked(workshop, built, home):
            entries = layers.scan(home.parent, home.name)
            above = {seal.SBOM: image}
            made.append(layers.write(home.parent, entries, "deps", folder / "deps.tar", above))
    state = {
        "wheels": [asdict(wheel) for wheel in described],
        "layers": {layer.name: layer.listing for layer in made},
        "debian": debian,
        "sbom": sums,
    }
    (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")


def _bom(plan: Plan, wheels: Sequence[Wheel], system: packages.Root | None = None) -> bytes:
    from luggage.seal import sbom  # noqa: PLC0415 - slow, and seldom needed

    return sbom.make(
        project=plan.project,
        luggage=plan.version,
        wheels=[
            packages.Wheel(it.name, it.version, it.sha256, packages.metadata(it.path))
            for it in wheels
        ],
        debian=system.debian if system else (),
        os_release=system.os_release if system else None,
        # The kernel's are not the image's.
        markers={**plan.target.markers, "platform_release": "", "platform_version": ""},
        needs=wheelhouse.RUNS_ON,
    )


def _write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return kept.sha256(path)


def _packs(path: Path) -> bool:
    room = f"luggage.{path.parent.name}"
    return path.is_file() and (room in islands.PACK_ISLAND or room == "luggage.proof")
