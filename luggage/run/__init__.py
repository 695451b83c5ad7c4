"""Process table + environment → supervised processes."""

from luggage.run.handover import claim
from luggage.run.table import Loop, Web

__all__ = ["Loop", "Web", "claim"]
