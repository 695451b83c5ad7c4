"""Bytes that are to be kept → whether there is room for them: an artifact is anybody's."""

from __future__ import annotations

from luggage.proof import canonical
from luggage.seal.tarred import TarError

MOST = 64 << 20  # bytes; of ours a few listings, manifests and modules are kept
MOST_MEMBERS = 200_000  # of all layers, or of a pex
MOST_LAYERS = 127  # as many as engines take


class Room:
    """What is left of the room for one artifact's texts."""

    def __init__(self) -> None:
        self.left = MOST

    def take(self, path: str, size: int) -> None:
        """Take room for a file; raises TarError where there is none, before a byte is read."""
        if size > canonical.MAX_BYTES:
            raise TarError(f"{path!r}: larger than 16 MiB")
        self.left -= size
        if self.left < 0:
            raise TarError(f"{path!r}: more texts before it than any artifact has")
