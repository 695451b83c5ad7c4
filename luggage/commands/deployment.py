"""Which deployment is running: its package, its folder, and how to start one of its commands."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from luggage.errors import LuggageError
from luggage.proof.manifest import FILE as MANIFEST

PEX = "PEX"  # luggage/run/start/proven.py


@dataclass(frozen=True)
class Deployment:
    """A deploy package: `package` is its import name, `folder` where its modules are."""

    package: str
    folder: Path

    @classmethod
    def of(cls, package: str) -> Deployment:
        """The deployment whose import name is `package`; LuggageError where there is none."""
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise LuggageError(
                f"package '{package}': not found", "start it in the folder that holds the package"
            )
        return cls(package, Path(next(iter(spec.submodule_search_locations))))

    @property
    def root(self) -> Path:
        """The folder the package lies in: a checkout, or the site-packages of an artifact."""
        return self.folder.parent

    @property
    def config(self) -> Path:
        """The config module's file."""
        return self.folder / "config.py"

    @property
    def packed(self) -> bool:
        """Whether this runs from an artifact, which has its manifest beside the package."""
        return (self.root / MANIFEST).is_file()

    def called(self, environ: Mapping[str, str]) -> str:
        """What is typed before a command's name: in an artifact no word says the package's."""
        if not self.packed:
            return f"python -m {self.package}"
        return environ.get(PEX) or f"{sys.executable} -I -m luggage"

    def command(self, name: str, *arguments: str) -> list[str]:
        """The argument list that runs command `name` of this deployment in a new process.

        In an artifact Python is isolated (`-I`), so that neither PYTHON* variables nor the working
        directory can put another module before ours. A checkout is only found through the working
        directory.
        """
        isolated = ["-I"] if self.packed else []
        return [sys.executable, *isolated, "-m", self.package, name, *arguments]


_current: ContextVar[Deployment] = ContextVar("deployment")


def enter(deployment: Deployment) -> None:
    """Make `deployment` the one that `current` returns."""
    _current.set(deployment)


def current() -> Deployment:
    """The deployment whose command is running; raises LuggageError outside one."""
    try:
        return _current.get()
    except LookupError:
        raise LuggageError(
            "no deployment: this command needs one", "run it as: python -m deploy …"
        ) from None
