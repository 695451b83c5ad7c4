"""What went into an artifact: the grammar of its manifest."""

from luggage.proof.manifest import Manifest, ManifestError, Wheel, dump, parse

__all__ = ["Manifest", "ManifestError", "Wheel", "dump", "parse"]
