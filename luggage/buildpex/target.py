"""The running interpreter → what an artifact is made for: its version, its platform, the wheels
that fit.
"""

from __future__ import annotations

import platform
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass

from packaging import markers, tags
from packaging.tags import Tag

from luggage.errors import LuggageError


@dataclass(frozen=True)
class Target:
    """A Python: `version` is `3.13.5`, `platform` `linux-x86_64`, `tags` the wheel tags that fit,
    best first.
    """

    version: str
    platform: str
    tags: tuple[Tag, ...]
    markers: Mapping[str, str]

    @classmethod
    def running(cls) -> Target:
        """The Python that packs, which is the one that will run; raises for one that cannot be
        packed for.
        """
        if sys.implementation.name != "cpython":
            raise LuggageError(
                f"{sys.implementation.name} {platform.python_version()}: not CPython",
                "start it with CPython",
            )
        return cls(
            version=platform.python_version(),
            platform=sysconfig.get_platform(),
            tags=tuple(tags.sys_tags()),
            markers={k: str(v) for k, v in markers.default_environment().items()},
        )

    @property
    def constraint(self) -> str:
        """The interpreters that may run a pex made for this Python, as pex says it."""
        major, minor, *_ = self.version.split(".")
        return f"CPython=={major}.{minor}.*"

    def __str__(self) -> str:
        return f"Python {self.version} on {self.platform}"
