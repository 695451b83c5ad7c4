"""prometheus_client, if the app imports it → the same, with files that cannot end the process.

A process that luggage starts counts in files in the state folder, which may be full: what
prometheus_client writes then ends the process (luggage/web/figures.py). And it must know when it is
imported where the files are, but a process that waits for its turn (luggage/run/start/warm.py) does
not.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PART = "metrics"  # of the state folder
VALUES = "prometheus_client.values"


class _Finder:
    """What sys.meta_path takes; it is there until it has found the one module."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != VALUES:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            _mend(spec.loader)
        return spec


def _mend(loader: Loader) -> None:
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        from luggage.web.figures import Figures  # noqa: PLC0415 - few apps need it

        execute(module)
        module.MmapedDict = Figures

    loader.exec_module = exec_module  # type: ignore[method-assign]


def heed(environ: MutableMapping[str, str], *, early: bool) -> None:
    """Before the app is imported: let it count safely, where `environ` names a folder for that.

    `early`: the folder is not known yet. What is counted until then stays in this process's memory.
    """
    if early:
        environ[FOLDER] = os.devnull
    if environ.get(FOLDER) and VALUES not in sys.modules:
        sys.meta_path.insert(0, _Finder())
