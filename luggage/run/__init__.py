"""Process table + environment → supervised processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luggage.run.handover import claim
    from luggage.run.heart import beat
    from luggage.run.table import Loop, Web

__all__ = ["Loop", "Web", "beat", "claim"]

_MODULES = {"Loop": "table", "Web": "table", "beat": "heart", "claim": "handover"}


def __getattr__(name: str) -> object:
    """A name's module is imported when the name is first used: handing the key over needs few."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
