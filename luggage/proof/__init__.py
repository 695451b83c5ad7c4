"""What belongs to an artifact: the grammar of its manifest, its seal and its listings."""

from luggage.proof.manifest import Manifest, ManifestError, Wheel, dump, parse

__all__ = ["Manifest", "ManifestError", "Wheel", "dump", "parse"]
