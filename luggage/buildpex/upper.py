"""Sources upon a base → the pex, and the layers of luggage and of the app, made side by side."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import kept, layers, pex, process, sources, splice, venv
from luggage.buildpex.base import Base, Root
from luggage.buildpex.layers import Layer
from luggage.buildpex.pack import Pack
from luggage.buildpex.pex import Workshop
from luggage.buildpex.sources import Source
from luggage.buildpex.target import Target
from luggage.proof import manifest, seal

INFRASTRUCTURE = "luggage"  # the package with a layer of its own: it changes less often
_LISTING = "listing"


@dataclass(frozen=True)
class Upper:
    """What changes with a commit, and the base below it."""

    pack: Pack
    target: Target
    base: Base
    sources: Sequence[Source]
    manifest: bytes

    def make(
        self, root: Root | None, work: Path, out: Path, cache: Path, environ: Mapping[str, str]
    ) -> tuple[Path, tuple[Layer, ...]]:
        """The pex in `out`, and with `root` the layers there as well."""
        workshop = Workshop.at(work / "pex", work / "pex-root", environ)
        described = Source(manifest.FILE, self.manifest)
        bom = Source(seal.PEX_SBOM, (self.base.folder / seal.PEX_SBOM).read_bytes())
        made = out / f"{self.pack.name}.pex"
        packing = self._packing([*self.sources, described, bom], work, made)
        if root is None:
            _run(workshop, packing)
            return made, ()
        own = [it for it in self.sources if not _is_infrastructure(it)]
        stage = work / "app"
        compiling = self._stage(workshop, [*own, described], stage, root.home)
        _run(workshop, [*packing, *compiling])
        if self.pack.pex_in_image:
            copied = Path(shutil.copyfile(made, stage / root.home.name / made.name))
            copied.chmod(0o755)
        entries = layers.scan(stage, root.home.name)
        app = layers.write(stage, entries, "app", out / "app.tar")
        return made, (self._infrastructure(workshop, root, work, cache), app)

    def _packing(self, packed: Sequence[Source], work: Path, output: Path) -> list[list[str]]:
        """What has yet to run for the pex to be at `output`.

        Upon a base that was made just now pex itself packs: what `create --check` compares with.
        """
        skeleton = self.base.folder / splice.FILE
        if not self.base.fresh and splice.write(skeleton, packed, self.pack.entry, output):
            return []
        staged = work / "sources"
        staged.mkdir()
        sources.stage(packed, staged)
        slim = self.base.slim
        return [pex.building(slim, output, self.target, staged=staged, entry=self.pack.entry)]

    def _infrastructure(self, workshop: Workshop, root: Root, work: Path, cache: Path) -> Layer:
        packed = [it for it in self.sources if _is_infrastructure(it)]
        name = f"{INFRASTRUCTURE}.tar"

        def make(folder: Path) -> None:
            stage = work / INFRASTRUCTURE
            _run(workshop, self._stage(workshop, packed, stage, root.home))
            entries = layers.scan(stage, root.home.name)
            layer = layers.write(stage, entries, INFRASTRUCTURE, folder / name)
            (folder / _LISTING).write_text(layer.listing, encoding="ascii")

        parts = [part for it in packed for part in (it.path.encode(), it.data)]
        key = kept.key(self.base.folder.name, *parts)
        folder = kept.folder(cache, INFRASTRUCTURE, key, make, [name, _LISTING])
        listing = (folder / _LISTING).read_text(encoding="ascii")
        return Layer(INFRASTRUCTURE, folder / name, listing)

    def _stage(
        self, workshop: Workshop, staged: Sequence[Source], stage: Path, home: Path
    ) -> list[list[str]]:
        """Write sources below `stage` as they will lie below `home`; the commands that compile."""
        place = stage / home.name / venv.site_packages(self.target)
        place.mkdir(parents=True)
        sources.stage(staged, place)
        return venv.compiling(workshop, sorted(place.rglob("*.py")), stage / home.name, home)


def _run(workshop: Workshop, commands: Sequence[Sequence[str]]) -> None:
    process.run_all(
        commands, environ=workshop.environ, cwd=workshop.folder / "tmp", subject="packing"
    )


def _is_infrastructure(source: Source) -> bool:
    return source.path.partition("/")[0] == INFRASTRUCTURE
