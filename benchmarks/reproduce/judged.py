"""What every way packed → how many different ones there are of each thing, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ways import Packed

# A pex that no image was made of has another seal and SBOM, which name no layers.
LAYERED = ("seal.json", "sbom.cdx.json")


@dataclass(frozen=True)
class Verdict:
    """`different`: how many there are of each file, of each engine's layers, and of image ids.

    `packings` is what was made, two for each way, of the `wanted`.
    """

    different: dict[str, int]
    packings: int
    wanted: int

    @property
    def same(self) -> bool:
        """Whether all that was made is the same; nothing is not."""
        return bool(self.different) and set(self.different.values()) == {1}

    @property
    def status(self) -> int:
        """0 where every way that was asked for made the same."""
        return 0 if self.same and self.packings == self.wanted else 1

    def lines(self) -> list[str]:
        """For people."""
        told = f"{self.packings} of {self.wanted} packings are the same"
        if not self.same:
            told = f"{self.packings} of {self.wanted} packings, NOT the same"
        return [*(f"{name:28} {count} different" for name, count in self.different.items()), told]


def judged(made: Sequence[Packed], ways: int) -> Verdict:
    """The verdict on what was made in so many ways."""
    names = sorted({name for it in made for name in it.files})
    files = {name: _of(made, name) for name in names}
    engines = sorted({it.engine for it in made})
    layers = {
        f"layers of {engine}": {str(it.layers) for it in made if it.engine == engine and it.layers}
        for engine in engines
    }
    images = {
        f"image ids, {engine}": {it.image for it in made if it.engine == engine and it.image}
        for engine in engines
    }
    found = {**files, **layers, **images}
    return Verdict({name: len(it) for name, it in found.items() if it}, 2 * len(made), 2 * ways)


def _of(made: Iterable[Packed], name: str) -> set[str]:
    return {
        it.files[name] for it in made if name in it.files and (it.layers or name not in LAYERED)
    }
