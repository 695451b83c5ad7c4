"""What a deployment says about its artifact: its name, its entry, its packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).with_name("tools.txt")


@dataclass(frozen=True)
class Pack:
    """What is to be packed; every path is relative to the folder that holds the packages.

    `name` is the project's (docs/format.md, §1.2) and the artifact's: `NAME.pex`. `entry` is the
    package that `python -m` runs. Of `packages`, everything that git knows is packed. With
    `keep_all`, wheels are packed with their test suites and all else that dead-weight.txt lists.
    With `pex_in_image`, the image holds the pex file as well, though it runs without.
    """

    name: str
    entry: str
    packages: tuple[str, ...]
    lock: str = "requirements.txt"
    keep_all: bool = False
    pex_in_image: bool = False

    @property
    def config(self) -> str:
        """The config module, whose sealed values the manifest names."""
        return "/".join([*self.entry.split("."), "config.py"])
