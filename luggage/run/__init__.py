"""Process table + environment → supervised processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luggage.run.kernel.heart import beat
    from luggage.run.start.handover import claim
    from luggage.run.table.entries import Check, Cron, Loop, Release, Web

__all__ = ["Check", "Cron", "Loop", "Release", "Web", "beat", "claim"]

_MODULES = {"beat": "kernel.heart", "claim": "start.handover"}
_TABLE = "table.entries"  # all else is what a table is written with


def __getattr__(name: str) -> object:
    """A name's module is imported when the name is first used: handing the key over needs few."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, _TABLE)}"), name)
    globals()[name] = value
    return value
