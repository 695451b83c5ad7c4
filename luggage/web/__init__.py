"""Requests: the pages that every deployment answers itself."""

from luggage.web.endpoints import endpoints
from luggage.web.version import version

__all__ = ["endpoints", "version"]
