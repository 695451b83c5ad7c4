"""Checked wheels and staged sources → one pex file, by pex itself, in an environment of our own
making.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex.target import Target
from luggage.buildpex.wheelhouse import Wheel
from luggage.errors import LuggageError

# The first moment that a zip file can hold; every clock in an artifact shows it.
EPOCH = 315_532_800


@dataclass(frozen=True)
class Workshop:
    """A private folder in which pex works: its temporary files and its home lie there and vanish
    with it. Its cache, at `root`, may be kept.
    """

    folder: Path
    root: Path
    search: str
    tools: Path

    @classmethod
    def at(cls, folder: Path, root: Path, environ: Mapping[str, str]) -> Workshop:
        """A workshop in `folder`; raises LuggageError where pex is not importable."""
        spec = importlib.util.find_spec("pex")
        if spec is None or spec.origin is None:
            raise LuggageError(
                "pex: not installed for this Python",
                "leave out --wheels, or start it with: python3 -m luggage.buildpex.boot",
            )
        for name in ("home", "tmp"):
            (folder / name).mkdir(parents=True)
        return cls(folder, root, environ.get("PATH", os.defpath), Path(spec.origin).parent.parent)

    @property
    def environ(self) -> dict[str, str]:
        """Nothing of the caller's but PATH: no PEX_*, no pexrc, no locale, no time zone."""
        return {
            "PATH": self.search,
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(self.tools),
            "SOURCE_DATE_EPOCH": str(EPOCH),
            "PEX_IGNORE_RCFILES": "1",
            "PEX_ROOT": str(self.root),
            "TMPDIR": str(self.folder / "tmp"),
        }


def building(
    wheels: Sequence[Wheel], output: Path, target: Target, *, staged: Path | None, entry: str | None
) -> list[str]:
    """The command that writes the pex of `wheels`, and of the sources in `staged`, to `output`.

    It runs `python -m entry`. All wheels lie in one folder. The constraint lets the pex start with
    any patch version of this Python, and keeps the path of the interpreter that packs out of the
    file.
    """
    folders = {str(wheel.path.parent) for wheel in wheels}
    return [
        *(sys.executable, "-m", "pex"),
        *(f"{wheel.name}=={wheel.version}" for wheel in wheels),
        "--no-pypi",
        *(f"--pre-resolved-dists={folder}" for folder in sorted(folders)),
        *([f"--sources-directory={staged}"] if staged else []),
        *([f"--entry-point={entry}"] if entry else []),
        "--venv",
        "--sh-boot",
        "--include-tools",
        f"--python-path={sys.executable}",
        f"--interpreter-constraint={target.constraint}",
        f"--output-file={output}",
    ]


def lacking(made: Path, wheels: Sequence[Wheel]) -> list[str]:
    """The file names of wheels that are not in the pex: it packs without a word what it finds."""
    with zipfile.ZipFile(made) as archive:
        packed = json.loads(archive.read("PEX-INFO"))["distributions"]
    return [wheel.path.name for wheel in wheels if wheel.path.name not in packed]
