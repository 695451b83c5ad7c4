"""The commands every deployment has, and how `python -m deploy NAME` finds one."""

from luggage.commands.deployment import Deployment, current
from luggage.commands.dispatch import main

__all__ = ["Deployment", "current", "main"]
