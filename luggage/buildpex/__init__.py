"""The lock and the sources → one pex, and the layers of an image.

Nothing is imported here that a bare Python lacks: `luggage.buildpex.boot` starts before the packing
tools are there.
"""

from luggage.buildpex.pack import Pack

__all__ = ["Pack"]
