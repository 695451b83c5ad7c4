"""Process table + environment → supervised processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luggage.run.entries import Check, Cron, Loop, Release, Web
    from luggage.run.handover import claim
    from luggage.run.heart import beat

__all__ = ["Check", "Cron", "Loop", "Release", "Web", "beat", "claim"]

_MODULES = {"beat": "heart", "claim": "handover"}  # all else is what a table is written with


def __getattr__(name: str) -> object:
    """A name's module is imported when the name is first used: handing the key over needs few."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'entries')}"), name)
    globals()[name] = value
    return value
