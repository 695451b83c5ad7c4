"""A request's path → how many seconds the app may take for it."""

from __future__ import annotations

from collections.abc import Mapping


class Deadlines:
    """`usual` seconds, or what `routes` has for the longest prefix of the path; 0: for ever."""

    def __init__(self, usual: float, routes: Mapping[str, float] | None = None) -> None:
        self.usual = usual
        self._routes = sorted((routes or {}).items(), key=lambda it: -len(it[0]))

    def of(self, path: str) -> float:
        """The seconds for a request with this path."""
        for prefix, seconds in self._routes:
            if path.startswith(prefix):
                return seconds
        return self.usual
